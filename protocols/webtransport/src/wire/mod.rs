//! HTTP/3 and WebTransport on the wire, without I/O.
//!
//! Decoders take bytes as they come. Input that is incomplete (`Ok(None)`) and input that is invalid
//! (`Err`) are different values, and none of them buffers more than the limit it was given.
//!
//! Sources: RFC 9000 (16, variable-length integers), RFC 9114 (HTTP/3), RFC 9204 (QPACK), RFC 9220
//! (extended CONNECT), RFC 9297 (capsules), draft-ietf-webtrans-http3 (02 and later).

pub mod capsule;
pub mod code;
pub mod frame;
pub mod headers;
pub mod settings;
pub mod stream;
mod tlv;

use quinn_proto::VarInt;
use quinn_proto::coding::Codec;

/// Reads a variable-length integer from the front of `input`; `None` where more bytes are needed.
pub fn read_varint(input: &mut &[u8]) -> Option<u64> {
    let mut rest = *input;
    let value = VarInt::decode(&mut rest).ok()?;
    *input = rest;
    Some(value.into_inner())
}

/// Appends `value`, in as few bytes as it needs.
pub fn write_varint(value: VarInt, output: &mut Vec<u8>) {
    value.encode(output);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The examples of RFC 9000, A.1.
    #[test]
    fn the_examples_of_the_rfc() {
        let cases: [(&[u8], u64); 4] = [
            (&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c], 151_288_809_941_952_652),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
        ];
        for (bytes, value) in cases {
            let mut input = bytes;
            assert_eq!(read_varint(&mut input), Some(value));
            assert!(input.is_empty());
            for end in 0..bytes.len() {
                let mut input = &bytes[..end];
                assert_eq!(read_varint(&mut input), None);
                assert_eq!(input.len(), end, "nothing is taken from incomplete input");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in 0..1_u64 << 62, rest: Vec<u8>) {
            let mut bytes = Vec::new();
            write_varint(VarInt::from_u64(value).unwrap(), &mut bytes);
            bytes.extend(&rest);
            let mut input = &bytes[..];
            prop_assert_eq!(read_varint(&mut input), Some(value));
            prop_assert_eq!(input, &rest[..]);
        }
    }
}
