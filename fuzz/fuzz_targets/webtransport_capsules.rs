//! WebTransport's capsules: however input is cut, the same come out.

#![no_main]

use libfuzzer_sys::fuzz_target;
use libp2p_webtransport_native::wire::capsule::{Capsule, CapsuleDecoder, CapsuleError};

fuzz_target!(|input: (u8, &[u8])| {
    let (cut, bytes) = input;
    assert_eq!(decode(bytes, usize::from(cut) + 1), decode(bytes, bytes.len().max(1)));
});

fn decode(bytes: &[u8], cut: usize) -> (Vec<Capsule>, Option<CapsuleError>) {
    let mut decoder = CapsuleDecoder::new(64);
    let mut capsules = Vec::new();
    for piece in bytes.chunks(cut) {
        decoder.push(piece);
        loop {
            match decoder.next() {
                Ok(None) => break,
                Ok(Some(capsule)) => capsules.push(capsule),
                Err(error) => return (capsules, Some(error)),
            }
        }
    }
    (capsules, None)
}
