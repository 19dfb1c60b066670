//! `perf-node probe`: peers that hold another node against the perf protocol.
//!
//! - [`server`] dials a node that listens, and judges how it answers: one finding a [rule](server::RULES).
//! - [`client`] listens for a node that dials, serves it well or badly as its
//!   [`Behaviour`](client::Behaviour) says, and tells what it saw of it. It judges nothing: whoever
//!   started it compares that with what the node printed.
//!
//! Both stand on the node's own stacks and swarm, and write and read the bytes of /perf/1.0.0
//! themselves where they do something that `perf-protocol` does not.

pub mod client;
pub mod server;

use std::io::Write;

use harness_sdk::{Class, Failure, Phase};

/// Prints one of the probe's documents on stdout.
fn print(document: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(document.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| {
        let message = format!("cannot write the document to stdout: {error}");
        Failure::new(Class::Environment, Phase::Report, message)
    })
}
