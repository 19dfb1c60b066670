//! A QUIC stream as perf-protocol uses it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{AsyncRead, AsyncWrite};
use quinn::{RecvStream, SendStream, VarInt};
use tokio::io::{AsyncWrite as _, ReadBuf};

/// How a stream ends that was given up.
const GIVEN_UP: VarInt = VarInt::from_u32(1);

/// Both directions of a stream. One that is dropped before it was closed is reset: quinn would end it as if
/// all had been written.
#[derive(Debug)]
pub(super) struct QuicStream {
    send: SendStream,
    recv: RecvStream,
    is_closed: bool,
}

impl QuicStream {
    pub(super) fn new(send: SendStream, recv: RecvStream) -> Self {
        Self { send, recv, is_closed: false }
    }
}

impl AsyncRead for QuicStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(bytes);
        let polled = tokio::io::AsyncRead::poll_read(Pin::new(&mut self.recv), cx, &mut buffer);
        polled.map_ok(|()| buffer.filled().len())
    }
}

impl AsyncWrite for QuicStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        tokio::io::AsyncWrite::poll_write(Pin::new(&mut self.send), cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What is written is sent.
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_closed = true;
        Pin::new(&mut self.send).poll_shutdown(cx)
    }
}

impl Drop for QuicStream {
    fn drop(&mut self) {
        if !self.is_closed {
            // An error means that it has ended already.
            let _ = self.send.reset(GIVEN_UP);
        }
    }
}
