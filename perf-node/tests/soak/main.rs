//! What the node is like after a while: as large as before, and holding no more descriptors.
//!
//! Real processes, watched through /proc. `cargo test` runs a form of seconds; `make soak` sets `SOAK_MINUTES`, and the
//! same tests then take that long, with the numbers that the figures in docs/measuring.md are from.
//!
//! | file | asks |
//! |---|---|
//! | `one_connection.rs` | thousands of streams on one connection, small transfers and one-byte exchanges: do both ends stay as they are? |
//! | `many_connections.rs` | thousands of connections to one listener, one after the other: does it? |
//! | `usage.rs`, `slope.rs` | what /proc says of a process, and whether that grows |

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod many_connections;
mod one_connection;
mod slope;
mod usage;

use std::time::Duration;

/// How much is done.
#[derive(Clone, Copy, Debug)]
struct Form {
    /// How long the one connection is used, about.
    lasting: Duration,
    /// Uploads on it, and downloads, at least.
    transfers: usize,
    /// One-byte exchanges on it, at least.
    streams: usize,
    /// Connections, one after the other.
    connections: usize,
}

impl Form {
    /// What fits into a CI job; or, with SOAK_MINUTES, what was asked for.
    fn chosen() -> Self {
        match std::env::var("SOAK_MINUTES") {
            Err(_) => Self {
                lasting: Duration::from_secs(9),
                transfers: 500,
                streams: 5_000,
                connections: 200,
            },
            Ok(minutes) => Self {
                lasting: Duration::from_secs(60 * minutes.parse::<u64>().expect("whole minutes")),
                transfers: 20_000,
                streams: 20_000,
                connections: 10_000,
            },
        }
    }
}

/// Held by each test, so that none of them waits for another's processes.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
