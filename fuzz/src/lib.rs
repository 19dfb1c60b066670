//! What the targets share: a stream whose peer does what the fuzzer says, a count of what moved on it, and what holds
//! for every configuration.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use arbitrary::Arbitrary;
use futures::{AsyncRead, AsyncWrite};
use harness_sdk::Config;
use harness_sdk::config::MAX_ITERATIONS;
use harness_sdk::plan::Amount;
use perf_protocol::Progress;

/// What one poll of a stream does.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Step {
    /// Waits, and is woken at once.
    Pause,
    /// Moves at most this many bytes, and one at least.
    AtMost(u16),
    /// Moves all it can.
    All,
    /// Fails.
    Break,
}

/// A stream that reads from a given input to its end, takes what is written until `room` is full, and pauses, cuts
/// and fails as its steps say; when they have run out it goes on without any.
#[derive(Debug)]
pub struct Scripted {
    input: Vec<u8>,
    read: usize,
    steps: std::vec::IntoIter<Step>,
    /// How many bytes were written.
    pub written: u64,
    room: u64,
    /// The input can be read only once our side is closed.
    pub answers_after_close: bool,
    /// Whether our side is closed.
    pub closed: bool,
    /// Whether a step, or a full room, has broken it.
    pub broken: bool,
}

impl Scripted {
    /// A stream with `input` to be read.
    pub fn new(input: Vec<u8>, steps: Vec<Step>, room: u64) -> Self {
        Self {
            input,
            read: 0,
            steps: steps.into_iter(),
            written: 0,
            room,
            answers_after_close: false,
            closed: false,
            broken: false,
        }
    }

    /// How many bytes were read.
    pub fn read(&self) -> u64 {
        self.read as u64
    }

    /// How many bytes this poll may move.
    fn step(&mut self, cx: &Context<'_>) -> Poll<io::Result<usize>> {
        match self.steps.next() {
            Some(Step::Pause) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Step::AtMost(most)) => Poll::Ready(Ok(usize::from(most).max(1))),
            Some(Step::Break) => Poll::Ready(Err(self.fail())),
            Some(Step::All) | None => Poll::Ready(Ok(usize::MAX)),
        }
    }

    fn fail(&mut self) -> io::Error {
        self.broken = true;
        io::ErrorKind::ConnectionReset.into()
    }
}

impl AsyncRead for Scripted {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.answers_after_close && !this.closed {
            return Poll::Pending;
        }
        let Poll::Ready(most) = this.step(cx)? else { return Poll::Pending };
        let left = &this.input[this.read..];
        let len = most.min(left.len()).min(buffer.len());
        buffer[..len].copy_from_slice(&left[..len]);
        this.read += len;
        Poll::Ready(Ok(len))
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Poll::Ready(most) = this.step(cx)? else { return Poll::Pending };
        let len = most.min(bytes.len());
        if this.written + len as u64 > this.room {
            return Poll::Ready(Err(this.fail()));
        }
        this.written += len as u64;
        Poll::Ready(Ok(len))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().step(cx).map_ok(|_| ())
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Poll::Ready(_) = this.step(cx)? else { return Poll::Pending };
        this.closed = true;
        Poll::Ready(Ok(()))
    }
}

/// Counts what one side has moved.
#[derive(Debug, Default)]
pub struct Tally {
    /// Bytes sent.
    pub sent: Cell<u64>,
    /// Bytes received.
    pub received: Cell<u64>,
}

impl Progress for Tally {
    fn sent(&self, bytes: u64) {
        self.sent.set(self.sent.get() + bytes);
    }

    fn received(&self, bytes: u64) {
        self.received.set(self.received.get() + bytes);
    }
}

/// Panics where a configuration that was read does not hold to its own bounds.
pub fn hold(config: &Config) {
    let plan = &config.plan;
    for direction in [plan.upload, plan.download] {
        assert!(direction.iterations <= MAX_ITERATIONS);
        let empty = direction.amount == Amount::Bytes(0);
        assert!(!empty || direction.iterations == 0);
    }
    assert!(plan.latency_iterations <= MAX_ITERATIONS && plan.warmup <= MAX_ITERATIONS);
    assert!(config.stall > Duration::ZERO && config.timeout != Some(Duration::ZERO));
    let layered = config.stack.transport.is_layered();
    assert_eq!(config.stack.secure_channel.is_some(), layered);
    assert_eq!(config.stack.muxer.is_some(), layered);
    assert!(config.redis_url.starts_with("redis://"));
}
