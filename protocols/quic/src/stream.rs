//! A stream of a connection, as libp2p uses it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};
use quinn::{ReadError, RecvStream, SendStream, VarInt, WriteError};

use crate::error::Error;

/// The peer ended a stream, or one direction of it, before its end: the source of the [`io::Error`] that
/// says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer reset the stream with code {code}")]
pub struct StreamReset {
    /// The application's code; libp2p's is 0.
    pub code: u64,
}

/// A bidirectional stream.
///
/// One that is dropped before it was closed, or read to its end, is reset with code 0: what a peer has
/// read of it is never taken for all of it.
#[derive(Debug)]
pub struct Stream {
    send: SendStream,
    recv: RecvStream,
    is_closed: bool,
    is_read: bool,
}

impl Stream {
    pub(crate) fn new((send, recv): (SendStream, RecvStream)) -> Self {
        Self { send, recv, is_closed: false, is_read: false }
    }

    /// Ends both directions with `code`, which the peer is told.
    pub fn reset(mut self, code: u32) {
        self.abort(code.into());
    }

    /// An error means that the direction has ended already.
    fn abort(&mut self, code: VarInt) {
        if !self.is_closed {
            let _ = self.send.reset(code);
        }
        if !self.is_read {
            let _ = self.recv.stop(code);
        }
        (self.is_closed, self.is_read) = (true, true);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.abort(VarInt::from_u32(0));
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_read || buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let read = ready!(self.recv.poll_read(cx, buffer)).map_err(read_error)?;
        self.is_read = read == 0;
        Poll::Ready(Ok(read))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.send).poll_write(cx, bytes).map_err(write_error)
    }

    /// What is written is sent.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_closed {
            self.send.finish().map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
            self.is_closed = true;
        }
        Poll::Ready(Ok(()))
    }
}

fn read_error(error: ReadError) -> io::Error {
    match error {
        ReadError::Reset(code) => reset(io::ErrorKind::ConnectionReset, code),
        ReadError::ConnectionLost(error) => lost(error),
        error => io::Error::new(io::ErrorKind::NotConnected, error),
    }
}

fn write_error(error: WriteError) -> io::Error {
    match error {
        WriteError::Stopped(code) => reset(io::ErrorKind::BrokenPipe, code),
        WriteError::ConnectionLost(error) => lost(error),
        error => io::Error::new(io::ErrorKind::NotConnected, error),
    }
}

fn reset(kind: io::ErrorKind, code: VarInt) -> io::Error {
    io::Error::new(kind, StreamReset { code: code.into_inner() })
}

/// The connection ended: never taken for the stream's end, however clean it was.
fn lost(error: quinn::ConnectionError) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, Error::from(error))
}
