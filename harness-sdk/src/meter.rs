//! Counts what one request moves, as it moves.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

/// Counts the payload bytes of one request and notes when its stream was open.
///
/// The SDK makes one per request, hands it to the [`Connection`](crate::Connection), and reads it
/// from another task: to see a stall, to tell what moved before a failure, and to check that a
/// request which says it succeeded moved exactly what was asked of it. Cheap enough to be called
/// for every chunk.
///
/// A clone is another handle on the same counts, for a body or callback that has to own its own.
#[derive(Clone, Debug)]
pub struct Meter(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    started: OnceLock<Instant>,
    opened: OnceLock<Duration>,
    sent: AtomicU64,
    received: AtomicU64,
    foreign: OnceLock<Moved>,
}

/// How much was moved, and in what time, as a tool measured it that moved the bytes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) bytes: u64,
    pub(crate) time: Duration,
}

impl Meter {
    /// A meter whose clock starts now.
    pub fn start() -> Self {
        let meter = Self::waiting();
        meter.begin();
        meter
    }

    /// A meter whose clock has yet to start: until then it can be handed to whoever watches it.
    pub(crate) fn waiting() -> Self {
        Self(Arc::new(Counts {
            started: OnceLock::new(),
            opened: OnceLock::new(),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            foreign: OnceLock::new(),
        }))
    }

    /// Starts the clock, once.
    pub(crate) fn begin(&self) {
        let _ = self.0.started.set(Instant::now());
    }

    /// The stream is open (and its protocol negotiated): what follows is the exchange.
    /// Only the first call counts. Nodes that cannot tell don't call it.
    pub fn opened(&self) {
        let _ = self.0.opened.set(self.elapsed());
    }

    /// `bytes` more of payload were accepted by the stream.
    pub fn sent(&self, bytes: u64) {
        self.0.sent.fetch_add(bytes, Relaxed);
    }

    /// `bytes` more of payload were read from the stream.
    pub fn received(&self, bytes: u64) {
        self.0.received.fetch_add(bytes, Relaxed);
    }

    /// The request was made by a foreign tool, and this is what that tool measured: `bytes` of
    /// payload in `time`, which hold in place of the SDK's own count and clock.
    ///
    /// For a node that drives a tool it cannot look into. It names the tool in
    /// [`Details::foreign_clock`](crate::Details::foreign_clock), for the document; without that,
    /// a measurement of its own is an internal failure. Bytes told to [`sent`](Self::sent) and
    /// [`received`](Self::received) meanwhile only show that something moves.
    pub fn measured_elsewhere(&self, bytes: u64, time: Duration) {
        let _ = self.0.foreign.set(Moved { bytes, time });
    }

    /// Time since the clock started.
    pub fn elapsed(&self) -> Duration {
        self.0.started.get().map_or(Duration::ZERO, Instant::elapsed)
    }

    /// How long opening the stream took, where the node said so.
    pub fn time_to_open(&self) -> Option<Duration> {
        self.0.opened.get().copied()
    }

    /// Payload bytes sent so far.
    pub fn bytes_sent(&self) -> u64 {
        self.0.sent.load(Relaxed)
    }

    /// Payload bytes received so far.
    pub fn bytes_received(&self) -> u64 {
        self.0.received.load(Relaxed)
    }

    /// What a foreign tool measured, where one did.
    pub(crate) fn elsewhere(&self) -> Option<Moved> {
        self.0.foreign.get().copied()
    }

    /// A value that changes whenever something happened: bytes either way, and the opening.
    pub(crate) fn activity(&self) -> u64 {
        self.bytes_sent()
            .wrapping_add(self.bytes_received())
            .wrapping_add(u64::from(self.0.opened.get().is_some()))
    }
}
