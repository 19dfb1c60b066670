//! `/ip4/…/udp/…/quic-v1/webtransport/certhash/…/certhash/…/p2p/…`

use std::net::{IpAddr, SocketAddr};

use libp2p_core::Multiaddr;
use libp2p_core::multiaddr::Protocol;
use libp2p_core::multihash::Multihash;

use crate::certificate::CertHash;

/// What an address says. Who is at it (`/p2p`) is for the swarm to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) socket: SocketAddr,
    pub(crate) certhashes: Vec<Multihash<64>>,
}

/// `None` where it is an address of another transport.
pub(crate) fn parse(address: &Multiaddr) -> Option<Parsed> {
    let mut protocols = address.iter();
    let ip = match protocols.next()? {
        Protocol::Ip4(ip) => IpAddr::V4(ip),
        Protocol::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    let Protocol::Udp(port) = protocols.next()? else { return None };
    let (Protocol::QuicV1, Protocol::WebTransport) = (protocols.next()?, protocols.next()?) else {
        return None;
    };
    let mut certhashes = Vec::new();
    let mut rest = protocols.next();
    while let Some(Protocol::Certhash(hash)) = rest {
        certhashes.push(hash);
        rest = protocols.next();
    }
    if let Some(Protocol::P2p(_)) = rest {
        rest = protocols.next();
    }
    rest.is_none().then_some(Parsed { socket: SocketAddr::new(ip, port), certhashes })
}

/// The address of `socket`, with those hashes.
pub(crate) fn print(socket: SocketAddr, certhashes: &[CertHash]) -> Multiaddr {
    let address = Multiaddr::from(socket.ip())
        .with(Protocol::Udp(socket.port()))
        .with(Protocol::QuicV1)
        .with(Protocol::WebTransport);
    certhashes
        .iter()
        .fold(address, |address, hash| address.with(Protocol::Certhash(hash.to_multihash())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "uEiAkH5a4DPGKUuOBjYw0CgwjvcJCJMD2K_1aluKR_tpevQ";
    const PEER: &str = "12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5";

    fn parsed(address: &str) -> Option<Parsed> {
        parse(&address.parse().unwrap())
    }

    #[test]
    fn addresses_of_this_transport() {
        let hashes = |address: &str| parsed(address).map(|parsed| parsed.certhashes.len());
        let ip4 = "/ip4/1.2.3.4/udp/5/quic-v1/webtransport";
        assert_eq!(hashes(ip4), Some(0));
        assert_eq!(hashes(&format!("{ip4}/certhash/{HASH}")), Some(1));
        assert_eq!(hashes(&format!("{ip4}/certhash/{HASH}/certhash/{HASH}/p2p/{PEER}")), Some(2));
        assert_eq!(hashes(&format!("{ip4}/p2p/{PEER}")), Some(0));
        assert_eq!(parsed(ip4).unwrap().socket, "1.2.3.4:5".parse().unwrap());
        let ip6 = parsed("/ip6/::1/udp/5/quic-v1/webtransport").unwrap();
        assert_eq!(ip6.socket, "[::1]:5".parse().unwrap());
    }

    #[test]
    fn addresses_of_others() {
        let ip4 = "/ip4/1.2.3.4/udp/5/quic-v1/webtransport";
        for address in [
            "/ip4/1.2.3.4/udp/5/quic-v1",
            "/ip4/1.2.3.4/udp/5/quic/webtransport",
            "/ip4/1.2.3.4/tcp/5",
            "/dns4/host/udp/5/quic-v1/webtransport",
            &format!("{ip4}/p2p/{PEER}/p2p-circuit"),
            &format!("{ip4}/p2p/{PEER}/certhash/{HASH}"),
        ] {
            assert_eq!(parsed(address), None, "{address}");
        }
    }

    #[test]
    fn there_and_back() {
        let hash = CertHash::of(b"certificate");
        let socket = "[::1]:443".parse().unwrap();
        let address = print(socket, &[hash]);
        let parsed = parse(&address).unwrap();
        assert_eq!((parsed.socket, parsed.certhashes), (socket, vec![hash.to_multihash()]));
        assert!(address.to_string().contains("/certhash/u"), "{address}");
    }
}
