//! Which of this machine's addresses a peer can use.

use std::net::{IpAddr, SocketAddr, UdpSocket};

/// The address to publish for a listener bound to `bound`, given where Redis is: the bound one if
/// it is concrete, else the one the route to Redis leaves from, so that loopback is published only
/// where Redis is on loopback.
///
/// `redis` holds every address Redis's name has. A route of the other family says only whether the
/// machine is meant or the network; then the first usable address of the bound family is taken.
/// `None`: this machine has none.
pub fn published_ip(bound: IpAddr, redis: &[SocketAddr]) -> Option<IpAddr> {
    choose(bound, redis, source_address, &local_ips())
}

/// The addresses, for a listener bound to `bound`, at which someone could dial it: the bound one
/// if it is concrete, else this machine's of that family, loopback last.
pub fn usable_ips(bound: IpAddr) -> Vec<IpAddr> {
    if !bound.is_unspecified() {
        return vec![bound];
    }
    let mut ips = local_ips();
    ips.retain(|ip| ip.is_ipv4() == bound.is_ipv4());
    ips.sort_by_key(IpAddr::is_loopback);
    ips
}

fn choose(
    bound: IpAddr,
    redis: &[SocketAddr],
    source: impl Fn(SocketAddr) -> Option<IpAddr>,
    local: &[IpAddr],
) -> Option<IpAddr> {
    if !bound.is_unspecified() {
        return Some(bound);
    }
    let of_family = |ip: &IpAddr| ip.is_ipv4() == bound.is_ipv4();
    let sources: Vec<_> = redis.iter().filter_map(|addr| source(*addr)).collect();
    if let Some(ip) = sources.iter().copied().find(of_family) {
        return Some(ip);
    }
    let on_loopback = sources.first()?.is_loopback();
    local.iter().copied().filter(of_family).find(|ip| ip.is_loopback() == on_loopback)
}

/// The source address of packets to `destination`. Connecting a UDP socket asks the routing table
/// and sends nothing.
fn source_address(destination: SocketAddr) -> Option<IpAddr> {
    let any: SocketAddr = match destination {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(destination).ok()?;
    socket.local_addr().ok().map(|addr| addr.ip())
}

/// This machine's addresses, IPv6 link-local ones left out: they mean nothing without their zone.
fn local_ips() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut ips: Vec<_> = interfaces
        .into_iter()
        .map(|interface| interface.ip())
        .filter(|ip| !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()))
        .collect();
    ips.sort_unstable();
    ips.dedup();
    ips
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    const LOCAL: [&str; 4] = ["127.0.0.1", "10.8.0.3", "::1", "fd00::3"];

    fn chosen(bound: &str, redis: &[&str], route: &str) -> Option<IpAddr> {
        let redis: Vec<_> = redis.iter().map(|text| addr(text)).collect();
        let source = |_| Some(ip(route));
        choose(ip(bound), &redis, source, &LOCAL.map(ip))
    }

    #[test]
    fn a_concrete_address_is_published_as_it_is() {
        assert_eq!(chosen("127.0.0.1", &["10.8.0.2:6379"], "10.8.0.3"), Some(ip("127.0.0.1")));
    }

    #[test]
    fn otherwise_the_route_to_redis_decides() {
        assert_eq!(chosen("0.0.0.0", &["10.8.0.2:6379"], "10.8.0.3"), Some(ip("10.8.0.3")));
        assert_eq!(chosen("0.0.0.0", &["127.0.0.1:6379"], "127.0.0.1"), Some(ip("127.0.0.1")));
    }

    #[test]
    fn a_route_of_the_other_family_says_machine_or_network() {
        assert_eq!(chosen("::", &["127.0.0.1:6379"], "127.0.0.1"), Some(ip("::1")));
        assert_eq!(chosen("::", &["10.8.0.2:6379"], "10.8.0.3"), Some(ip("fd00::3")));
    }

    #[test]
    fn without_a_route_there_is_nothing_to_publish() {
        assert_eq!(choose(ip("0.0.0.0"), &[addr("10.8.0.2:1")], |_| None, &LOCAL.map(ip)), None);
    }

    #[test]
    fn the_route_to_loopback_is_loopback() {
        assert_eq!(published_ip(ip("0.0.0.0"), &[addr("127.0.0.1:9")]), Some(ip("127.0.0.1")));
        assert!(usable_ips(ip("0.0.0.0")).contains(&ip("127.0.0.1")));
    }
}
