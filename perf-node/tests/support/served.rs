//! What a listener says it has served: the other end's count of the same bytes.

use super::Ended;

/// One exchange, in bytes of payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Served {
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

impl Served {
    /// What a listener serves that is asked for these uploads, downloads and latencies.
    pub(crate) fn plan([uploads, downloads, latencies]: [usize; 3], bytes: u64) -> Vec<Self> {
        let upload = vec![Self { received: bytes, sent: 0 }; uploads];
        let download = vec![Self { received: 0, sent: bytes }; downloads];
        let latency = vec![Self { received: 1, sent: 1 }; latencies];
        [upload, download, latency].concat()
    }
}

/// What a listener has written of its exchanges, in order: perf-node with `--debug`, or a Go node of `impls`
/// with DEBUG.
pub(crate) fn served(listener: &Ended) -> Vec<Served> {
    let count = |line: &str, key: &str| -> u64 {
        let value = line.split_once(key).unwrap().1.trim_start_matches([':', '=', ' ']);
        value[..value.find(|c: char| !c.is_ascii_digit()).unwrap()].parse().unwrap()
    };
    let is_exchange = |line: &&str| line.contains("Served {") || line.contains("msg=served");
    let lines = listener.stderr.lines().filter(is_exchange);
    lines
        .map(|line| Served { received: count(line, "received"), sent: count(line, "sent") })
        .collect()
}
