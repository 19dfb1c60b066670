//! The https baseline: the perf exchange as HTTP requests on one TLS 1.3 connection. What libp2p's
//! stacks are compared with, and the proof that `harness-sdk` needs no libp2p.

mod certificate;
mod client;
mod node;
mod payload;
mod server;

use std::process::ExitCode;

fn main() -> ExitCode {
    harness_sdk::main(node::HttpsPerf::default())
}
