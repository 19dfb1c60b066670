//! `/ip4/…/udp/…/quic-v1/webtransport/certhash/…/certhash/…/p2p/…`

use std::net::{IpAddr, SocketAddr};

use libp2p_core::Multiaddr;
use libp2p_core::multiaddr::Protocol;
use libp2p_core::multihash::Multihash;
use libp2p_core::transport::PortUse;

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
    assemble(socket, certhashes.iter().copied().map(CertHash::to_multihash))
}

fn assemble(socket: SocketAddr, certhashes: impl IntoIterator<Item = Multihash<64>>) -> Multiaddr {
    let address = Multiaddr::from(socket.ip())
        .with(Protocol::Udp(socket.port()))
        .with(Protocol::QuicV1)
        .with(Protocol::WebTransport);
    certhashes.into_iter().fold(address, |address, hash| address.with(Protocol::Certhash(hash)))
}

/// Where a listener can be dialed from outside, by what a peer has `observed`: the IP that it saw, and the hashes of
/// `listen`, an address that the listener has now. An observed address has none of them, or those of another time.
///
/// `port_use` is how that peer was dialed. With [`PortUse::Reuse`] it saw what a NAT makes of the listener's port, which
/// is then the port to dial; so it did where it dialed us. With [`PortUse::New`] it saw a port of that connection alone, and
/// the listener's own is taken instead.
///
/// `None` where one of the two is no address of this transport, they are not of the same IP version, or `listen` has no
/// hashes.
pub fn external_address(
    listen: &Multiaddr,
    observed: &Multiaddr,
    port_use: PortUse,
) -> Option<Multiaddr> {
    let Parsed { socket: ours, certhashes } = parse(listen)?;
    let Parsed { socket: seen, .. } = parse(observed)?;
    if certhashes.is_empty() || ours.is_ipv4() != seen.is_ipv4() {
        return None;
    }
    let port = match port_use {
        PortUse::Reuse => seen.port(),
        PortUse::New => ours.port(),
    };
    Some(assemble(SocketAddr::new(seen.ip(), port), certhashes))
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

    fn external(listen: &str, observed: &str, port_use: PortUse) -> Option<String> {
        let (listen, observed) = (listen.parse().unwrap(), observed.parse().unwrap());
        external_address(&listen, &observed, port_use).map(|address| address.to_string())
    }

    #[test]
    fn what_a_peer_sees_becomes_what_it_can_dial() {
        for (ours, theirs) in
            [("ip4/10.0.0.1", "ip4/192.0.2.1"), ("ip6/fd00::1", "ip6/2001:db8::1")]
        {
            let hashes = format!("certhash/{HASH}/certhash/{HASH}");
            let listen = format!("/{ours}/udp/4001/quic-v1/webtransport/{hashes}");
            let observed = format!("/{theirs}/udp/5/quic-v1/webtransport");
            for (port_use, port) in [(PortUse::Reuse, 5), (PortUse::New, 4001)] {
                let expected = format!("/{theirs}/udp/{port}/quic-v1/webtransport/{hashes}");
                assert_eq!(external(&listen, &observed, port_use), Some(expected.clone()));
                // Hashes of before, and who is there, are not taken over.
                let old = format!("{observed}/certhash/{HASH}/p2p/{PEER}");
                assert_eq!(external(&listen, &old, port_use), Some(expected));
            }
        }
    }

    #[test]
    fn what_a_peer_sees_of_others_is_not_ours() {
        let ours = format!("/ip4/10.0.0.1/udp/4001/quic-v1/webtransport/certhash/{HASH}");
        let seen = "/ip4/192.0.2.1/udp/5/quic-v1/webtransport";
        assert!(external(&ours, seen, PortUse::Reuse).is_some());
        for (listen, observed) in [
            (&ours[..], "/ip4/192.0.2.1/udp/5/quic-v1"),
            (&ours, "/ip4/192.0.2.1/tcp/5"),
            (&ours, "/ip6/2001:db8::1/udp/5/quic-v1/webtransport"),
            ("/ip4/10.0.0.1/udp/4001/quic-v1", seen),
            ("/ip4/10.0.0.1/udp/4001/quic-v1/webtransport", seen),
        ] {
            assert_eq!(external(listen, observed, PortUse::Reuse), None, "{listen} {observed}");
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
