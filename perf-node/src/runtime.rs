//! The tokio runtime that stacks are measured on.

use std::sync::Arc;

use harness_sdk::{Class, Failure, Phase};
use tokio::runtime::{Builder, Runtime};

/// How a process is built and run, by name: what else a number depends on. Clones share it.
pub type Environment = Arc<[(&'static str, String)]>;

/// This process's, for the document.
pub fn environment() -> Environment {
    let mut environment =
        vec![("allocator", "system".to_owned()), ("runtime", "tokio current_thread".to_owned())];
    // What libc copies memory by, and when it gives it back (`man 8 ld.so`).
    let tunables = std::env::var("GLIBC_TUNABLES").ok().filter(|set| !set.is_empty());
    environment.extend(tunables.map(|set| ("glibc_tunables", set)));
    environment.into()
}

/// One thread a node. A run is one connection and one stream at a time: with more workers its parts
/// wake one another across cores, which measured as more CPU and latency on every stack, and as less
/// throughput on mplex and QUIC.
pub fn build() -> Result<Runtime, Failure> {
    Builder::new_current_thread().enable_all().build().map_err(|error| {
        let message = format!("cannot start the runtime: {error}");
        Failure::new(Class::Environment, Phase::Configuration, message)
    })
}
