//! What a transport is made with: limits and deadlines, each with its default.

use std::sync::Arc;
use std::time::Duration;

use libp2p_identity::Keypair;

use crate::clock::{Clock, SystemClock};

/// What separates the secret of the certificates from others that are derived from the same identity.
const CERTIFICATE_DOMAIN: &[u8] = b"libp2p webtransport certificates v1";

/// The configuration of a [`Transport`](crate::Transport).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// For UDP, TLS, HTTP/3, CONNECT and Noise together, on both sides. 10 s.
    pub handshake_timeout: Duration,

    /// A connection on which nothing arrives for this long is lost. Peers have a say: the shorter
    /// counts. 10 s.
    pub max_idle_timeout: Duration,
    /// How often a quiet connection is kept alive. Below half of both sides' idle time-out, or it
    /// keeps nothing. 5 s.
    pub keep_alive_interval: Duration,

    /// Streams that the peer may have open at once; it waits before it opens more. The session's own and
    /// the one that Noise used count as well. 256.
    pub max_concurrent_streams: u32,
    /// What is buffered of one stream that nobody reads, in bytes: the peer stops sending at that.
    /// 10 MB.
    pub max_stream_data: u32,
    /// What is buffered of all streams of a connection, in bytes. A dialer gets 64 KiB until its peer id is
    /// known. 15 MB.
    pub max_connection_data: u32,
    /// What is buffered of what was written and not acknowledged yet, of all streams of a connection, in
    /// bytes: writes wait at that. 10 MB.
    pub max_send_data: u32,

    /// How long a stream may be open without saying which session it belongs to, before it is reset. 10 s.
    pub stream_prefix_timeout: Duration,
    /// Streams of a connection that may be in that state at once. A further one is reset, if it does not
    /// come with its prefix at once. A packet that overtakes others opens every stream before its own, so less
    /// than `max_concurrent_streams` may reset streams whose data is on its way. 256.
    pub max_streams_awaiting_prefix: usize,

    /// Handshakes under way at once on all listeners together; a further one is refused. From half of it
    /// on a dialer must prove that its address is its own first, which costs it a round trip. 512.
    pub max_pending_sessions: usize,
    /// The same for one address (of IPv6: one /64). 64.
    pub max_pending_sessions_per_address: usize,

    /// The largest header block, and the largest SETTINGS, that is taken, in bytes, encoded and decoded.
    /// 16 KiB.
    pub max_header_bytes: usize,
    /// The longest capsule that is skipped, in bytes: a longer one ends the session. 16 KiB.
    pub max_capsule_bytes: usize,

    /// What the keys of the listener's certificates are derived from, so that a restart changes no address.
    ///
    /// By default derived from the identity. An RSA identity derives nothing: give 32 random bytes here,
    /// and the same ones after a restart. A transport that only dials needs none.
    pub certificate_secret: Option<[u8; 32]>,
    /// By how much the clocks of dialers may be off for our certificates to be valid for them; at most 3.5
    /// days. Part of what determines the certificates. 1 h.
    pub clock_skew: Duration,
    /// How often a listener looks whether it is time to advertise its next certificates. (They are used in
    /// time whatever this is.) 30 s.
    pub certificate_check_interval: Duration,
    /// Where the time of day comes from. The system's clock.
    pub clock: Arc<dyn Clock>,

    pub(crate) identity: Keypair,
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
            stream_prefix_timeout: Duration::from_secs(10),
            max_streams_awaiting_prefix: 256,
            max_pending_sessions: 512,
            max_pending_sessions_per_address: 64,
            max_header_bytes: 16 << 10,
            max_capsule_bytes: 16 << 10,
            certificate_secret: identity.derive_secret(CERTIFICATE_DOMAIN),
            clock_skew: Duration::from_secs(3600),
            certificate_check_interval: Duration::from_secs(30),
            clock: Arc::new(SystemClock),
            identity: identity.clone(),
        }
    }

    /// What a session has to keep within.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            prefix_timeout: self.stream_prefix_timeout,
            awaiting_prefix: self.max_streams_awaiting_prefix,
            header_bytes: self.max_header_bytes,
            capsule_bytes: self.max_capsule_bytes,
            connection_data: self.max_connection_data,
        }
    }
}

/// What a session has to keep within.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) prefix_timeout: Duration,
    pub(crate) awaiting_prefix: usize,
    pub(crate) header_bytes: usize,
    pub(crate) capsule_bytes: usize,
    /// From when the peer is known on.
    pub(crate) connection_data: u32,
}
