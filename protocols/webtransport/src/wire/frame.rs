//! HTTP/3 frames (RFC 9114, 7).

use bytes::Bytes;
use quinn_proto::VarInt;

use super::code::Http3Code;
use super::tlv::{Item, Tlv, Treatment};
use super::write_varint;

/// DATA.
pub const DATA: u64 = 0x0;
/// HEADERS.
pub const HEADERS: u64 = 0x1;
/// SETTINGS.
pub const SETTINGS: u64 = 0x4;

/// Types of HTTP/2 that no HTTP/3 peer may send (RFC 9114, 7.2.8).
const FORBIDDEN: [u64; 4] = [0x2, 0x6, 0x8, 0x9];

/// What a decoder finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A whole header block, still encoded.
    Headers(Bytes),
    /// A whole SETTINGS payload, still encoded.
    Settings(Bytes),
    /// Part of the payload of a DATA frame, never empty.
    Data(Bytes),
    /// A frame of another type, whose payload is dropped.
    Other(u64),
}

/// Why input is not a sequence of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A type that HTTP/3 forbids.
    #[error("a frame of type {0:#x}, which HTTP/3 forbids")]
    Forbidden(u64),
    /// A frame that has to be held whole and is longer than allowed.
    #[error("a frame of type {kind:#x} and {length} bytes, and at most {limit} are taken")]
    TooLong {
        /// Its type.
        kind: u64,
        /// What it claims to be long, in bytes.
        length: u64,
        /// What is allowed, in bytes.
        limit: usize,
    },
}

impl FrameError {
    /// What to close the connection with.
    pub fn code(&self) -> Http3Code {
        match self {
            Self::Forbidden(_) => Http3Code::FRAME_UNEXPECTED,
            Self::TooLong { .. } => Http3Code::EXCESSIVE_LOAD,
        }
    }
}

/// Decodes a stream of frames as its bytes come.
#[derive(Debug)]
pub struct FrameDecoder {
    tlv: Tlv,
    limit: usize,
}

impl FrameDecoder {
    /// A decoder that holds a HEADERS or SETTINGS frame of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { tlv: Tlv::default(), limit }
    }

    /// Adds input. Call [`Self::next`] until it needs more before adding the next.
    pub fn push(&mut self, bytes: &[u8]) {
        self.tlv.push(bytes);
    }

    /// Whether the input ends where a frame does.
    pub fn is_between_frames(&self) -> bool {
        self.tlv.is_between_items()
    }

    /// The next frame, or part of one; `None` where more input is needed.
    ///
    /// # Errors
    ///
    /// For a forbidden frame, and one that is too long. Nothing can be decoded after it.
    #[expect(clippy::should_implement_trait, reason = "an iterator ends; this waits for more")]
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let limit = self.limit;
        let item = self.tlv.next(|kind, length| match kind {
            HEADERS | SETTINGS if length > limit as u64 => {
                Err(FrameError::TooLong { kind, length, limit })
            }
            HEADERS | SETTINGS => Ok(Treatment::Whole),
            DATA => Ok(Treatment::Parts),
            kind if FORBIDDEN.contains(&kind) => Err(FrameError::Forbidden(kind)),
            _ => Ok(Treatment::Skip),
        })?;
        Ok(item.map(|item| match item {
            Item::Whole(HEADERS, block) => Frame::Headers(block),
            Item::Whole(_, payload) => Frame::Settings(payload),
            Item::Part(bytes) => Frame::Data(bytes),
            Item::Skipped(kind) => Frame::Other(kind),
        }))
    }
}

/// Appends a frame of type `kind` (below 64) with `payload`.
pub fn write(kind: u64, payload: &[u8], output: &mut Vec<u8>) {
    write_varint(VarInt::from_u32(kind as u32), output);
    // No slice is as long as the largest such integer.
    write_varint(VarInt::try_from(payload.len() as u64).unwrap_or(VarInt::MAX), output);
    output.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(bytes: &[u8], cuts: usize, limit: usize) -> Result<Vec<Frame>, FrameError> {
        let mut decoder = FrameDecoder::new(limit);
        let mut frames = Vec::new();
        for piece in bytes.chunks(cuts.max(1)) {
            decoder.push(piece);
            while let Some(frame) = decoder.next()? {
                match (frames.last_mut(), frame) {
                    // How DATA is cut depends on how the input was.
                    (Some(Frame::Data(before)), Frame::Data(more)) => {
                        *before = [&before[..], &more[..]].concat().into();
                    }
                    (_, frame) => frames.push(frame),
                }
            }
        }
        Ok(frames)
    }

    #[test]
    fn a_claimed_length_is_not_believed() {
        // 2^62 - 1 bytes of HEADERS, of DATA, of something unknown.
        let claim = [0xff; 8];
        let huge = |kind: u8| [&[kind], &claim[..], b"abc"].concat();
        assert!(matches!(decode(&huge(1), 99, 1024), Err(FrameError::TooLong { .. })));
        assert_eq!(decode(&huge(0), 99, 1024), Ok(vec![Frame::Data(Bytes::from("abc"))]));
        assert_eq!(decode(&huge(0x21), 99, 1024), Ok(vec![Frame::Other(0x21)]));
    }

    #[test]
    fn frames_of_http2_are_refused() {
        assert_eq!(decode(&[2, 0], 9, 9), Err(FrameError::Forbidden(2)));
    }

    #[test]
    fn an_end_within_a_frame_is_seen() {
        let mut decoder = FrameDecoder::new(9);
        assert!(decoder.is_between_frames());
        decoder.push(&[0, 2, b'a']);
        assert!(decoder.next().unwrap().is_some());
        assert!(!decoder.is_between_frames());
        decoder.push(b"b");
        assert!(decoder.next().unwrap().is_some());
        assert!(decoder.is_between_frames());
    }

    fn frame() -> impl Strategy<Value = (u64, Vec<u8>)> {
        let kind = prop_oneof![Just(DATA), Just(HEADERS), Just(SETTINGS), Just(0x21), Just(0x7)];
        (kind, prop::collection::vec(any::<u8>(), 0..40))
    }

    proptest! {
        #[test]
        fn however_it_is_cut(frames in prop::collection::vec(frame(), 0..8), cuts in 1_usize..50) {
            let mut bytes = Vec::new();
            for (kind, payload) in &frames {
                write(*kind, payload, &mut bytes);
            }
            let whole = decode(&bytes, bytes.len(), 64);
            prop_assert_eq!(decode(&bytes, cuts, 64), whole.clone());
            let headers = |frames: &[Frame]| {
                frames.iter().filter(|frame| matches!(frame, Frame::Headers(_))).count()
            };
            let sent = frames.iter().filter(|(kind, _)| *kind == HEADERS).count();
            prop_assert_eq!(headers(&whole.unwrap()), sent);
        }

        #[test]
        fn any_input_is_survived(bytes: Vec<u8>, cuts in 1_usize..50) {
            let _ = decode(&bytes, cuts, 64);
        }
    }
}
