//! The addresses that this machine has, and gets, and loses.

use std::io;
use std::task::{Context, Poll};

use futures::stream::{BoxStream, StreamExt};
use if_watch::IfEvent;
use if_watch::tokio::IfWatcher;

type Changes = BoxStream<'static, io::Result<IfEvent>>;

/// Watches them. What failed is given up, and made anew when that is asked for.
pub(crate) struct Interfaces {
    watch: fn() -> io::Result<Changes>,
    changes: Option<Changes>,
}

impl Interfaces {
    pub(crate) fn new() -> io::Result<Self> {
        Self::with(|| Ok(IfWatcher::new()?.boxed()))
    }

    fn with(watch: fn() -> io::Result<Changes>) -> io::Result<Self> {
        Ok(Self { changes: Some(watch()?), watch })
    }

    /// The next change, or why there is none to be had before the next [`Self::retry`]. A watcher that failed may
    /// fail whenever it is asked, or never wake anybody: it is not asked again.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<IfEvent>> {
        let Some(changes) = &mut self.changes else { return Poll::Pending };
        let change = std::task::ready!(changes.poll_next_unpin(cx))
            .unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into()));
        if change.is_err() {
            self.changes = None;
        }
        Poll::Ready(change)
    }

    /// Watches again, where that failed: all addresses of that moment are then told as changes. One that was lost in
    /// between is not. To be polled after it.
    pub(crate) fn retry(&mut self) -> io::Result<()> {
        if self.changes.is_none() {
            self.changes = Some((self.watch)()?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures::{FutureExt, stream};

    use super::*;

    fn up() -> IfEvent {
        IfEvent::Up("10.0.0.1/8".parse().unwrap())
    }

    #[tokio::test]
    async fn what_failed_is_asked_again_only_after_a_retry() {
        // It fails for good after its first change, as a watcher whose socket is gone does.
        let watch = || {
            let failures = stream::repeat_with(|| Err(io::ErrorKind::BrokenPipe.into()));
            Ok(stream::iter([Ok(up())]).chain(failures).boxed())
        };
        let mut interfaces = Interfaces::with(watch).unwrap();
        for _ in 0..3 {
            let change = poll_fn(|cx| interfaces.poll(cx)).now_or_never().unwrap();
            assert_eq!(change.unwrap(), up());
            let failure = poll_fn(|cx| interfaces.poll(cx)).now_or_never().unwrap();
            assert_eq!(failure.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
            assert!(poll_fn(|cx| interfaces.poll(cx)).now_or_never().is_none());
            interfaces.retry().unwrap();
        }
    }

    #[tokio::test]
    async fn one_that_works_is_kept() {
        let mut interfaces = Interfaces::with(|| Ok(stream::iter([Ok(up())]).boxed())).unwrap();
        poll_fn(|cx| interfaces.poll(cx)).await.unwrap();
        interfaces.retry().unwrap();
        // The end of the one there is, and no second change: it was not made anew.
        assert!(poll_fn(|cx| interfaces.poll(cx)).await.is_err());
    }
}
