//! Logs go to stderr, never to stdout.

use std::io::IsTerminal;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Sends `tracing` to stderr: what a user wants to see, or with `debug` what a developer does, of
/// this crate and of the one that defines the node `N`. The libraries below stay quiet unless
/// something is wrong, debugged or not loud enough to slow a transfer. A second call does nothing.
pub(crate) fn init<N>(debug: bool) {
    let (ours, others) = match debug {
        true => (LevelFilter::DEBUG, LevelFilter::INFO),
        false => (LevelFilter::INFO, LevelFilter::ERROR),
    };
    let filter = Targets::new()
        .with_default(others)
        .with_target("harness_sdk", ours)
        .with_target(crate_of::<N>(), ours);
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .with_target(debug)
        .compact();
    // An error means that a subscriber is there already: the embedding program's, which wins.
    let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
}

/// The crate that defines `N`: a type's name begins with it.
fn crate_of<N>() -> &'static str {
    std::any::type_name::<N>().split("::").next().unwrap_or_default()
}
