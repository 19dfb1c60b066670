//! `perf-node probe`, as a process: our own node keeps every rule, a node that breaks one is found
//! out by it, and each behaviour is what it says.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod clients;
mod command_line;
mod findings;
mod rates;
mod seen;
mod servers;
#[path = "../support/mod.rs"]
mod support;
mod wrong_servers;
