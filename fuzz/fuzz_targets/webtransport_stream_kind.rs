//! The prefix of a stream of WebTransport: what is not read as one is left as it was.

#![no_main]

use libfuzzer_sys::fuzz_target;
use libp2p_webtransport_native::wire::stream::{BidiKind, read_bidi_kind};

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    match read_bidi_kind(&mut rest) {
        Some(BidiKind::WebTransport { .. }) => assert!(rest.len() < bytes.len()),
        Some(BidiKind::Request) | None => assert_eq!(rest, bytes),
    }
});
