//! A served stream of /perf/1.0.0 that keeps to its listener's limits.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};
use perf_protocol::{Decoded, HeaderDecoder};

use super::paced::{Paced, Waits};

/// A stream as its server reads it: the header that asks for too much, and the byte that
/// is one too many, are errors (`PermissionDenied`); what passes keeps to the rate.
#[derive(Debug)]
pub struct Limited<S> {
    stream: Paced<S>,
    header: HeaderDecoder,
    /// Payload so far.
    uploaded: u64,
}

impl<S> Limited<S> {
    pub(super) fn new(stream: Paced<S>) -> Self {
        Self { stream, header: HeaderDecoder::new(), uploaded: 0 }
    }

    /// Tells its waits from those for its peer.
    pub fn waits(&self) -> Waits {
        self.stream.waits()
    }

    /// Holds what was read against the limits.
    fn check(&mut self, read: &[u8]) -> io::Result<()> {
        let known = self.header.finish().is_ok();
        if let Decoded::Complete { requested, consumed } = self.header.decode(read) {
            self.uploaded += (read.len() - consumed) as u64;
            let gate = self.stream.gate();
            let checked = if known { Ok(()) } else { gate.check_asked(requested) };
            checked
                .and_then(|()| gate.check_uploaded(self.uploaded))
                .map_err(|refused| io::Error::new(io::ErrorKind::PermissionDenied, refused))?;
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Limited<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let read = ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        this.check(&buffer[..read])?;
        Poll::Ready(Ok(read))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Limited<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::io::Cursor;
    use perf_protocol::{Error, ReadBuffer, encode_header, serve};
    use tokio::time::Instant;

    use crate::limits::Limits;

    /// What a server does of a client that asks for `asked` and uploads `uploads`, under `limits`.
    async fn served(limits: Limits, asked: u64, uploads: usize) -> Result<(u64, u64), Error> {
        let mut wire = Cursor::new(Vec::from(encode_header(asked)));
        wire.get_mut().resize(8 + uploads, 7);
        let gate = limits.gate();
        let served = serve(gate.limit(&mut wire), &(), &mut ReadBuffer::new()).await?;
        Ok((served.received, served.sent))
    }

    #[tokio::test]
    async fn what_is_too_much_by_one_byte_is_refused() {
        let limits = Limits { bytes: Some(1000), ..Limits::default() };
        assert_eq!(served(limits.clone(), 1000, 1000).await.ok(), Some((1000, 1000)));
        for (asked, uploads, expected) in
            [(1001, 0, "asks for 1001"), (0, 1001, "uploads more than --max-bytes, which is 1000")]
        {
            let error = served(limits.clone(), asked, uploads).await.unwrap_err();
            let told = harness_sdk::chain(&error);
            assert!(told.contains(expected), "{told}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn both_directions_keep_to_the_rate() {
        let limits = Limits { rate: Some(1_000_000), ..Limits::default() };
        let begun = Instant::now();
        served(limits, 1_000_000, 2_000_000).await.unwrap();
        let lasted = begun.elapsed();
        assert!((2.9..3.1).contains(&lasted.as_secs_f64()), "{lasted:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_nothing_waits() {
        let limits = Limits { bytes: Some(1 << 30), ..Limits::default() };
        let begun = Instant::now();
        served(limits, 10_000_000, 10_000_000).await.unwrap();
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
