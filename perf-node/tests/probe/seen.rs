//! What `perf-node probe client` prints.

use nix::sys::signal::Signal;
use serde::Deserialize;

use crate::support::Listening;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    pub(crate) connections: u64,
    pub(crate) opened: u64,
    pub(crate) streams: Vec<StreamSeen>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamSeen {
    pub(crate) asked: Option<u64>,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) half_closed: bool,
    pub(crate) reset: bool,
    pub(crate) open_ms: f64,
    pub(crate) seconds: f64,
}

/// Ends the probe, and reads what it saw behind its address.
pub(crate) async fn seen(probe: Listening) -> Seen {
    let ended = probe.process.stop(Signal::SIGTERM).await;
    let (address, document) = ended.stdout.split_once('\n').unwrap();
    assert_eq!(address, probe.address);
    serde_yaml::from_str(document).unwrap_or_else(|error| panic!("{error}\n{}", ended.everything()))
}
