//! Rules about exit statuses: `status-…`.

use std::time::Duration;

use futures::FutureExt;
use harness_sdk::Transport;
use harness_sdk::config::{MUXER, SECURE_CHANNEL, TRANSPORT};

use super::Error;
use super::bench::Bench;
use super::experiment::{Experiment, Need};
use super::finding::{Finding, Seen, finding};
use super::node::{Ended, shortened};
use super::variables::{LEAST, Work};

/// The 15 s in which another address might come, and a dial of 10 s that began before their end.
const UNREACHED: Duration = Duration::from_secs(30);

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment::new(&["status-unsupported"], Need::Nothing, |bench| unsupported(bench).boxed()),
    Experiment::new(&["status-connect", "status-failure-line"], Need::Peer, |bench| {
        nobody_there(bench).boxed()
    })
    .waiting(),
];

/// Every node knows the name, and none speaks it.
const UNSPOKEN: Transport = Transport::WebrtcDirect;

async fn unsupported(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let mut problems = Vec::new();
    let key = bench.test_key();
    for (role, vars) in [("dialer", bench.dialer(&key, LEAST)), ("listener", bench.listener(&key))]
    {
        let vars = vars.with(&TRANSPORT, UNSPOKEN).without(&SECURE_CHANNEL).without(&MUXER);
        let ended = bench.run(&vars, bench.patience()).await?;
        if ended.status() != Some(127) {
            problems.push(format!("as {role} it {}", ended.how()));
        }
    }
    let expected = format!("status 127 where TRANSPORT is {UNSPOKEN}");
    Ok(vec![finding(
        "status-unsupported",
        expected,
        Seen::of(&problems, "status 127 in both roles"),
    )])
}

async fn nobody_there(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let expected = "status 4, once no other address has come for 15 s";
    let peer = match bench.peer().await? {
        Ok(peer) => peer,
        Err(problem) => {
            let nothing = Seen::Nothing("there was no failure: see status-connect".to_owned());
            return Ok(vec![
                finding("status-connect", expected, Seen::Wrong(problem)),
                finding("status-failure-line", "", nothing),
            ]);
        }
    };
    let address = peer.address().to_owned();
    peer.finish().await?;
    let ended = bench.dialing(&address, LEAST, UNREACHED, |vars| vars).await?;
    Ok(vec![
        finding("status-connect", expected, failed_with(&ended, 4, &[])),
        finding("status-failure-line", "failure: {class: …, message: …}", failure_line(&ended)),
    ])
}

fn failure_line(ended: &Ended) -> Seen {
    let line = ended.last_line().unwrap_or("");
    let read = serde_yaml::from_str::<serde_yaml::Value>(line).ok();
    let failure = read.as_ref().and_then(|line| line.get("failure"));
    let has =
        |key| failure.and_then(|failure| failure.get(key)).is_some_and(|value| value.is_string());
    match has("class") && has("message") {
        true => Seen::Right(shortened(line)),
        false => Seen::Wrong(format!("\"{}\"", shortened(line))),
    }
}

/// Right where a dialer failed with `status` and claims none of `sections`. Another status than 0 is odd and no
/// more: upstream tells failures apart no further.
pub(super) fn failed_with(ended: &Ended, status: i32, sections: &[&str]) -> Seen {
    let how = format!("it {}", ended.how());
    let out = ended.out();
    let claims = |section: &&&str| out.lines().any(|line| line.trim_end() == format!("{section}:"));
    if let Some(section) = sections.iter().find(claims) {
        return Seen::Wrong(format!("{how}, and claims a whole {section} section"));
    }
    match ended.status() {
        Some(got) if got == status => Seen::Right(format!("it {}", ended.end())),
        Some(0) | None => Seen::Wrong(how),
        Some(_) => Seen::Odd(how),
    }
}

/// Work of which `bytes` of one upload or download are all.
pub(super) fn one(upload: bool, bytes: u64) -> Work {
    let iterations = |wanted: bool| u64::from(wanted);
    Work { upload: (iterations(upload), bytes), download: (iterations(!upload), bytes), latency: 0 }
}
