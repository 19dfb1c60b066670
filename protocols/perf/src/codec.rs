//! The header, without I/O.

use crate::Error;

/// Length of the header, in bytes.
pub const HEADER_LEN: usize = 8;

/// The header that asks for `requested` bytes back: `requested` in big-endian order.
#[must_use]
pub const fn encode_header(requested: u64) -> [u8; HEADER_LEN] {
    requested.to_be_bytes()
}

/// What a [`HeaderDecoder`] made of the bytes it was fed.
///
/// There is no third, invalid state: every eight bytes are some header. The one way for a header to
/// be wrong is to end early, which no slice can tell; [`HeaderDecoder::finish`] does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decoded {
    /// All of the slice was taken and more is needed.
    Incomplete,
    /// The header is whole.
    Complete {
        /// How many bytes the client wants back.
        requested: u64,
        /// How many bytes at the front of the slice belonged to the header; those behind are
        /// payload.
        consumed: usize,
    },
}

/// Reassembles a header from slices cut anywhere.
#[derive(Clone, Debug, Default)]
pub struct HeaderDecoder {
    bytes: [u8; HEADER_LEN],
    filled: usize,
}

impl HeaderDecoder {
    /// A decoder that has seen nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; HEADER_LEN], filled: 0 }
    }

    /// Takes what `input` holds of the header, and no more. Once complete, it stays so and consumes
    /// nothing.
    pub fn decode(&mut self, input: &[u8]) -> Decoded {
        let missing = &mut self.bytes[self.filled..];
        let consumed = missing.len().min(input.len());
        missing[..consumed].copy_from_slice(&input[..consumed]);
        self.filled += consumed;
        if self.filled < HEADER_LEN {
            return Decoded::Incomplete;
        }
        Decoded::Complete { requested: u64::from_be_bytes(self.bytes), consumed }
    }

    /// What the header said, now that the stream has ended.
    ///
    /// # Errors
    ///
    /// [`Error::TruncatedHeader`] where fewer than [`HEADER_LEN`] bytes had arrived.
    pub const fn finish(&self) -> Result<u64, Error> {
        if self.filled < HEADER_LEN {
            return Err(Error::TruncatedHeader { received: self.filled });
        }
        Ok(u64::from_be_bytes(self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn big_endian_on_the_wire() {
        assert_eq!(encode_header(0x0102_0304_0506_0708), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(encode_header(1), [0, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn leaves_the_payload_alone() {
        let decoded = HeaderDecoder::new().decode(&[0, 0, 0, 0, 0, 0, 1, 0, 9, 9]);
        assert_eq!(decoded, Decoded::Complete { requested: 256, consumed: 8 });
    }

    #[test]
    fn an_empty_slice_changes_nothing() {
        let mut decoder = HeaderDecoder::new();
        assert_eq!(decoder.decode(&[]), Decoded::Incomplete);
        assert_eq!(
            decoder.decode(&u64::MAX.to_be_bytes()),
            Decoded::Complete { requested: u64::MAX, consumed: 8 }
        );
    }

    #[test]
    fn stays_complete() {
        let mut decoder = HeaderDecoder::new();
        decoder.decode(&encode_header(5));
        assert_eq!(decoder.decode(&[1, 2, 3]), Decoded::Complete { requested: 5, consumed: 0 });
        assert!(matches!(decoder.finish(), Ok(5)));
    }

    #[test]
    fn an_end_inside_the_header_is_an_error() {
        let mut decoder = HeaderDecoder::new();
        assert!(matches!(decoder.finish(), Err(Error::TruncatedHeader { received: 0 })));
        decoder.decode(&[0; 7]);
        assert!(matches!(decoder.finish(), Err(Error::TruncatedHeader { received: 7 })));
    }
}
