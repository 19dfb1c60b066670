//! The start of a handshake on a port that quic-v1 and HTTP/3 share: however it is cut, the same comes of it. It is
//! waited for only as long as a ClientHello of at most 16 KiB is not whole, and nothing is chosen but what is there.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use libp2p_identity::Keypair;
use libp2p_quic_shared::fuzzing::{Handshake, Port};

static PORT: LazyLock<Port> =
    LazyLock::new(|| Port::new(&Keypair::generate_ed25519()).expect("a key that signs"));

const CLIENT_HELLO: u8 = 1;
const LONGEST: usize = 16 << 10;

fuzz_target!(|input: (u8, &[u8])| {
    let (cut, bytes) = input;
    let end = match bytes {
        [_, a, b, c, ..] => 4 + u32::from_be_bytes([0, *a, *b, *c]) as usize,
        _ => usize::MAX,
    };
    // What follows the hello is TLS's own, and no concern of whoever waits for that.
    let hello = bytes.get(..end).unwrap_or(bytes);
    let whole = PORT.handshake([hello]);
    assert_eq!(PORT.handshake(hello.chunks(usize::from(cut) + 1)), whole);
    if hello.first() == Some(&CLIENT_HELLO) {
        let incomplete = hello.len() < end && (end <= LONGEST || end == usize::MAX);
        assert_eq!(whole == Handshake::Waiting, incomplete, "{whole:?}");
    }
    if let Handshake::Answered(Some(protocol)) = whole {
        assert!([&b"libp2p"[..], b"h3"].contains(&protocol.as_slice()));
    }
});
