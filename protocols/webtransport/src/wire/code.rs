//! Error codes, of HTTP/3 (RFC 9114, 8.1) and of WebTransport in HTTP/3's.

use quinn_proto::VarInt;

/// An error code of HTTP/3, or of one of its extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Http3Code(u32);

impl Http3Code {
    /// H3_NO_ERROR.
    pub const NO_ERROR: Self = Self(0x100);
    /// H3_GENERAL_PROTOCOL_ERROR.
    pub const GENERAL_PROTOCOL_ERROR: Self = Self(0x101);
    /// H3_STREAM_CREATION_ERROR.
    pub const STREAM_CREATION_ERROR: Self = Self(0x103);
    /// H3_CLOSED_CRITICAL_STREAM.
    pub const CLOSED_CRITICAL_STREAM: Self = Self(0x104);
    /// H3_FRAME_UNEXPECTED.
    pub const FRAME_UNEXPECTED: Self = Self(0x105);
    /// H3_FRAME_ERROR.
    pub const FRAME_ERROR: Self = Self(0x106);
    /// H3_EXCESSIVE_LOAD.
    pub const EXCESSIVE_LOAD: Self = Self(0x107);
    /// H3_SETTINGS_ERROR.
    pub const SETTINGS_ERROR: Self = Self(0x109);
    /// H3_MISSING_SETTINGS.
    pub const MISSING_SETTINGS: Self = Self(0x10a);
    /// H3_REQUEST_REJECTED.
    pub const REQUEST_REJECTED: Self = Self(0x10b);
    /// H3_REQUEST_CANCELLED.
    pub const REQUEST_CANCELLED: Self = Self(0x10c);
    /// H3_REQUEST_INCOMPLETE.
    pub const REQUEST_INCOMPLETE: Self = Self(0x10d);
    /// H3_MESSAGE_ERROR.
    pub const MESSAGE_ERROR: Self = Self(0x10e);
    /// QPACK_DECOMPRESSION_FAILED.
    pub const QPACK_DECOMPRESSION_FAILED: Self = Self(0x200);
    /// WEBTRANSPORT_SESSION_GONE.
    pub const SESSION_GONE: Self = Self(0x170d_7b68);
    /// WEBTRANSPORT_BUFFERED_STREAM_REJECTED.
    pub const BUFFERED_STREAM_REJECTED: Self = Self(0x3994_bd84);
}

impl From<Http3Code> for VarInt {
    fn from(code: Http3Code) -> Self {
        Self::from_u32(code.0)
    }
}

/// The HTTP/3 code that stands for WebTransport's code 0.
const FIRST: u64 = 0x52e4_a40f_a8db;
/// The HTTP/3 code that stands for WebTransport's highest code.
const LAST: u64 = 0x52e5_ac98_3162;

/// The code on the wire for a stream that is reset with `code` (draft-ietf-webtrans-http3, 4.4): every
/// 31st value is left out, for HTTP/3 reserves those.
pub fn stream_code(code: u32) -> VarInt {
    let code = u64::from(code);
    // At most LAST, which is far below 2^62.
    VarInt::from_u64(FIRST + code + code / 0x1e).unwrap_or(VarInt::MAX)
}

/// The application's code that `wire` stands for; `None` where it is not one of those.
pub fn application_code(wire: VarInt) -> Option<u32> {
    let wire = wire.into_inner();
    if !(FIRST..=LAST).contains(&wire) || (wire - 0x21).is_multiple_of(0x1f) {
        return None;
    }
    let shifted = wire - FIRST;
    u32::try_from(shifted - shifted / 0x1f).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ends_of_the_range() {
        assert_eq!(stream_code(0).into_inner(), FIRST);
        assert_eq!(stream_code(u32::MAX).into_inner(), LAST);
        for outside in [FIRST - 1, LAST + 1, 0, 0x100] {
            assert_eq!(application_code(VarInt::from_u64(outside).unwrap()), None);
        }
    }

    #[test]
    fn reserved_codes_are_left_out() {
        assert_eq!(
            (stream_code(0x1d).into_inner(), stream_code(0x1e).into_inner()),
            (FIRST + 0x1d, FIRST + 0x1f)
        );
        assert_eq!(application_code(VarInt::from_u64(FIRST + 0x1e).unwrap()), None);
    }

    proptest! {
        #[test]
        fn there_and_back(code: u32) {
            prop_assert_eq!(application_code(stream_code(code)), Some(code));
        }
    }
}
