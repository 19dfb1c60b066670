//! Names in multiaddrs, by the system's resolver.

use std::net::IpAddr;

use harness_sdk::BoxError;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

/// Why an address cannot be dialed as it is.
#[derive(Debug, thiserror::Error)]
enum ResolveError {
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

/// `address` with its `/dns`, `/dns4` or `/dns6` replaced by an IP address of that name: one for each
/// that the system's resolver gives, in its order; never none.
async fn resolve(address: &Multiaddr) -> Result<Vec<Multiaddr>, ResolveError> {
    let mut resolved = vec![Multiaddr::empty()];
    for protocol in address {
        let parts: Vec<Protocol<'_>> = match &protocol {
            Protocol::Dns(name) => lookup(name, |_| true).await?,
            Protocol::Dns4(name) => lookup(name, IpAddr::is_ipv4).await?,
            Protocol::Dns6(name) => lookup(name, IpAddr::is_ipv6).await?,
            _ => vec![protocol],
        };
        let longer = |begun: &Multiaddr| {
            let begun = begun.clone();
            parts.iter().map(move |part| begun.clone().with(part.clone())).collect::<Vec<_>>()
        };
        resolved = resolved.iter().flat_map(longer).collect();
    }
    Ok(resolved)
}

/// What `connect` makes of the first of the addresses that `address` resolves to with which it can, or its
/// first error: a name may have an address that nobody listens on, as `localhost` is ::1 first.
pub(crate) async fn first<T, F>(
    address: &Multiaddr,
    connect: impl Fn(Multiaddr) -> F,
) -> Result<T, BoxError>
where
    F: Future<Output = Result<T, BoxError>>,
{
    let mut first_failure = None;
    for address in resolve(address).await? {
        match connect(address).await {
            Ok(connected) => return Ok(connected),
            Err(error) => first_failure = first_failure.or(Some(error)),
        }
    }
    Err(first_failure.unwrap_or_else(|| format!("{address} has no address").into()))
}

/// The addresses of `name` that are of a family.
async fn lookup(
    name: &str,
    family: impl Fn(&IpAddr) -> bool,
) -> Result<Vec<Protocol<'static>>, ResolveError> {
    let found = tokio::net::lookup_host((name, 0)).await;
    let found = found.map_err(|source| ResolveError::Lookup { name: name.to_owned(), source })?;
    let ips: Vec<_> = found.map(|addr| addr.ip()).filter(family).map(Protocol::from).collect();
    match ips.is_empty() {
        true => Err(ResolveError::NoAddress(name.to_owned())),
        false => Ok(ips),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_become_addresses_of_their_family() {
        let address = "/dns4/localhost/tcp/4001/ws".parse().unwrap();
        let expected: Multiaddr = "/ip4/127.0.0.1/tcp/4001/ws".parse().unwrap();
        assert_eq!(resolve(&address).await.unwrap(), std::slice::from_ref(&expected));
        assert_eq!(resolve(&expected).await.unwrap(), [expected]);
        let absent = "/dns4/no-such-host.invalid/tcp/1".parse().unwrap();
        assert!(matches!(resolve(&absent).await, Err(ResolveError::Lookup { .. })));
    }
}
