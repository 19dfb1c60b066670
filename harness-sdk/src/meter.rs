//! Counts what one request moves, as it moves.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// Counts the payload bytes of one request and notes when its stream was open.
///
/// The SDK makes one per request, hands it to the [`Connection`](crate::Connection), and reads it
/// from another task: to see a stall, to tell what moved before a failure, and to check that a
/// request which says it succeeded moved exactly what was asked of it. Cheap enough to be called
/// for every chunk.
#[derive(Debug)]
pub struct Meter {
    started: Instant,
    opened: OnceLock<Duration>,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Meter {
    /// A meter whose clock starts now.
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
            opened: OnceLock::new(),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
        }
    }

    /// The stream is open (and its protocol negotiated): what follows is the exchange.
    /// Only the first call counts. Nodes that cannot tell don't call it.
    pub fn opened(&self) {
        let _ = self.opened.set(self.started.elapsed());
    }

    /// `bytes` more of payload were accepted by the stream.
    pub fn sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Relaxed);
    }

    /// `bytes` more of payload were read from the stream.
    pub fn received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Relaxed);
    }

    /// Time since the meter was made.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// How long opening the stream took, where the node said so.
    pub fn time_to_open(&self) -> Option<Duration> {
        self.opened.get().copied()
    }

    /// Payload bytes sent so far.
    pub fn bytes_sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// Payload bytes received so far.
    pub fn bytes_received(&self) -> u64 {
        self.received.load(Relaxed)
    }

    /// A value that changes whenever something happened: bytes either way, and the opening.
    pub(crate) fn activity(&self) -> u64 {
        self.bytes_sent()
            .wrapping_add(self.bytes_received())
            .wrapping_add(u64::from(self.opened.get().is_some()))
    }
}
