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

/// One upload (or download) against a peer that behaves so.
async fn against(
    bench: &Bench<'_>,
    behaviour: &'static str,
    upload: bool,
    status: i32,
) -> Result<Seen, Error> {
    let peer = bench.probing(Behaviour::named(behaviour)).await?;
    let stall = |vars: super::variables::Vars| vars.with(&PERF_STALL_SECS, STALL);
    let ended = bench.dialing(&peer.address, one(upload, BYTES), LIMIT, stall).await?;
    let met = peer.finish().await?.connections > 0;
    Ok(match failed_with(&ended, status, &["upload", "download"]) {
        Seen::Right(text) if !met => Seen::Wrong(format!("{text}, and never came to its peer")),
        seen => seen,
    })
}

async fn too_little(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let seen = against(bench, "too-little", false, 5).await?;
    Ok(vec![finding("client-too-little", TRANSFER, seen)])
}

/// Both ways: an upload asks for nothing, and a byte back is one too many as well.
async fn too_much(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let download = against(bench, "too-much", false, 5).await?;
    let upload = against(bench, "too-much", true, 5).await?;
    let seen = match (download, upload) {
        (Seen::Right(download), Seen::Right(_)) => Seen::Right(download),
        (Seen::Right(_), other) | (other, _) => other,
    };
    Ok(vec![finding("client-too-much", TRANSFER, seen)])
}

async fn reset(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let seen = against(bench, "reset", false, 5).await?;
    Ok(vec![finding("client-reset", TRANSFER, seen)])
}

async fn stall(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let seen = against(bench, "never-answers", false, 5).await?;
    let expected = format!("status 5 after {STALL} s, which PERF_STALL_SECS says");
    Ok(vec![finding("client-stall", expected, seen)])
}

async fn no_perf(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let seen = against(bench, "no-perf", false, 4).await?;
    Ok(vec![finding("client-no-perf", "status 4, and no section", seen)])
}
