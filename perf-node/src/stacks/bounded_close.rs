//! A muxer whose closing ends.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use libp2p::PeerId;
use libp2p::core::ConnectedPoint;
use libp2p::core::muxing::{StreamMuxer, StreamMuxerBox, StreamMuxerEvent};
use tokio::time::{Sleep, sleep};

/// For a peer to read what stands before the end of the connection.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// Stands around a muxer, whose streams are its own. yamux and mplex write before they close, and
/// libp2p-swarm waits for that without limit: a peer that does not read would keep a connection which was
/// closed, with its socket.
pub(super) struct BoundedClose<M> {
    muxer: M,
    patience: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Error<E> {
    #[error(transparent)]
    Muxer(E),
    #[error("the peer did not read for {} s what closing had to write", CLOSE_PATIENCE.as_secs())]
    Unread,
}

impl<M> BoundedClose<M>
where
    M: StreamMuxer + Send + Unpin + 'static,
    M::Substream: Send + 'static,
    M::Error: Send + Sync + 'static,
{
    /// For [`map`](libp2p::Transport::map), as the last step before a transport is boxed.
    pub(super) fn boxed((peer, muxer): (PeerId, M), _: ConnectedPoint) -> (PeerId, StreamMuxerBox) {
        (peer, StreamMuxerBox::new(Self { muxer, patience: None }))
    }
}

impl<M: StreamMuxer + Unpin> BoundedClose<M> {
    fn muxer(self: Pin<&mut Self>) -> Pin<&mut M> {
        Pin::new(&mut self.get_mut().muxer)
    }
}

impl<M: StreamMuxer + Unpin> StreamMuxer for BoundedClose<M>
where
    M::Error: 'static,
{
    type Substream = M::Substream;
    type Error = Error<M::Error>;

    fn poll_inbound(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        self.muxer().poll_inbound(cx).map_err(Error::Muxer)
    }

    fn poll_outbound(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        self.muxer().poll_outbound(cx).map_err(Error::Muxer)
    }

    fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        self.muxer().poll(cx).map_err(Error::Muxer)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if let Poll::Ready(closed) = self.as_mut().muxer().poll_close(cx) {
            return Poll::Ready(closed.map_err(Error::Muxer));
        }
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(CLOSE_PATIENCE)));
        ready!(patience.as_mut().poll(cx));
        Poll::Ready(Err(Error::Unread))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::io::Cursor;
    use libp2p::core::muxing::StreamMuxerExt;
    use tokio::time::Instant;

    use super::*;

    /// As one whose socket takes no more.
    struct Stuck;

    impl StreamMuxer for Stuck {
        type Substream = Cursor<Vec<u8>>;
        type Error = Infallible;

        fn poll_inbound(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Result<Self::Substream, Infallible>> {
            Poll::Pending
        }

        fn poll_outbound(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Result<Self::Substream, Infallible>> {
            Poll::Pending
        }

        fn poll(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Result<StreamMuxerEvent, Infallible>> {
            Poll::Pending
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_muxer_that_does_not_close_is_let_go() {
        let begun = Instant::now();
        let closed = BoundedClose { muxer: Stuck, patience: None }.close().await;
        assert!(matches!(closed, Err(Error::Unread)), "{closed:?}");
        assert_eq!(begun.elapsed(), CLOSE_PATIENCE);
    }
}
