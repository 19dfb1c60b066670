//! A payload of a given length, handed out piece by piece.

use crate::block::{BLOCK_LEN, WRITE_LEN, block};

/// Payload still to be sent: a place in the [`block`], and a count.
///
/// Byte `i` of every payload is `block()[i % BLOCK_LEN]`, however it is cut. Nothing is copied or
/// allocated.
#[derive(Clone, Debug)]
pub struct Payload {
    block: &'static [u8],
    start: usize,
    sent: u64,
    left: u64,
}

impl Payload {
    /// A payload of `len` bytes, from its beginning.
    #[must_use]
    pub fn new(len: u64) -> Self {
        Self { block: block(), start: 0, sent: 0, left: len }
    }

    /// The bytes to offer to the next write: [`WRITE_LEN`] of them, or all that are left. Empty at
    /// the end only.
    #[must_use]
    pub fn chunk(&self) -> &'static [u8] {
        let len = usize::try_from(self.left).map_or(WRITE_LEN, |left| left.min(WRITE_LEN));
        &self.block[self.start..self.start + len]
    }

    /// Records that the first `written` bytes of [`Self::chunk`] have been written.
    pub fn advance(&mut self, written: usize) {
        debug_assert!(
            written <= self.chunk().len(),
            "wrote {written} bytes, of {}",
            self.chunk().len()
        );
        self.start = (self.start + written) % BLOCK_LEN;
        self.sent += written as u64;
        self.left = self.left.saturating_sub(written as u64);
    }

    /// How many bytes have been written.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether all has been written.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_whole_writes_up_to_the_last() {
        let mut payload = Payload::new(WRITE_LEN as u64 + 3);
        assert_eq!(payload.chunk().len(), WRITE_LEN);
        payload.advance(WRITE_LEN);
        assert_eq!(payload.chunk().len(), 3);
        payload.advance(3);
        assert!(payload.chunk().is_empty() && payload.is_done());
        assert_eq!(payload.sent(), WRITE_LEN as u64 + 3);
    }

    #[test]
    fn goes_round_the_block_without_a_short_write() {
        let mut payload = Payload::new(u64::MAX);
        let mut at = 0;
        while at < 2 * BLOCK_LEN {
            assert_eq!(payload.chunk().len(), WRITE_LEN);
            assert_eq!(payload.chunk()[0], block()[at % BLOCK_LEN]);
            payload.advance(WRITE_LEN - 11);
            at += WRITE_LEN - 11;
        }
    }

    #[test]
    fn an_empty_payload_is_done() {
        assert!(Payload::new(0).is_done());
        assert!(Payload::new(0).chunk().is_empty());
    }
}
