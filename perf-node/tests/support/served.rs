//! What a listener says it has served: the other end's count of the same bytes.

use super::support::Ended;

/// One exchange, in bytes of payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

/// What a listener that ran with `--debug` has written of its exchanges, in order.
pub(crate) fn served(listener: &Ended) -> Vec<Served> {
    let count = |line: &str, key: &str| -> u64 {
        let value = line.split_once(key).unwrap().1.trim_start();
        value[..value.find(|c: char| !c.is_ascii_digit()).unwrap()].parse().unwrap()
    };
    let lines = listener.stderr.lines().filter(|line| line.contains("Served {"));
    lines
        .map(|line| Served { received: count(line, "received:"), sent: count(line, "sent:") })
        .collect()
}
