//! Reads from a ClientHello which protocols its sender speaks.
//!
//! rustls does the reading. It takes TLS records, which QUIC has none of: the message is put into one.

use rustls::server::Acceptor;

/// A ClientHello with a post-quantum share has about 1,700 bytes. Also what one record may hold.
const MAX_LENGTH: usize = 16 << 10;

/// What the beginning of a handshake says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hello {
    /// There is more to come.
    Incomplete,
    /// The protocols offered, the preferred one first; none where it doesn't say.
    Offers(Vec<Vec<u8>>),
    /// It claims to be longer than any is.
    TooLong,
    /// It is no ClientHello.
    Malformed,
}

/// Reads the bytes of the handshake so far, from the first on.
pub(crate) fn read(handshake: &[u8]) -> Hello {
    let &[kind, a, b, c, ..] = handshake else { return Hello::Incomplete };
    if kind != 1 {
        return Hello::Malformed;
    }
    let end = 4 + u32::from_be_bytes([0, a, b, c]) as usize;
    if end > MAX_LENGTH {
        return Hello::TooLong;
    }
    match handshake.get(..end) {
        Some(message) => offers(message).map_or(Hello::Malformed, Hello::Offers),
        None => Hello::Incomplete,
    }
}

fn offers(message: &[u8]) -> Option<Vec<Vec<u8>>> {
    let length = u16::try_from(message.len()).ok()?.to_be_bytes();
    let record = [&[0x16, 3, 1], &length[..], message].concat();
    let mut acceptor = Acceptor::default();
    let mut unread = &record[..];
    while !unread.is_empty() {
        acceptor.read_tls(&mut unread).ok().filter(|read| *read > 0)?;
    }
    let accepted = acceptor.accept().ok()??;
    let alpn = accepted.client_hello().alpn();
    Some(alpn.into_iter().flatten().map(<[u8]>::to_vec).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use rustls::pki_types::ServerName;
    use rustls::quic::{ClientConnection, Version};

    use super::*;

    fn client_hello(alpn: &[&[u8]]) -> Vec<u8> {
        let identity = libp2p_identity::Keypair::generate_ed25519();
        let mut tls = libp2p_tls::make_client_config(&identity, None).unwrap();
        tls.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut client =
            ClientConnection::new(Arc::new(tls), Version::V1, name, vec![1, 1, 1]).unwrap();
        let mut hello = Vec::new();
        client.write_hs(&mut hello);
        hello
    }

    #[test]
    fn what_is_offered_in_its_order() {
        let hello = client_hello(&[b"h3", b"libp2p"]);
        let offers = Hello::Offers(vec![b"h3".to_vec(), b"libp2p".to_vec()]);
        assert_eq!(read(&hello), offers);
        // Whatever follows is none of it.
        assert_eq!(read(&[&hello[..], b"more"].concat()), offers);
    }

    #[test]
    fn nothing_may_be_offered() {
        assert_eq!(read(&client_hello(&[])), Hello::Offers(Vec::new()));
    }

    #[test]
    fn nothing_is_known_before_the_last_byte() {
        let hello = client_hello(&[b"libp2p"]);
        for end in 0..hello.len() {
            assert_eq!(read(&hello[..end]), Hello::Incomplete, "{end}");
        }
    }

    #[test]
    fn what_is_no_client_hello() {
        assert_eq!(read(&[1, 0, 64, 0]), Hello::TooLong);
        assert_eq!(read(&[1, 255, 255, 255]), Hello::TooLong);
        assert_eq!(read(&[2, 0, 0, 0]), Hello::Malformed);
        assert_eq!(read(&[1, 0, 0, 1, 0]), Hello::Malformed);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            read(&bytes);
        }

        #[test]
        fn any_change_is_read(at in 0_usize..300, value: u8) {
            let mut hello = client_hello(&[b"libp2p"]);
            if let Some(byte) = hello.get_mut(at) {
                *byte = value;
            }
            read(&hello);
        }
    }
}
