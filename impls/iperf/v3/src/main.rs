//! The iperf3 baseline: the node contract around a real iperf3, whose report is translated. What
//! the machine's TCP can do with nothing of ours in the way of the bytes.

mod client;
mod report;
mod server;
mod watch;

use std::process::ExitCode;

use harness_sdk::{BoxError, Class, Config, Failure, Node, Phase, Profile, Stack, Transport};

use client::Peer;
use server::Bound;

struct IperfPerf;

impl Node for IperfPerf {
    type Listener = Bound;
    type Connection = Peer;

    fn name(&self) -> &str {
        "iperf-perf"
    }

    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    fn speaks(&self, stack: &Stack) -> Result<(), String> {
        match (stack.transport, stack.profile) {
            (Transport::RawTcp, Profile::Stock) => Ok(()),
            (Transport::RawTcp, profile) => Err(format!("it has no profile {profile}")),
            _ => Err("only raw-tcp".to_owned()),
        }
    }

    async fn listen(&self, config: &Config) -> Result<Bound, BoxError> {
        Bound::start(config).await
    }

    async fn dial(&self, config: &Config, address: &str) -> Result<Peer, BoxError> {
        if config.plan.latency_iterations > 0 {
            let reason = "iperf3 has no exchange of one byte each way to measure; set LATENCY_ITERATIONS to 0";
            return Err(Failure::new(Class::Unsupported, Phase::Latency, reason).into());
        }
        Peer::connect(config, address).await
    }
}

/// Why iperf3 itself could not be run.
#[derive(Debug, thiserror::Error)]
#[error("cannot start iperf3 (install the package iperf3)")]
struct NoIperf(#[source] std::io::Error);

impl NoIperf {
    /// Nobody else's fault than this machine's, whichever side noticed.
    fn failure(error: std::io::Error, phase: Phase) -> BoxError {
        let message = harness_sdk::chain(&Self(error));
        Failure::new(Class::Environment, phase, message).into()
    }
}

fn main() -> ExitCode {
    harness_sdk::main(IperfPerf)
}
