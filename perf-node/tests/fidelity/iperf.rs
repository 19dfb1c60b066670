//! The reference: iperf3 over the same link.

use super::link::Link;
use super::support::Launch;

/// Which way the payload goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Up,
    Down,
}

/// Long enough for what a full bucket lets through at once to be a seventh of a percent.
const SECONDS: &str = "1.5";

/// What iperf3's receiver counts, in bits per second: one TCP stream, from the near end or towards it.
pub(crate) async fn goodput(link: &Link, direction: Direction) -> f64 {
    let mut server = Launch::new("iperf3")
        .args(["-s", "-1", "--forceflush"])
        .in_namespace(&link.far.namespace.name)
        .spawn();
    server.wait_for_stdout(2).await;
    let client = Launch::new("iperf3").args(["-c", link.far.ip, "-t", SECONDS, "-J"]);
    let client = match direction {
        Direction::Up => client,
        Direction::Down => client.arg("-R"),
    };
    let ended = client.in_namespace(&link.near.namespace.name).run().await;
    ended.assert_status(0);
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    report["end"]["sum_received"]["bits_per_second"].as_f64().unwrap()
}
