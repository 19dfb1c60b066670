//! What the node is like after a while: as large as before, and holding no more descriptors.
//!
//! Real processes, watched through /proc. `cargo test` runs a form of two minutes in all; `make soak` sets `SOAK_MINUTES`,
//! and the connection of each stack is then used for that long. With `SOAK_STACK` (as `"tcp noise yamux"`) it is one stack
//! alone: all at once leave a small machine no time for anything else.
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

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::{FutureExt, StreamExt, stream};
use harness_sdk::Stack;

/// Bytes of a small transfer, on every muxer.
const A_FEW_FRAMES: u64 = 64 << 10;

/// How much is done.
#[derive(Clone, Copy, Debug)]
struct Form {
    /// How long the one connection is used, about.
    lasting: Duration,
    /// Streams on it, at least.
    streams: usize,
    /// Of one transfer where time tells how many there are: a million of them, which are the most, have to last.
    bytes: u64,
    /// Connections, one after the other.
    connections: usize,
    /// Stacks under way at once.
    at_once: usize,
}

impl Form {
    /// What fits into a CI job: on two idle cores a minute for the connections that are used for long, and one for
    /// those that are many. Or, with SOAK_MINUTES, what was asked for: in half an hour 20,000 streams and 10,000
    /// connections of each stack.
    fn chosen() -> Self {
        match std::env::var("SOAK_MINUTES") {
            Err(_) => Self {
                lasting: Duration::from_secs(18),
                streams: 5_000,
                bytes: A_FEW_FRAMES,
                connections: 1_000,
                // Of more the processes starve one another where there are two cores that build as well, until
                // handshakes time out.
                at_once: 3,
            },
            Ok(minutes) => {
                let minutes: usize = minutes.parse().expect("whole minutes");
                let streams = 20_000 * minutes / 30;
                Self {
                    lasting: Duration::from_secs(60 * minutes as u64),
                    streams,
                    bytes: 512 << 10,
                    connections: 10_000 * minutes / 30,
                    // All of them, or it would take hours.
                    at_once: usize::MAX,
                }
            }
        }
    }
}

/// Those of libp2p, or the one that was asked for.
fn stacks() -> Vec<Stack> {
    match std::env::var("SOAK_STACK") {
        Err(_) => support::stacks().to_vec(),
        Ok(name) => vec![support::stack(&name)],
    }
}

/// Runs `soak` on each of `stacks`, and tells what went wrong: whatever one comes to, the others are done.
async fn each_of<F: Future<Output = Result<(), String>>>(
    stacks: impl IntoIterator<Item = Stack>,
    form: Form,
    soak: impl Fn(Stack) -> F,
) -> Vec<String> {
    let ended: Vec<_> = stream::iter(stacks)
        .map(|stack| AssertUnwindSafe(soak(stack)).catch_unwind())
        .buffer_unordered(form.at_once)
        .collect()
        .await;
    ended
        .into_iter()
        .map(|ended| ended.unwrap_or_else(|_| Err("one panicked: see above".to_owned())))
        .filter_map(Result::err)
        .collect()
}

/// Held by each test, so that none of them waits for another's processes.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
