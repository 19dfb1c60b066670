//! What HTTP/3 and WebTransport put into one integer: it is read with the length that its first byte says or not at
//! all, and written again in no more bytes; the kind of a unidirectional stream and an application's code have one
//! integer each.

#![no_main]

use libfuzzer_sys::fuzz_target;
use libp2p_webtransport_native::wire::code::{application_code, stream_code};
use libp2p_webtransport_native::wire::stream::{UniKind, varint_length};
use libp2p_webtransport_native::wire::{read_varint, write_varint};
use quinn_proto::VarInt;

const KNOWN_KINDS: [u64; 5] = [0x00, 0x01, 0x02, 0x03, 0x54];

fuzz_target!(|input: (u32, &[u8])| {
    let (code, bytes) = input;
    assert_eq!(application_code(stream_code(code)), Some(code));
    let mut rest = bytes;
    let Some(value) = read_varint(&mut rest) else {
        assert_eq!(rest, bytes);
        assert!(bytes.first().is_none_or(|first| bytes.len() < varint_length(*first)));
        return;
    };
    assert_eq!(bytes.len() - rest.len(), varint_length(bytes[0]));
    let integer = VarInt::from_u64(value).expect("read as one");
    let mut written = Vec::new();
    write_varint(integer, &mut written);
    assert!(written.len() <= varint_length(bytes[0]));
    assert_eq!(read_varint(&mut &written[..]), Some(value));
    assert_eq!(UniKind::from(value) == UniKind::Unknown(value), !KNOWN_KINDS.contains(&value));
    if let Some(code) = application_code(integer) {
        assert_eq!(stream_code(code), integer);
    }
});
