//! Multiaddrs, as quic-v1 and WebTransport read them: no address is both's, and what is read prints as it was, but
//! for the peer id and hashes that no certificate has.

#![no_main]

use libfuzzer_sys::fuzz_target;
use libp2p_core::Multiaddr;
use libp2p_core::multiaddr::Protocol;
use libp2p_quic_shared::fuzzing as quic;
use libp2p_webtransport_native::fuzzing as webtransport;

const SHA2_256: (u64, usize) = (0x12, 32);

fuzz_target!(|bytes: &[u8]| {
    let Ok(address) = Multiaddr::try_from(bytes.to_vec()) else { return };
    let kept = |protocol: &Protocol<'_>| match protocol {
        Protocol::P2p(_) => false,
        Protocol::Certhash(hash) => (hash.code(), hash.digest().len()) == SHA2_256,
        _ => true,
    };
    let expected: Multiaddr = address.iter().filter(kept).collect();
    match (quic::reprint(&address), webtransport::reprint(&address)) {
        (None, None) => {}
        (Some(printed), None) => {
            assert_eq!(printed, expected);
            assert_eq!(quic::reprint(&printed), Some(printed));
        }
        (None, Some(printed)) => {
            assert_eq!(printed, expected);
            assert_eq!(webtransport::reprint(&printed), Some(printed));
        }
        (Some(_), Some(_)) => panic!("{address} is both's"),
    }
});
