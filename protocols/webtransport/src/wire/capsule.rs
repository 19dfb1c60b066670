//! Capsules on the session's own stream (RFC 9297, 3.2; draft-ietf-webtrans-http3, 6).

use quinn_proto::VarInt;

use super::tlv::{Item, Tlv, Treatment};
use super::write_varint;

/// CLOSE_WEBTRANSPORT_SESSION.
pub const CLOSE: u64 = 0x2843;

/// What the text of a CLOSE may be long, in bytes.
pub const MAX_REASON: usize = 1024;

/// A capsule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capsule {
    /// The session ends.
    Close {
        /// The application's code.
        code: u32,
        /// A text for people; what was not UTF-8 is replaced.
        reason: String,
    },
    /// A capsule of another type, whose value is dropped: unknown ones are to be ignored.
    Other(u64),
}

/// Why input is not a sequence of capsules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CapsuleError {
    /// A capsule that claims to be longer than allowed.
    #[error("a capsule of type {kind:#x} and {length} bytes, and at most {limit} are taken")]
    TooLong {
        /// Its type.
        kind: u64,
        /// What it claims to be long, in bytes.
        length: u64,
        /// What is allowed, in bytes.
        limit: usize,
    },
    /// A CLOSE that is too short for its code.
    #[error("a CLOSE_WEBTRANSPORT_SESSION capsule of {0} bytes has no code")]
    NoCode(usize),
}

/// Decodes a stream of capsules as its bytes come.
#[derive(Debug)]
pub struct CapsuleDecoder {
    tlv: Tlv,
    limit: usize,
}

impl CapsuleDecoder {
    /// A decoder that takes capsules of at most `limit` bytes. Only a CLOSE, of at most
    /// [`MAX_REASON`] and 4 bytes, is ever held.
    pub fn new(limit: usize) -> Self {
        Self { tlv: Tlv::default(), limit }
    }

    /// Adds input. Call [`Self::next`] until it needs more before adding the next.
    pub fn push(&mut self, bytes: &[u8]) {
        self.tlv.push(bytes);
    }

    /// Whether the input ends where a capsule does.
    pub fn is_between_capsules(&self) -> bool {
        self.tlv.is_between_items()
    }

    /// The next capsule; `None` where more input is needed.
    ///
    /// # Errors
    ///
    /// For a capsule that is too long or too short. Nothing can be decoded after it.
    #[expect(clippy::should_implement_trait, reason = "an iterator ends; this waits for more")]
    pub fn next(&mut self) -> Result<Option<Capsule>, CapsuleError> {
        let item = self.tlv.next(|kind, length| {
            let (limit, treatment) = match kind {
                CLOSE => (MAX_REASON + 4, Treatment::Whole),
                _ => (self.limit, Treatment::Skip),
            };
            if length > limit as u64 {
                return Err(CapsuleError::TooLong { kind, length, limit });
            }
            Ok(treatment)
        })?;
        match item {
            Some(Item::Whole(_, value)) => {
                let code = value.first_chunk().ok_or(CapsuleError::NoCode(value.len()))?;
                Ok(Some(Capsule::Close {
                    code: u32::from_be_bytes(*code),
                    reason: String::from_utf8_lossy(&value[4..]).into_owned(),
                }))
            }
            Some(Item::Skipped(kind)) => Ok(Some(Capsule::Other(kind))),
            // None is treated as parts.
            Some(Item::Part(_)) | None => Ok(None),
        }
    }
}

/// Appends a CLOSE with `code` and as much of `reason` as is allowed.
pub fn write_close(code: u32, reason: &str, output: &mut Vec<u8>) {
    let reason = &reason[..reason.floor_char_boundary(MAX_REASON)];
    write_varint(VarInt::from_u32(CLOSE as u32), output);
    write_varint(VarInt::from_u32(4 + reason.len() as u32), output);
    output.extend_from_slice(&code.to_be_bytes());
    output.extend_from_slice(reason.as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(bytes: &[u8], cuts: usize) -> Result<Vec<Capsule>, CapsuleError> {
        let mut decoder = CapsuleDecoder::new(64);
        let mut capsules = Vec::new();
        for piece in bytes.chunks(cuts.max(1)) {
            decoder.push(piece);
            while let Some(capsule) = decoder.next()? {
                capsules.push(capsule);
            }
        }
        Ok(capsules)
    }

    #[test]
    fn a_close_on_the_wire() {
        let mut bytes = Vec::new();
        write_close(1, "bye", &mut bytes);
        assert_eq!(bytes, [0x68, 0x43, 7, 0, 0, 0, 1, b'b', b'y', b'e']);
    }

    #[test]
    fn a_claimed_length_is_not_believed() {
        let huge = [&[0x21][..], &[0xff; 8], b"abc"].concat();
        assert!(matches!(decode(&huge, 99), Err(CapsuleError::TooLong { kind: 0x21, .. })));
        let huge = [&[0x68, 0x43][..], &[0xff; 8]].concat();
        assert!(matches!(decode(&huge, 99), Err(CapsuleError::TooLong { kind: CLOSE, .. })));
        assert_eq!(decode(&[0x68, 0x43, 3, 0, 0, 0], 99), Err(CapsuleError::NoCode(3)));
    }

    #[test]
    fn an_end_within_a_capsule_is_seen() {
        // One that is held, and one that is skipped.
        for kind in [&[0x68, 0x43][..], &[0x21]] {
            let mut decoder = CapsuleDecoder::new(64);
            assert!(decoder.is_between_capsules());
            decoder.push(&[kind, &[5, 0, 0]].concat());
            decoder.next().unwrap();
            assert!(!decoder.is_between_capsules());
            decoder.push(&[0, 7, b'a']);
            while decoder.next().unwrap().is_some() {}
            assert!(decoder.is_between_capsules());
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let mut bytes = Vec::new();
        write_close(7, &"ä".repeat(600).replacen('ä', "a", 1), &mut bytes);
        let capsules = decode(&bytes, 5).unwrap();
        let [Capsule::Close { code: 7, reason }] = &capsules[..] else { panic!("{capsules:?}") };
        assert_eq!(reason.len(), 1023);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(code: u32, reason in ".{0,100}", cuts in 1_usize..50) {
            // One to be skipped stands before.
            let mut bytes = vec![0x21, 3, 1, 2, 3];
            write_close(code, &reason, &mut bytes);
            let expected = vec![Capsule::Other(0x21), Capsule::Close { code, reason }];
            prop_assert_eq!(decode(&bytes, cuts), Ok(expected));
        }

        #[test]
        fn any_input_is_survived(bytes: Vec<u8>, cuts in 1_usize..50) {
            let _ = decode(&bytes, cuts);
        }
    }
}
