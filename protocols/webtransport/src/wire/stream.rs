//! How streams begin (RFC 9114, 6; draft-ietf-webtrans-http3, 4).

use quinn_proto::VarInt;

use super::{read_varint, write_varint};

/// What a bidirectional stream of a WebTransport session begins with, instead of a frame's type.
pub const WEBTRANSPORT_BIDI: u64 = 0x41;

/// A unidirectional stream's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UniKind {
    /// HTTP/3's control stream.
    Control,
    /// A server push.
    Push,
    /// QPACK's encoder stream.
    QpackEncoder,
    /// QPACK's decoder stream.
    QpackDecoder,
    /// A stream of a WebTransport session; libp2p uses none.
    WebTransport,
    /// Anything else: to be refused, or read and dropped.
    Unknown(u64),
}

impl From<u64> for UniKind {
    fn from(kind: u64) -> Self {
        match kind {
            0x00 => Self::Control,
            0x01 => Self::Push,
            0x02 => Self::QpackEncoder,
            0x03 => Self::QpackDecoder,
            0x54 => Self::WebTransport,
            kind => Self::Unknown(kind),
        }
    }
}

/// How a bidirectional stream begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BidiKind {
    /// It belongs to the WebTransport session of this id; what follows is the application's.
    WebTransport {
        /// The id of the stream that the session was asked for on.
        session: u64,
    },
    /// It is an HTTP/3 request: what was read is the start of its first frame.
    Request,
}

/// How the bidirectional stream that starts with `input` begins; `None` where more bytes are needed. On a
/// WebTransport stream `input` is moved past the prefix.
pub fn read_bidi_kind(input: &mut &[u8]) -> Option<BidiKind> {
    let mut rest = *input;
    if read_varint(&mut rest)? != WEBTRANSPORT_BIDI {
        return Some(BidiKind::Request);
    }
    let session = read_varint(&mut rest)?;
    *input = rest;
    Some(BidiKind::WebTransport { session })
}

/// How many bytes the integer is long that begins with `first`.
pub fn varint_length(first: u8) -> usize {
    1 << (first >> 6)
}

/// The prefix of a bidirectional stream of `session`.
pub fn bidi_prefix(session: VarInt) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(10);
    write_varint(VarInt::from_u32(WEBTRANSPORT_BIDI as u32), &mut prefix);
    write_varint(session, &mut prefix);
    prefix
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_prefix_on_the_wire() {
        assert_eq!(bidi_prefix(VarInt::from_u32(0)), [0x40, 0x41, 0]);
        assert_eq!(bidi_prefix(VarInt::from_u32(64)), [0x40, 0x41, 0x40, 64]);
    }

    #[test]
    fn a_request_begins_with_a_frame() {
        let mut input = &[0x01, 0x05, 0xaa][..];
        assert_eq!(read_bidi_kind(&mut input), Some(BidiKind::Request));
        assert_eq!(input.len(), 3, "the frame is still to be read");
        assert_eq!(read_bidi_kind(&mut &[][..]), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(session in 0..1_u64 << 62, payload: Vec<u8>) {
            let prefix = bidi_prefix(VarInt::from_u64(session).unwrap());
            for end in 0..prefix.len() {
                prop_assert_eq!(read_bidi_kind(&mut &prefix[..end]), None);
            }
            let bytes = [&prefix[..], &payload].concat();
            let mut input = &bytes[..];
            prop_assert_eq!(read_bidi_kind(&mut input), Some(BidiKind::WebTransport { session }));
            prop_assert_eq!(input, &payload[..]);
        }
    }
}
