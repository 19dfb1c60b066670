//! The multiaddrs of the raw baselines.

use std::net::{IpAddr, SocketAddr};

use harness_sdk::Transport;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

/// Whether `transport` is one of the raw baselines.
pub fn is_raw(transport: Transport) -> bool {
    matches!(
        transport,
        Transport::RawTcp | Transport::RawTls | Transport::RawNoise | Transport::RawQuic
    )
}

/// Where a raw `transport` listens: `socket`, and what is on it.
pub(super) fn of(transport: Transport, socket: SocketAddr) -> Multiaddr {
    let place = Multiaddr::from(socket.ip());
    let (port, on_it) = layers(transport);
    on_it.into_iter().fold(place.with(port(socket.port())), Multiaddr::with)
}

/// What an address of a raw `transport` looks like.
pub fn example(transport: Transport) -> String {
    of(transport, SocketAddr::from(([192, 0, 2, 7], 4001))).to_string()
}

/// Whether a raw `transport` can dial `address`: that, with any IP or name and perhaps a peer id.
pub fn suits(transport: Transport, address: &Multiaddr) -> bool {
    let mut parts = address.iter();
    let named = matches!(
        parts.next(),
        Some(
            Protocol::Ip4(_)
                | Protocol::Ip6(_)
                | Protocol::Dns(_)
                | Protocol::Dns4(_)
                | Protocol::Dns6(_)
        )
    );
    let (port, on_it) = layers(transport);
    let same_kind = |part: &Protocol<'_>| part.tag() == port(0).tag();
    let mut rest = match parts.next() {
        Some(part) if named && same_kind(&part) => parts.peekable(),
        _ => return false,
    };
    let all = on_it.into_iter().all(|wanted| rest.next() == Some(wanted));
    if transport == Transport::RawNoise && matches!(rest.peek(), Some(Protocol::P2p(_))) {
        rest.next();
    }
    all && rest.next().is_none()
}

/// The socket address that `address` begins with; `None`: it begins with a name, or with something else.
pub(super) fn socket(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip: IpAddr = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Tcp(port) | Protocol::Udp(port) => Some(SocketAddr::new(ip, port)),
        _ => None,
    }
}

/// What a port is of, and what stands on that.
fn layers(transport: Transport) -> (fn(u16) -> Protocol<'static>, Option<Protocol<'static>>) {
    match transport {
        Transport::RawTls => (Protocol::Tcp, Some(Protocol::Tls)),
        Transport::RawNoise => (Protocol::Tcp, Some(Protocol::Noise)),
        Transport::RawQuic => (Protocol::Udp, Some(Protocol::Quic)),
        _ => (Protocol::Tcp, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: [(Transport, &str); 4] = [
        (Transport::RawTcp, "/ip4/192.0.2.7/tcp/4001"),
        (Transport::RawTls, "/ip4/192.0.2.7/tcp/4001/tls"),
        (Transport::RawNoise, "/ip4/192.0.2.7/tcp/4001/noise"),
        (Transport::RawQuic, "/ip4/192.0.2.7/udp/4001/quic"),
    ];

    #[test]
    fn each_suits_its_transport_and_no_other() {
        let at = "192.0.2.7:4001".parse().unwrap();
        for (transport, text) in RAW {
            let address = of(transport, at);
            assert_eq!(address.to_string(), text);
            assert_eq!(socket(&address), Some(at));
            for (other, _) in RAW {
                assert_eq!(suits(other, &address), other == transport, "{text} with {other}");
            }
        }
        assert!(suits(Transport::RawTls, &"/dns4/host/tcp/1/tls".parse().unwrap()));
        for text in ["/ip4/192.0.2.7/tcp/1/ws", "/ip4/192.0.2.7/udp/1/quic-v1", "/tcp/1", ""] {
            let address = text.parse().unwrap();
            assert!(RAW.iter().all(|(transport, _)| !suits(*transport, &address)), "{text}");
        }
    }
}
