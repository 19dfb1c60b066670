//! What QUIC runs with on a node's ports: limits and deadlines, each with its default.

use std::sync::Arc;
use std::time::Duration;

use libp2p_identity::Keypair;
use quinn::{EndpointConfig, IdleTimeout, TransportConfig, VarInt};
use ring::hmac;

use crate::error::OptionOutOfRange;

/// What separates this secret from others that are derived from the same identity; libp2p-quic's.
const RESET_DOMAIN: &[u8] = b"libp2p quic stateless reset key";

/// What an [`Incoming`](quinn::Incoming) that was not looked at yet may hold, and all of an endpoint's: a
/// ClientHello, twice over.
const INCOMING_BUFFER: u64 = 16 << 10;
const INCOMING_BUFFERS: u64 = 4 << 20;

/// Longer than any of these times has a use for, and far below where clocks overflow.
const DAY: Duration = Duration::from_secs(86_400);

/// The configuration of [`Ports`](crate::Ports): it counts for every protocol on them.
///
/// Each field says what it is without being set, and what it may be; [`Ports::new`](crate::Ports::new)
/// refuses anything else. Times are at least 1 ms and at most a day where nothing else is said.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// For a connection to be ready to use: UDP, TLS, and whatever handshake its protocol adds. 10 s.
    pub handshake_timeout: Duration,

    /// A connection on which nothing arrives for this long is lost. Peers have a say: the shorter
    /// counts. 10 s.
    pub max_idle_timeout: Duration,
    /// How often a quiet connection is kept alive; zero for never. At most half of our idle time-out (and of the
    /// peer's, which is not known here), or it would keep nothing. 5 s.
    pub keep_alive_interval: Duration,

    /// Bidirectional streams that the peer may have open at once; it waits before it opens more. 256, of 1 to
    /// 65,536: every one that may be has an entry in a table.
    pub max_concurrent_streams: u32,
    /// What is buffered of one stream that nobody reads, in bytes: the peer stops sending at that.
    /// 10 MB, of 1 KiB or more.
    pub max_stream_data: u32,
    /// What is buffered of all streams of a connection, in bytes. 15 MB, of 1 KiB or more.
    pub max_connection_data: u32,
    /// What is buffered of what was written and not acknowledged yet, of all streams of a connection, in
    /// bytes: writes wait at that. 10 MB, of 1 KiB or more.
    pub max_send_data: u32,

    /// Handshakes of dialers under way at once, on all ports together; a further one is refused. From half
    /// of it on a dialer must prove that its address is its own first, which costs it a round trip. 512, of 1 or
    /// more.
    pub max_pending_handshakes: usize,
    /// The same for one address (of IPv6: one /64). 64, of 1 or more.
    pub max_pending_handshakes_per_address: usize,

    /// Tells a peer that its connection is unknown here. It outlives a restart, so that peers learn at once
    /// that their connections did not; `None`: the identity derives nothing, as RSA, and one is made up.
    reset_key: Option<Arc<hmac::Key>>,
}

/// What connections of a protocol need, beyond what [`Config`] says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Needs {
    /// Unidirectional streams that the peer may have open at once.
    pub uni_streams: u32,
    /// What is buffered of datagrams that nobody reads, in bytes; `None`: the peer may send none.
    pub datagram_buffer: Option<usize>,
    /// What is buffered at first of all streams of a connection that was accepted, in bytes, where that is
    /// less than [`Config::max_connection_data`]: its protocol raises it once it knows the peer
    /// ([`quinn::Connection::set_receive_window`]).
    pub initial_data: Option<u32>,
}

