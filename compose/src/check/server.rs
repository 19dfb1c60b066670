//! Rules about the node as a server: perf-node dials it, and judges. `server-…`.

use std::time::Duration;

use futures::FutureExt;
use harness_sdk::config::PERF_STALL_SECS;
use nix::sys::signal::Signal;

use super::Error;
use super::bench::Bench;
use super::experiment::{Experiment, Need};
use super::finding::{Finding, Seen, finding};

/// What the node is told, so that nobody waits for 30 s.
const STALL: Duration = Duration::from_secs(2);

const SERVER: &[&str] = &[
    "server-zero-bytes",
    "server-one-byte",
    "server-exact-bytes",
    "server-split-header",
    "server-header-with-fin",
    "server-answers-at-eof",
    "server-no-fin",
    "server-early-close",
    "server-huge-request-then-reset",
    "server-sequential-streams",
    "server-concurrent-streams",
    "server-short-header",
];

pub(super) const EXPERIMENTS: &[Experiment] =
    &[Experiment::new(SERVER, Need::ProbedListener, |bench| served(bench).boxed())
        .on_every_stack()];

async fn served(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let all = |seen: &dyn Fn() -> Seen| {
        SERVER.iter().map(|rule| finding(rule, "an answer", seen())).collect::<Vec<_>>()
    };
    let listening = bench.listening(|vars| vars.with(&PERF_STALL_SECS, STALL.as_secs())).await?;
    let (node, address) = match listening {
        Ok(listening) => listening,
        Err(problem) => return Ok(all(&|| Seen::Wrong(problem.clone()))),
    };
    let Some(probe) = bench.probe else { return Err(Error::Probe("there is none".to_owned())) };
    let log = bench.log("probe");
    let judged = probe.server(&address, &bench.stack, SERVER, STALL, &log).await?;
    let ended = node.stop(Signal::SIGTERM).await;
    let judged = match judged {
        Ok(judged) => judged,
        Err(problem) => {
            let problem = format!("{problem}; told to end, the node {}", ended.how());
            return Ok(all(&|| Seen::Wrong(problem.clone())));
        }
    };
    let of = |rule: &&'static str| match judged.iter().find(|judged| judged.rule == **rule) {
        Some(judged) => finding(rule, judged.expected.clone(), judged.seen()),
        None => finding(rule, "", Seen::Nothing("this perf-node does not judge it".to_owned())),
    };
    Ok(SERVER.iter().map(of).collect())
}
