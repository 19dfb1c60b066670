//! `/ip4/…/udp/…/quic-v1/p2p/…`

use std::net::{IpAddr, SocketAddr};

use libp2p_core::Multiaddr;
use libp2p_core::multiaddr::Protocol;

/// Where an address points; `None` where it is one of another transport. Who is there (`/p2p`) is for the
/// swarm to check.
pub(crate) fn parse(address: &Multiaddr) -> Option<SocketAddr> {
    let mut protocols = address.iter();
    let ip = match protocols.next()? {
        Protocol::Ip4(ip) => IpAddr::V4(ip),
        Protocol::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    let (Protocol::Udp(port), Protocol::QuicV1) = (protocols.next()?, protocols.next()?) else {
        return None;
    };
    match (protocols.next(), protocols.next()) {
        (None | Some(Protocol::P2p(_)), None) => Some(SocketAddr::new(ip, port)),
        _ => None,
    }
}

/// The address of `socket`.
pub(crate) fn print(socket: SocketAddr) -> Multiaddr {
    Multiaddr::from(socket.ip()).with(Protocol::Udp(socket.port())).with(Protocol::QuicV1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5";

    fn parsed(address: &str) -> Option<SocketAddr> {
        parse(&address.parse().unwrap())
    }

    #[test]
    fn there_and_back() {
        for socket in ["1.2.3.4:5", "[::1]:5"] {
            let socket = socket.parse().unwrap();
            let address = print(socket);
            assert_eq!(parse(&address), Some(socket));
            assert_eq!(parsed(&format!("{address}/p2p/{PEER}")), Some(socket));
        }
        assert_eq!(print("[::1]:5".parse().unwrap()).to_string(), "/ip6/::1/udp/5/quic-v1");
    }

    #[test]
    fn addresses_of_others() {
        for address in [
            "/ip4/1.2.3.4/udp/5",
            "/ip4/1.2.3.4/tcp/5",
            "/ip4/1.2.3.4/udp/5/quic",
            "/ip4/1.2.3.4/udp/5/quic-v1/webtransport",
            "/dns4/host/udp/5/quic-v1",
            &format!("/ip4/1.2.3.4/udp/5/quic-v1/p2p/{PEER}/p2p-circuit"),
            &format!("/ip4/1.2.3.4/udp/5/quic-v1/p2p-circuit/p2p/{PEER}"),
        ] {
            assert_eq!(parsed(address), None, "{address}");
        }
    }
}
