//! A published address, read as far as rules need it.

use std::net::{IpAddr, SocketAddr};

/// The IP, the transport protocol and the port that a multiaddr begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) socket: SocketAddr,
    pub(super) is_tcp: bool,
    /// What stands behind `/p2p/`.
    pub(super) peer_id: Option<String>,
    /// How many `/certhash/` there are.
    pub(super) certhashes: usize,
}

impl Address {
    /// Reads `/ip4/…/tcp/…` and the like; the error completes "it published …, which …".
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parts = text.split('/');
        if parts.next() != Some("") {
            return Err("does not begin with a slash");
        }
        let ip = match (parts.next(), parts.next()) {
            (Some("ip4" | "ip6"), Some(ip)) => ip.parse::<IpAddr>().map_err(|_| "has no IP"),
            _ => Err("does not begin with /ip4/ or /ip6/"),
        }?;
        let is_tcp = match parts.next() {
            Some("tcp") => true,
            Some("udp") => false,
            _ => return Err("has neither /tcp/ nor /udp/ behind its IP"),
        };
        let port = parts.next().and_then(|port| port.parse().ok()).ok_or("has no port")?;
        let rest: Vec<_> = parts.collect();
        let behind = |name: &str| rest.iter().position(|part| *part == name).map(|at| at + 1);
        let peer_id = behind("p2p").and_then(|at| rest.get(at)).filter(|id| !id.is_empty());
        Ok(Self {
            socket: SocketAddr::new(ip, port),
            is_tcp,
            peer_id: peer_id.map(|id| (*id).to_owned()),
            certhashes: rest.iter().filter(|part| **part == "certhash").count(),
        })
    }

    /// Why nobody can dial it, or not everybody who meets it at `redis`.
    pub(super) fn useless(&self, redis: IpAddr) -> Option<&'static str> {
        let ip = self.socket.ip();
        if ip.is_unspecified() {
            Some("is no address that can be dialed")
        } else if self.socket.port() == 0 {
            Some("has port 0")
        } else if ip.is_loopback() && !redis.is_loopback() {
            Some("is loopback, where Redis is not")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_say_what_they_lack() {
        let address = Address::parse(
            "/ip4/10.0.0.2/udp/4001/quic-v1/webtransport/certhash/uE/certhash/uF/p2p/12D3",
        )
        .unwrap();
        assert_eq!(address.socket, "10.0.0.2:4001".parse().unwrap());
        assert_eq!((address.is_tcp, address.certhashes), (false, 2));
        assert_eq!(address.peer_id.as_deref(), Some("12D3"));
        assert!(Address::parse("/ip6/::1/tcp/1").unwrap().is_tcp);
        let wrong =
            ["x", "/dns4/host/tcp/1", "/ip4/host/tcp/1", "/ip4/1.2.3.4/tcp", "/ip4/1.2.3.4/sctp/1"];
        for text in wrong {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn some_addresses_are_of_no_use() {
        let useless = |text: &str, redis: &str| {
            Address::parse(text).unwrap().useless(redis.parse().unwrap()).is_some()
        };
        assert!(useless("/ip4/0.0.0.0/tcp/1", "127.0.0.1"));
        assert!(useless("/ip4/10.0.0.1/tcp/0", "127.0.0.1"));
        assert!(useless("/ip4/127.0.0.1/tcp/1", "10.0.0.1"));
        assert!(!useless("/ip4/127.0.0.1/tcp/1", "127.0.0.1"));
    }
}
