//! What the SDK asks for: the node, its one setting, its two roles.

use std::fmt;

use harness_sdk::config::{Invalid, Variable};
use harness_sdk::{BoxError, Config, Node, Profile, Settings, Stack, Transport};

use crate::client::Peer;
use crate::server::Bound;

/// Which version of HTTP a dialer speaks. A listener speaks both, whatever it is told.
const PERF_HTTP_VERSION: Variable =
    Variable { name: "PERF_HTTP_VERSION", flag: "", accepts: "1.1 or 2", default: "1.1" };

/// A version of HTTP, as TLS's ALPN extension agrees on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum HttpVersion {
    /// One request after the other, its body on the connection as it is.
    #[default]
    Http1,
    /// A stream a request, with a flow control of its own.
    Http2,
}

impl HttpVersion {
    pub(crate) const ALL: [Self; 2] = [Self::Http1, Self::Http2];

    /// The protocol's name in the TLS handshake (RFC 7301).
    pub(crate) const fn alpn(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Http1 => "1.1",
            Self::Http2 => "2",
        }
    }
}

impl fmt::Display for HttpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The node.
#[derive(Debug, Default)]
pub(crate) struct HttpsPerf {
    http: HttpVersion,
}

impl Node for HttpsPerf {
    type Listener = Bound;
    type Connection = Peer;

    fn name(&self) -> &str {
        "https-perf"
    }

    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    fn speaks(&self, stack: &Stack) -> Result<(), String> {
        match (stack.transport, stack.profile) {
            (Transport::Https, Profile::Stock) => Ok(()),
            (Transport::Https, profile) => Err(format!("it has no profile {profile}")),
            _ => Err("only https".to_owned()),
        }
    }

    fn variables(&self) -> &'static [&'static Variable] {
        &[&PERF_HTTP_VERSION]
    }

    fn configure(&mut self, settings: &Settings) -> Result<(), Invalid> {
        let version =
            |text: &str| HttpVersion::ALL.into_iter().find(|version| version.as_str() == text);
        self.http = settings.read(&PERF_HTTP_VERSION, version)?.unwrap_or_default();
        Ok(())
    }

    async fn listen(&self, config: &Config) -> Result<Bound, BoxError> {
        Bound::bind(config).await
    }

    async fn dial(&self, _: &Config, address: &str) -> Result<Peer, BoxError> {
        Peer::connect(address, self.http).await
    }
}
