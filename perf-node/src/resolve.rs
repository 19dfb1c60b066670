//! Names in multiaddrs, by the system's resolver.

use std::net::IpAddr;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

/// Why an address cannot be dialed as it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    /// The system's resolver has no answer.
    #[error("cannot resolve {name}")]
    Lookup {
        /// The name.
        name: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The name has no address of the family that the multiaddr asks for.
    #[error("{0} has no address of that family")]
    NoAddress(String),
}

/// `address` with its `/dns`, `/dns4` or `/dns6` replaced by an IP address of that name.
pub(crate) async fn resolve(address: &Multiaddr) -> Result<Multiaddr, ResolveError> {
    let mut resolved = Multiaddr::empty();
    for protocol in address {
        let (name, family): (_, fn(&IpAddr) -> bool) = match &protocol {
            Protocol::Dns(name) => (name, |_| true),
            Protocol::Dns4(name) => (name, IpAddr::is_ipv4),
            Protocol::Dns6(name) => (name, IpAddr::is_ipv6),
            _ => {
                resolved.push(protocol);
                continue;
            }
        };
        let found = tokio::net::lookup_host((name.as_ref(), 0)).await;
        let mut found =
            found.map_err(|source| ResolveError::Lookup { name: name.to_string(), source })?;
        let ip = found.find(|addr| family(&addr.ip()));
        let ip = ip.ok_or_else(|| ResolveError::NoAddress(name.to_string()))?.ip();
        resolved.push(ip.into());
    }
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_become_addresses_of_their_family() {
        let address = "/dns4/localhost/tcp/4001/ws".parse().unwrap();
        let expected: Multiaddr = "/ip4/127.0.0.1/tcp/4001/ws".parse().unwrap();
        assert_eq!(resolve(&address).await.unwrap(), expected);
        assert_eq!(resolve(&expected).await.unwrap(), expected);
        let absent = "/dns4/no-such-host.invalid/tcp/1".parse().unwrap();
        assert!(matches!(resolve(&absent).await, Err(ResolveError::Lookup { .. })));
    }
}