impl Config {
    /// The defaults, for a node of this identity.
    pub fn new(identity: &Keypair) -> Self {
        Self {
            handshake_timeout: Duration::from_secs(10),
            max_idle_timeout: Duration::from_secs(10),
            keep_alive_interval: Duration::from_secs(5),
            max_concurrent_streams: 256,
            max_stream_data: 10_000_000,
            max_connection_data: 15_000_000,
            max_send_data: 10_000_000,
            max_pending_handshakes: 512,
            max_pending_handshakes_per_address: 64,
            reset_key: identity
                .derive_secret(RESET_DOMAIN)
                .map(|secret| Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &secret))),
        }
    }

    /// Refuses options that nothing can be made of, as [`Ports::new`](crate::Ports::new) does.
    ///
    /// # Errors
    ///
    /// The first option that is not within its range.
    pub fn check(&self) -> Result<(), OptionOutOfRange> {
        let time = Duration::from_millis(1)..=DAY;
        OptionOutOfRange::check("handshake_timeout", self.handshake_timeout, time.clone())?;
        OptionOutOfRange::check("max_idle_timeout", self.max_idle_timeout, time)?;
        let keeps_alive = Duration::ZERO..=self.max_idle_timeout / 2;
        OptionOutOfRange::check("keep_alive_interval", self.keep_alive_interval, keeps_alive)?;
        OptionOutOfRange::check(
            "max_concurrent_streams",
            self.max_concurrent_streams,
            1..=1 << 16,
        )?;
        OptionOutOfRange::check("max_stream_data", self.max_stream_data, 1 << 10..=u32::MAX)?;
        OptionOutOfRange::check(
            "max_connection_data",
            self.max_connection_data,
            1 << 10..=u32::MAX,
        )?;
        OptionOutOfRange::check("max_send_data", self.max_send_data, 1 << 10..=u32::MAX)?;
        OptionOutOfRange::check(
            "max_pending_handshakes",
            self.max_pending_handshakes,
            1..=usize::MAX,
        )?;
        let per_address = self.max_pending_handshakes_per_address;
        OptionOutOfRange::check("max_pending_handshakes_per_address", per_address, 1..=usize::MAX)
    }

    /// What quinn runs connections with that have these needs.
    pub fn transport(&self, needs: Needs) -> Arc<TransportConfig> {
        let data = needs.initial_data.unwrap_or(u32::MAX).min(self.max_connection_data);
        // What is longer than QUIC can say, which no checked option is, is as good as the longest that it can.
        let idle = IdleTimeout::try_from(self.max_idle_timeout).unwrap_or(VarInt::MAX.into());
        let mut transport = TransportConfig::default();
        transport
            .max_concurrent_bidi_streams(self.max_concurrent_streams.into())
            .max_concurrent_uni_streams(needs.uni_streams.into())
            .datagram_receive_buffer_size(needs.datagram_buffer)
            .stream_receive_window(self.max_stream_data.into())
            .receive_window(data.into())
            .send_window(self.max_send_data.into())
            .keep_alive_interval(Some(self.keep_alive_interval).filter(|every| !every.is_zero()))
            .max_idle_timeout(Some(idle))
            .allow_spin(false);
        Arc::new(transport)
    }

    /// QUIC version 1 alone.
    pub(crate) fn endpoint(&self) -> EndpointConfig {
        let mut endpoint = match &self.reset_key {
            Some(key) => EndpointConfig::new(Arc::clone(key) as _),
            None => EndpointConfig::default(),
        };
        endpoint.supported_versions(vec![1]);
        endpoint
    }

    /// Bounds what dialers take before they are looked at.
    pub(crate) fn bound(&self, server: &mut quinn::ServerConfig) {
        server
            .max_incoming(self.max_pending_handshakes)
            .incoming_buffer_size(INCOMING_BUFFER)
            .incoming_buffer_size_total(INCOMING_BUFFERS)
            // libp2p's muxers would have to tell of a new address, and who listens to that does not exist.
            .migration(false);
    }
}

impl Needs {
    /// What serves both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            uni_streams: self.uni_streams.max(other.uni_streams),
            datagram_buffer: self.datagram_buffer.max(other.datagram_buffer),
            initial_data: match (self.initial_data, other.initial_data) {
                (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
                (ours, theirs) => ours.or(theirs),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serves_both_is_the_most_room_and_the_least_trust() {
        let quic = Needs::default();
        let h3 =
            Needs { uni_streams: 8, datagram_buffer: Some(1 << 14), initial_data: Some(1 << 16) };
        for both in [quic.and(h3), h3.and(quic)] {
            assert_eq!((both.uni_streams, both.datagram_buffer), (8, Some(1 << 14)));
            assert_eq!(both.initial_data, Some(1 << 16));
        }
    }

    #[test]
    fn every_option_is_checked() {
        const ZERO: Duration = Duration::ZERO;
        type Change = fn(&mut Config);
        let changes: [(&str, Change); 10] = [
            ("handshake_timeout", |config| config.handshake_timeout = ZERO),
            ("handshake_timeout", |config| config.handshake_timeout = Duration::MAX),
            ("max_idle_timeout", |config| config.max_idle_timeout = ZERO),
            ("keep_alive_interval", |config| config.keep_alive_interval = config.max_idle_timeout),
            ("max_concurrent_streams", |config| config.max_concurrent_streams = u32::MAX),
            ("max_stream_data", |config| config.max_stream_data = 0),
            ("max_connection_data", |config| config.max_connection_data = 0),
            ("max_send_data", |config| config.max_send_data = 0),
            ("max_pending_handshakes", |config| config.max_pending_handshakes = 0),
            ("max_pending_handshakes_per_address", |config| {
                config.max_pending_handshakes_per_address = 0;
            }),
        ];
        let defaults = Config::new(&Keypair::ed25519_from_bytes([1; 32]).unwrap());
        defaults.check().unwrap();
        for (option, change) in changes {
            let mut config = defaults.clone();
            change(&mut config);
            let error = config.check().unwrap_err().to_string();
            assert!(error.starts_with(&format!("the option {option} is ")), "{error}");
        }
    }
}
