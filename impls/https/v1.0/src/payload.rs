//! A body of a known length, made of one block over and over.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};

use bytes::Bytes;
use harness_sdk::Meter;
use hyper::body::{Body, Frame, SizeHint};

/// What is given to HTTP at a time: four TLS records.
const FRAME: usize = 64 * 1024;

/// Pseudo-random, so that nothing on the way can compress it; 256 KiB, beyond the windows of
/// deflate and LZ4.
static BLOCK: LazyLock<Bytes> = LazyLock::new(|| {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        // xorshift64 (Marsaglia, 2003)
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).take(256 * 1024 / 8).flatten().collect()
});

/// Exactly as many bytes as it was made for; nothing is copied.
#[derive(Debug)]
pub(crate) struct Payload {
    left: u64,
    /// Where in the block it stands.
    at: usize,
    meter: Option<Meter>,
}

impl Payload {
    /// A body of `length` bytes, which tells `meter` what it has handed on.
    pub(crate) fn new(length: u64, meter: Option<Meter>) -> Self {
        Self { left: length, at: 0, meter }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let size = FRAME.min(usize::try_from(self.left).unwrap_or(FRAME));
        let frame = BLOCK.slice(self.at..self.at + size);
        self.left -= size as u64;
        self.at = (self.at + FRAME) % BLOCK.len();
        if let Some(meter) = &self.meter {
            meter.sent(size as u64);
        }
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn it_is_as_long_as_it_says() {
        for length in [0, 1, 65_535, 65_536, 65_537, 1_000_001] {
            let meter = Meter::start();
            let payload = Payload::new(length, Some(meter.clone()));
            assert_eq!(payload.size_hint().exact(), Some(length));
            let sent = payload.collect().await.unwrap().to_bytes();
            assert_eq!((sent.len() as u64, meter.bytes_sent()), (length, length));
        }
    }
}
