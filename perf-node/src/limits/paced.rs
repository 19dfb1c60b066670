//! A served stream that keeps to its listener's rate.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite};
use harness_sdk::{Meter, stall};
use tokio::time::{Instant, Sleep, sleep_until};

use super::gate::Gate;

/// Whether a stream has waited for its turn: a handle on it. That of a stream without a rate never has.
#[derive(Clone, Debug, Default)]
pub struct Waits(Arc<AtomicBool>);

impl Waits {
    /// Runs `serving` as [`stall::guard`] does, but for its waits: its turn comes, whatever its peer does.
    ///
    /// # Errors
    ///
    /// Nothing moved for `limit`.
    pub(crate) async fn guard<T>(
        &self,
        meter: &Meter,
        limit: Duration,
        serving: impl Future<Output = T>,
    ) -> Result<T, stall::Stalled> {
        let mut serving = pin!(serving);
        loop {
            match stall::guard(meter, limit, serving.as_mut()).await {
                Err(_) if self.take() => {}
                ended => return ended,
            }
        }
    }

    /// Whether it has since this was last asked.
    fn take(&self) -> bool {
        self.0.swap(false, Relaxed)
    }
}

/// A stream whose bytes, both ways, keep to the rate.
#[derive(Debug)]
pub struct Paced<S> {
    stream: S,
    gate: Gate,
    /// Until what was moved is paid for.
    pause: Option<Pin<Box<Sleep>>>,
    waits: Waits,
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S, gate: Gate) -> Self {
        // A stream that comes while others wait waits as well.
        let pause = gate.rate().map(|pace| Box::pin(sleep_until(pace.spend(0))));
        Self { stream, gate, pause, waits: Waits::default() }
    }

    /// Tells its waits from those for its peer.
    pub fn waits(&self) -> Waits {
        self.waits.clone()
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Ready once what was moved so far is paid for: how many bytes may be moved now, at most.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        if let Some(pause) = &mut self.pause
            && pause.as_mut().poll(cx).is_pending()
        {
            self.waits.0.store(true, Relaxed);
            return Poll::Pending;
        }
        Poll::Ready(self.gate.rate().map_or(usize::MAX, |pace| pace.piece()))
    }

    fn moved(&mut self, bytes: usize) {
        if let (Some(pace), Some(pause)) = (self.gate.rate(), &mut self.pause)
            && bytes > 0
        {
            let until: Instant = pace.spend(bytes as u64);
            pause.as_mut().reset(until);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let most = ready!(this.poll_turn(cx)).min(buffer.len());
        let read = ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buffer[..most]))?;
        this.moved(read);
        Poll::Ready(Ok(read))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let most = ready!(this.poll_turn(cx)).min(bytes.len());
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, &bytes[..most]))?;
        this.moved(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_close(cx)
    }
}
