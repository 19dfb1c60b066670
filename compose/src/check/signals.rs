//! Rules about being told to end: `signal-…`.

use std::time::Duration;

use futures::FutureExt;
use harness_sdk::config::REDIS_ADDR;
use nix::sys::signal::Signal;
use tokio::time::{sleep, timeout};

use super::Error;
use super::bench::{Bench, Peer};
use super::experiment::{Experiment, Need};
use super::finding::{Finding, Seen, finding};
use super::node::Ended;
use super::place::{Door, key};
use super::probe::Behaviour;
use super::subject::Wire;
use super::variables::Work;

/// So long after it has asked for an address, a dialer is in the middle of its work, whatever it is written in.
const UNDER_WAY: Duration = Duration::from_millis(1500);

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment::new(&["signal-dialer-sigterm"], Need::Peer, |bench| {
        dialer(bench, "signal-dialer-sigterm", Signal::SIGTERM, 5).boxed()
    })
    .waiting(),
    Experiment::new(&["signal-dialer-sigint"], Need::Peer, |bench| {
        dialer(bench, "signal-dialer-sigint", Signal::SIGINT, 130).boxed()
    })
    .waiting(),
];

/// What `rule` says of an end that was asked for.
pub(super) fn ended_by(rule: &'static str, ended: &Ended, status: i32, limit: Duration) -> Finding {
    let seconds = ended.after.as_secs_f64();
    let seen = match ended.status() == Some(status) && ended.after <= limit {
        true => Seen::Right(format!("{} after {seconds:.2} s", ended.end())),
        false => Seen::Wrong(format!("{}, after {seconds:.2} s", ended.how())),
    };
    finding(rule, format!("status {status} within a second"), seen)
}

/// A peer that lets a dialer wait, so that a signal comes in the middle; and what the dialer is asked for.
async fn endless(bench: &Bench<'_>) -> Result<Result<(Peer, Work), String>, Error> {
    let work = |latency| Work { upload: (0, 1), download: (0, 1), latency };
    if bench.wire() == Wire::Spoken {
        let probe = bench.probing(Behaviour::named("never-answers")).await?;
        return Ok(Ok((Peer::Probe(probe), work(1))));
    }
    // A node that measures itself cannot be made to wait, but to take long.
    Ok(bench.peer().await?.map(|peer| (peer, work(1_000_000))))
}

async fn dialer(
    bench: &Bench<'_>,
    rule: &'static str,
    signal: Signal,
    status: i32,
) -> Result<Vec<Finding>, Error> {
    let expected = format!("status {status}, and no section that was not measured");
    let (peer, work) = match endless(bench).await? {
        Ok(peer) => peer,
        Err(problem) => return Ok(vec![finding(rule, expected, Seen::Wrong(problem))]),
    };
    let test_key = bench.test_key();
    bench.place.set(&key(&test_key), peer.address()).await?;
    let door = Door::closed(bench.place).await?.open().await?;
    let vars = bench.dialer(&test_key, work).with(&REDIS_ADDR, door.addr);
    let mut node = bench.start(&vars)?;
    // That it never asks is seen below.
    let _: Result<(), _> = timeout(bench.patience(), door.first_guest()).await;
    sleep(UNDER_WAY).await;
    if node.has_ended() {
        let how = node.ended(Duration::ZERO).await.how();
        let seen = Seen::Wrong(format!("before it was told to end it {how}"));
        return Ok(vec![finding(rule, expected, seen)]);
    }
    let ended = node.stop(signal).await;
    peer.finish().await?;
    Ok(vec![finding(rule, expected, judged(&ended, status))])
}

fn judged(ended: &Ended, status: i32) -> Seen {
    let seen = ended.how();
    let printed = ended.out().lines().any(|line| line.starts_with("latency:"));
    match ended.status() {
        _ if printed => Seen::Wrong(format!("{seen}, and printed a latency section")),
        Some(got) if got == status => Seen::Right(ended.end()),
        // Upstream's runner takes 143 with some YAML for a pass.
        Some(0 | 143) | None => Seen::Wrong(seen),
        Some(_) => Seen::Odd(seen),
    }
}
