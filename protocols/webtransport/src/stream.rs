//! A stream of a session, as libp2p uses it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};
use quinn::{ReadError, RecvStream, SendStream, VarInt, WriteError};

use crate::error::Error;
use crate::wire::code::{Http3Code, application_code, stream_code};

/// The peer ended a stream, or one direction of it, before its end: the source of the [`io::Error`] that
/// says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer reset the stream{}", .code.map(|code| format!(" with code {code}")).unwrap_or_default())]
pub struct StreamReset {
    /// The application's code; `None` where the peer gave one of HTTP/3 or QUIC.
    pub code: Option<u32>,
}

/// A bidirectional stream of a session.
///
/// One that is dropped before it was closed, or read to its end, is reset with code 0.
#[derive(Debug)]
pub struct Stream {
    send: SendStream,
    recv: RecvStream,
    /// What is left to write of the prefix that says which session the stream belongs to. It goes out
    /// with the first bytes: a stream on which nothing was written does not exist for the peer.
    prefix: Vec<u8>,
    is_closed: bool,
    is_read: bool,
}

impl Stream {
    /// A stream that the peer opened, whose prefix has been read.
    pub(crate) fn inbound(send: SendStream, recv: RecvStream) -> Self {
        Self::outbound(send, recv, Vec::new())
    }

    /// A stream that is ours.
    pub(crate) fn outbound(send: SendStream, recv: RecvStream, prefix: Vec<u8>) -> Self {
        Self { send, recv, prefix, is_closed: false, is_read: false }
    }

    /// Ends both directions with `code`, which the peer is told.
    pub fn reset(mut self, code: u32) {
        self.abort(stream_code(code));
    }

    /// Refuses the stream for a reason of the session's, not the application's.
    pub(crate) fn refuse(mut self, code: Http3Code) {
        self.abort(code.into());
    }

    /// Asks the peer to send no more; what was written still goes out.
    pub(crate) fn stop(&mut self, code: Http3Code) {
        if !self.is_read {
            // An error means that it has ended already.
            let _ = self.recv.stop(code.into());
            self.is_read = true;
        }
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

    /// Its place in the order in which its side opened streams.
    pub(crate) fn index(&self) -> u64 {
        self.recv.id().index()
    }

    /// The reading half, for what is read of a stream before, or instead of, what the application reads.
    pub(crate) fn recv(&mut self) -> &mut RecvStream {
        &mut self.recv
    }

    fn poll_prefix(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.prefix.is_empty() {
            let send = Pin::new(&mut self.send);
            let written = ready!(send.poll_write(cx, &self.prefix)).map_err(write_error)?;
            self.prefix.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.abort(stream_code(0));
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
        ready!(self.poll_prefix(cx))?;
        Pin::new(&mut self.send).poll_write(cx, bytes).map_err(write_error)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What is written is sent: only the prefix is ever held back.
        self.poll_prefix(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_closed {
            ready!(self.poll_prefix(cx))?;
            self.send.finish().map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
            self.is_closed = true;
        }
        Poll::Ready(Ok(()))
    }
}

pub(crate) fn read_error(error: ReadError) -> io::Error {
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
    io::Error::new(kind, StreamReset { code: application_code(code) })
}

/// The connection ended: never taken for the stream's end, however clean it was.
fn lost(error: quinn::ConnectionError) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, Error::from(error))
}
