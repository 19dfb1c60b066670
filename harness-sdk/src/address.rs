//! The multiaddrs of nodes without a libp2p stack: an IP address, a protocol, a port.
//!
//! Nodes built on libp2p use its own type; a baseline needs no more than this.

use std::net::{IpAddr, SocketAddr};

/// `/ip4/127.0.0.1/tcp/4001`: `protocol` is `tcp` or `udp`.
pub fn multiaddr(ip: IpAddr, protocol: &str, port: u16) -> String {
    let family = if ip.is_ipv4() { "ip4" } else { "ip6" };
    format!("/{family}/{ip}/{protocol}/{port}")
}

/// Reads what [`multiaddr`] makes, whatever follows it (`/tls/http`, `/quic`).
pub fn socket_addr(multiaddr: &str) -> Result<SocketAddr, NotAnAddress> {
    let mut parts = multiaddr.split('/');
    let mut next = || parts.next().unwrap_or_default();
    if let ("", "ip4" | "ip6", ip, "tcp" | "udp", port) = (next(), next(), next(), next(), next())
        && let (Ok(ip), Ok(port)) = (ip.parse(), port.parse())
    {
        return Ok(SocketAddr::new(ip, port));
    }
    Err(NotAnAddress(multiaddr.to_owned()))
}

/// A text that does not begin with an IP address and a TCP or UDP port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" does not begin with an address as /ip4/127.0.0.1/tcp/4001")]
pub struct NotAnAddress(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_back() {
        for text in ["/ip4/127.0.0.1/tcp/4001", "/ip6/::1/udp/1"] {
            let addr = socket_addr(text).unwrap();
            let protocol = if text.contains("udp") { "udp" } else { "tcp" };
            assert_eq!(multiaddr(addr.ip(), protocol, addr.port()), text);
        }
        assert_eq!(socket_addr("/ip4/1.2.3.4/tcp/80/tls/http").unwrap().port(), 80);
    }

    #[test]
    fn others_are_refused() {
        for text in
            ["", "/", "127.0.0.1:1", "/dns4/x/tcp/1", "/ip4/x/tcp/1", "/ip4/1.2.3.4/tcp/99999"]
        {
            assert!(socket_addr(text).is_err(), "{text}");
        }
    }
}
