//! Whether the node reports what happened, on links whose rate and delay are known.
//!
//! | file | asks |
//! |---|---|
//! | `goodput.rs` | on a link of 100 Mbit/s and of 1 Gbit/s: is a stack's goodput iperf3's, less what its framing costs? |
//! | `wire.rs` | and did the kernel count as many bytes on that link as the node says it moved, plus that framing? |
//! | `latency.rs` | behind a relay that adds 5 ms and 50 ms each way: does a sample grow by as many round trips as it has? |
//! | `loss.rs` | with 1% of all datagrams lost: does QUIC finish, to the byte? |
//!
//! What they stand on: `namespaces.rs` and `link.rs` (two network namespaces, a veth pair, a token bucket at either
//! end), `iperf.rs`, `framing.rs` (the formulas; docs/measuring.md derives them) and `relay/`. The links need root, and
//! say so where there is none; where the environment has CI set they fail. A busy machine only ever makes a transfer
//! slower and a sample longer: whatever is too slow is measured again, and every attempt is printed (`--nocapture`).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod framing;
mod goodput;
mod iperf;
mod latency;
mod link;
mod loss;
mod namespaces;
mod priority;
mod relay;
mod wire;

/// Held while a test measures: two at once would measure each other.
struct Alone {
    _raised: Option<priority::Raised>,
    _turn: tokio::sync::MutexGuard<'static, ()>,
}

/// Waits until no other test measures.
async fn alone() -> Alone {
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let turn = TURN.lock().await;
    Alone { _raised: priority::Raised::raise(), _turn: turn }
}

/// How often something is measured before it counts as wrong.
const ATTEMPTS: usize = 3;
