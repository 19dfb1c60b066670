//! A connection as rust-libp2p uses it: a muxer.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use libp2p_core::StreamMuxer;
use libp2p_core::muxing::StreamMuxerEvent;
use quinn::{ConnectionError, RecvStream, SendStream, VarInt};

use crate::error::Error;
use crate::stream::Stream;

/// libp2p's code for an end without an error.
const NO_ERROR: VarInt = VarInt::from_u32(0);

type Beginning = BoxFuture<'static, Result<(SendStream, RecvStream), ConnectionError>>;

/// An authenticated connection.
///
/// Dropping it closes it, its streams included.
pub struct Connection {
    quic: quinn::Connection,
    accepting: Option<Beginning>,
    opening: Option<Beginning>,
}

impl Connection {
    pub(crate) fn new(quic: quinn::Connection) -> Self {
        Self { quic, accepting: None, opening: None }
    }
}

fn poll_stream(
    slot: &mut Option<Beginning>,
    begin: impl FnOnce() -> Beginning,
    cx: &mut Context<'_>,
) -> Poll<Result<Stream, Error>> {
    let mut beginning = slot.take().unwrap_or_else(begin);
    match beginning.poll_unpin(cx) {
        Poll::Ready(halves) => Poll::Ready(Ok(Stream::new(halves?))),
        Poll::Pending => {
            *slot = Some(beginning);
            Poll::Pending
        }
    }
}

impl StreamMuxer for Connection {
    type Substream = Stream;
    type Error = Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, Error>> {
        let Self { quic, accepting, .. } = &mut *self;
        let accept = || {
            let quic = quic.clone();
            async move { quic.accept_bi().await }.boxed()
        };
        poll_stream(accepting, accept, cx)
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Stream, Error>> {
        let Self { quic, opening, .. } = &mut *self;
        let open = || {
            let quic = quic.clone();
            async move { quic.open_bi().await }.boxed()
        };
        poll_stream(opening, open, cx)
    }

    /// Streams end with the connection, whatever was written to them.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.quic.close(NO_ERROR, b"");
        Poll::Ready(Ok(()))
    }

    /// Addresses don't change: migration is off.
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, Error>> {
        Poll::Pending
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.quic.close(NO_ERROR, b"");
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("quic", &self.quic).finish_non_exhaustive()
    }
}
