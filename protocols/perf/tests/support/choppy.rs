//! A stream that waits, and reads and writes short, as a script says.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::{AsyncRead, AsyncWrite};

/// What one poll does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Waits, and is woken at once. Not twice in a row.
    Pause,
    /// Moves this many bytes at most.
    AtMost(usize),
}

/// Goes through `script` over and over, a step per poll: once for reads, and once for all else.
pub(crate) struct Choppy<S> {
    inner: S,
    reads: Script,
    writes: Script,
}

impl<S> Choppy<S> {
    pub(crate) fn new(inner: S, script: Vec<Step>) -> Self {
        Self { inner, reads: Script::new(script.clone()), writes: Script::new(script) }
    }
}

struct Script {
    steps: Vec<Step>,
    next: usize,
    paused: bool,
}

impl Script {
    fn new(steps: Vec<Step>) -> Self {
        assert!(!steps.is_empty(), "a script has steps");
        Self { steps, next: 0, paused: false }
    }

    /// How many bytes this poll may move.
    fn step(&mut self, cx: &Context<'_>) -> Poll<usize> {
        let step = self.steps[self.next % self.steps.len()];
        self.next += 1;
        match step {
            Step::Pause if !self.paused => {
                self.paused = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Step::Pause => Poll::Ready(1),
            Step::AtMost(bytes) => {
                self.paused = false;
                Poll::Ready(bytes)
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Choppy<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let len = ready!(this.reads.step(cx)).min(buffer.len());
        Pin::new(&mut this.inner).poll_read(cx, &mut buffer[..len])
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Choppy<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let len = ready!(this.writes.step(cx)).min(bytes.len());
        Pin::new(&mut this.inner).poll_write(cx, &bytes[..len])
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.writes.step(cx));
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.writes.step(cx));
        Pin::new(&mut this.inner).poll_close(cx)
    }
}
