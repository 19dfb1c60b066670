//! A stream for unit tests that care which calls are made, and in what order.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Call {
    Write(usize),
    Read,
    Flush,
    Close,
}

/// A stream that keeps a list of the calls made to it, and can be told what its peer does.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) calls: Vec<Call>,
    pub(crate) wire: Vec<u8>,
    /// What the peer has sent; after it comes the end.
    pub(crate) request: Option<Vec<u8>>,
    /// Whether our side has been closed; the peer then ends its own.
    pub(crate) closed: bool,
    /// After how many writes none is taken any more.
    pub(crate) takes: Option<usize>,
    /// Whether those then fail, as in a reset, or just wait.
    pub(crate) reset: bool,
}

impl Recorder {
    fn writes(&self) -> usize {
        self.calls.iter().filter(|call| matches!(call, Call::Write(_))).count()
    }
}

impl AsyncRead for Recorder {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.calls.push(Call::Read);
        if let Some(request) = &mut this.request {
            let len = request.len().min(buffer.len());
            buffer[..len].copy_from_slice(&request[..len]);
            request.drain(..len);
            return Poll::Ready(Ok(len));
        }
        let ended = this.closed || this.takes.is_some_and(|takes| this.writes() > takes);
        if ended { Poll::Ready(Ok(0)) } else { Poll::Pending }
    }
}

impl AsyncWrite for Recorder {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let already = this.writes();
        this.calls.push(Call::Write(bytes.len()));
        if this.takes.is_none_or(|takes| already < takes) {
            this.wire.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        // Like rust-yamux: once reset, a write that waited fails, while a read says "end".
        if this.reset && this.takes.is_some_and(|takes| already > takes) {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().calls.push(Call::Flush);
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.calls.push(Call::Close);
        this.closed = true;
        Poll::Ready(Ok(()))
    }
}
