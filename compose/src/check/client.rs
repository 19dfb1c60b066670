//! Rules about the node as a client of a peer that misbehaves: `client-…`.

use std::time::Duration;

use futures::FutureExt;
use harness_sdk::config::PERF_STALL_SECS;

use super::Error;
use super::bench::Bench;
use super::experiment::{Experiment, Need};
use super::finding::{Finding, Seen, finding};
use super::probe::Behaviour;
use super::statuses::{failed_with, one};

/// A dialer that takes longer against a misbehaving peer hangs.
const LIMIT: Duration = Duration::from_secs(25);
/// What the node is told, where it is to notice that nothing moves.
const STALL: u64 = 2;
/// On top of that: a node's start, a browser's included, its handshake, and a busy machine.
const STALL_GRACE: Duration = Duration::from_secs(15);
/// Of a transfer that goes wrong.
const BYTES: u64 = 300_000;

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment::new(&["client-too-little"], Need::Probe, |bench| too_little(bench).boxed())
        .on_every_stack(),
    Experiment::new(&["client-too-much"], Need::Probe, |bench| too_much(bench).boxed())
        .on_every_stack(),
    Experiment::new(&["client-reset"], Need::Probe, |bench| reset(bench).boxed()).on_every_stack(),
    Experiment::new(&["client-stall"], Need::Probe, |bench| stall(bench).boxed()).on_every_stack(),
    Experiment::new(&["client-no-perf"], Need::Probe, |bench| no_perf(bench).boxed())
        .on_every_stack(),
];

const TRANSFER: &str = "status 5, and no section";

/// One upload (or download) against a peer that behaves so, and how long the node took to end.
async fn against(
    bench: &Bench<'_>,
    behaviour: &'static str,
    upload: bool,
    status: i32,
) -> Result<(Seen, Duration), Error> {
    let peer = bench.probing(Behaviour::named(behaviour)).await?;
    let stall = |vars: super::variables::Vars| vars.with(&PERF_STALL_SECS, STALL);
    let ended = bench.dialing(&peer.address, one(upload, BYTES), LIMIT, stall).await?;
    let met = peer.finish().await?.connections > 0;
    let seen = match failed_with(&ended, status, &["upload", "download"]) {
        Seen::Right(text) if !met => Seen::Wrong(format!("{text}, and never came to its peer")),
        seen => seen,
    };
    Ok((seen, ended.after))
}

async fn too_little(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let (seen, _) = against(bench, "too-little", false, 5).await?;
    Ok(vec![finding("client-too-little", TRANSFER, seen)])
}

/// Both ways: an upload asks for nothing, and a byte back is one too many as well.
async fn too_much(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let (download, _) = against(bench, "too-much", false, 5).await?;
    let (upload, _) = against(bench, "too-much", true, 5).await?;
    let seen = match (download, upload) {
        (Seen::Right(download), Seen::Right(_)) => Seen::Right(download),
        (Seen::Right(_), other) | (other, _) => other,
    };
    Ok(vec![finding("client-too-much", TRANSFER, seen)])
}

async fn reset(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let (seen, _) = against(bench, "reset", false, 5).await?;
    Ok(vec![finding("client-reset", TRANSFER, seen)])
}

async fn stall(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let (seen, after) = against(bench, "never-answers", false, 5).await?;
    let seen = match seen {
        Seen::Right(text) => gave_up(&text, after),
        seen => seen,
    };
    let expected = format!("status 5 after {STALL} s, which PERF_STALL_SECS says");
    Ok(vec![finding("client-stall", expected, seen)])
}

/// Whether it was the stall that ended it, by when.
fn gave_up(text: &str, after: Duration) -> Seen {
    let text = format!("{text} after {:.1} s", after.as_secs_f64());
    let due = Duration::from_secs(STALL);
    match after {
        early if early < due => Seen::Wrong(text),
        late if late > due + STALL_GRACE => Seen::Odd(text),
        _ => Seen::Right(text),
    }
}

async fn no_perf(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let (seen, _) = against(bench, "no-perf", false, 4).await?;
    Ok(vec![finding("client-no-perf", "status 4, and no section", seen)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_given_up_when_it_is_due() {
        let gave_up = |ms| gave_up("it ended with status 5", Duration::from_millis(ms));
        assert_eq!(gave_up(2100), Seen::Right("it ended with status 5 after 2.1 s".to_owned()));
        assert!(matches!(gave_up(300), Seen::Wrong(_)));
        assert!(matches!(gave_up(20_000), Seen::Odd(_)));
    }
}
