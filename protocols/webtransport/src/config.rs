//! What a transport is made with: limits and deadlines, each with its default.

use std::sync::Arc;
use std::time::Duration;

use libp2p_identity::Keypair;
use libp2p_quic_shared::{Config as QuicConfig, OptionOutOfRange, Ports};

use crate::certificate::MAX_CLOCK_SKEW;
use crate::cipher::CipherSuite;
use crate::clock::{Clock, SystemClock};

/// What separates the secret of the certificates from others that are derived from the same identity.
const CERTIFICATE_DOMAIN: &[u8] = b"libp2p webtransport certificates v1";

/// Longer than any of these times has a use for, and far below where clocks overflow.
const DAY: Duration = Duration::from_secs(86_400);

/// The configuration of a [`Transport`](crate::Transport).
///
/// Each field says what it is without being set, and what it may be; [`Transport::new`](crate::Transport::new)
/// refuses anything else. Times are at least 1 ms and at most a day where nothing else is said.
///
/// Fixed are: a peer's unidirectional streams (8 at once), what is buffered of datagrams, which nobody reads (16 KiB), what a
/// dialer may send before its peer id is known (64 KiB), streams that came before the request for their session (8), and
/// requests that are answered at once (8 before the session, 14 beside it). A socket asks for a receive buffer of 7 MiB, of
/// which the system gives what it allows.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// For UDP, TLS, HTTP/3, CONNECT and Noise together, on both sides. 10 s.
    pub handshake_timeout: Duration,

    /// For the peer to read with which code we end a session, before the connection is closed whether it has or
    /// not. 1 s.
    pub close_timeout: Duration,

    /// A connection on which nothing arrives for this long is lost. Peers have a say: the shorter
    /// counts. 10 s.
    pub max_idle_timeout: Duration,
    /// How often a quiet connection is kept alive; zero for never. At most half of our idle time-out (and of the
    /// peer's, which is not known here), or it would keep nothing. 5 s.
    pub keep_alive_interval: Duration,

    /// Streams that the peer may have open at once; it waits before it opens more. The session's own and
    /// the one that Noise used count as well. 256, of 3 to 65,536: every one that may be has an entry in a table.
    pub max_concurrent_streams: u32,
    /// What is buffered of one stream that nobody reads, in bytes: the peer stops sending at that.
    /// 10 MB, of 1 KiB or more.
    pub max_stream_data: u32,
    /// What is buffered of all streams of a connection, in bytes. A dialer gets 64 KiB until its peer id is
    /// known. 15 MB, of 1 KiB or more.
    pub max_connection_data: u32,
    /// What is buffered of what was written and not acknowledged yet, of all streams of a connection, in
    /// bytes: writes wait at that. 10 MB, of 1 KiB or more.
    pub max_send_data: u32,

    /// How long a stream may be open without saying which session it belongs to, before it is reset; `None` for
    /// as long as its connection lasts. `None`: go-libp2p says so with the first write, which may be much later
    /// than it opens a stream.
    pub stream_prefix_timeout: Option<Duration>,
    /// Streams of a connection that may be in that state at once. Where a further one does not come with its
    /// prefix at once, the oldest of them is reset. A packet that overtakes others opens every stream before its
    /// own, so less than may be open may reset streams whose data is on its way. `None`, for as many as may be open
    /// ([`Self::max_concurrent_streams`], or what shared ports have for it); of 1 or more.
    pub max_streams_awaiting_prefix: Option<usize>,
    /// For a dialer to send a request whole, and to take the answer. (The request for the session has the
    /// handshake's time-out as well.) 10 s.
    pub request_timeout: Duration,

    /// Handshakes under way at once on all listeners together; a further one is refused. From half of it
    /// on a dialer must prove that its address is its own first, which costs it a round trip. 512, of 1 or more.
    pub max_pending_sessions: usize,
    /// The same for one address (of IPv6: one /64). 64, of 1 or more.
    pub max_pending_sessions_per_address: usize,

    /// The largest header block, and the largest SETTINGS, that is taken, in bytes, encoded and decoded.
    /// 16 KiB, of 1 KiB to 1 MiB.
    pub max_header_bytes: usize,
    /// The longest capsule that is skipped, in bytes: a longer one ends the session. None is held, so any value
    /// will do. 16 KiB.
    pub max_capsule_bytes: usize,

    /// What a dialer offers to encrypt with, the most wanted first, and what a listener accepts: listeners of this
    /// crate and of go-libp2p take the first of the dialer's that they know. AES-128-GCM, ChaCha20-Poly1305,
    /// AES-256-GCM; 1 or more.
    pub cipher_suites: Vec<CipherSuite>,

    /// What the keys of the listener's certificates are derived from, so that a restart changes no address.
    ///
    /// By default derived from the identity. An RSA identity derives nothing: give 32 random bytes here,
    /// and the same ones after a restart. A transport that only dials needs none.
    pub certificate_secret: Option<[u8; 32]>,
    /// By how much the clocks of dialers may be off for our certificates to be valid for them, in whole
    /// seconds. Part of what determines the certificates. 1 h, of 0 to 3.5 days.
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
            close_timeout: Duration::from_secs(1),
            max_idle_timeout: Duration::from_secs(10),
            keep_alive_interval: Duration::from_secs(5),
            max_concurrent_streams: 256,
            max_stream_data: 10_000_000,
            max_connection_data: 15_000_000,
            max_send_data: 10_000_000,
            stream_prefix_timeout: None,
            max_streams_awaiting_prefix: None,
            request_timeout: Duration::from_secs(10),
            max_pending_sessions: 512,
            max_pending_sessions_per_address: 64,
            max_header_bytes: 16 << 10,
            max_capsule_bytes: 16 << 10,
            cipher_suites: vec![
                CipherSuite::Aes128Gcm,
                CipherSuite::ChaCha20Poly1305,
                CipherSuite::Aes256Gcm,
            ],
            certificate_secret: identity.derive_secret(CERTIFICATE_DOMAIN),
            clock_skew: Duration::from_secs(3600),
            certificate_check_interval: Duration::from_secs(30),
            clock: Arc::new(SystemClock),
            identity: identity.clone(),
        }
    }

    /// Ports that nobody shares.
    pub(crate) fn ports(&self) -> Result<Ports, OptionOutOfRange> {
        Ports::new(self.quic())
    }

    /// The options of QUIC's own.
    fn quic(&self) -> QuicConfig {
        let mut quic = QuicConfig::new(&self.identity);
        quic.handshake_timeout = self.handshake_timeout;
        quic.max_idle_timeout = self.max_idle_timeout;
        quic.keep_alive_interval = self.keep_alive_interval;
        quic.max_concurrent_streams = self.max_concurrent_streams;
        quic.max_stream_data = self.max_stream_data;
        quic.max_connection_data = self.max_connection_data;
        quic.max_send_data = self.max_send_data;
        quic.max_pending_handshakes = self.max_pending_sessions;
        quic.max_pending_handshakes_per_address = self.max_pending_sessions_per_address;
        quic
    }

    /// Refuses options that nothing can be made of. Those of QUIC's are checked there, but for the two that have
    /// other names here, and for the streams, of which a session needs more.
    pub(crate) fn check(&self) -> Result<(), OptionOutOfRange> {
        let time = Duration::from_millis(1)..=DAY;
        OptionOutOfRange::check("close_timeout", self.close_timeout, time.clone())?;
        OptionOutOfRange::check(
            "max_concurrent_streams",
            self.max_concurrent_streams,
            3..=1 << 16,
        )?;
        if let Some(timeout) = self.stream_prefix_timeout {
            OptionOutOfRange::check("stream_prefix_timeout", timeout, time.clone())?;
        }
        let some = 1..=usize::MAX;
        if let Some(awaiting) = self.max_streams_awaiting_prefix {
            OptionOutOfRange::check("max_streams_awaiting_prefix", awaiting, some.clone())?;
        }
        OptionOutOfRange::check("request_timeout", self.request_timeout, time.clone())?;
        OptionOutOfRange::check("max_pending_sessions", self.max_pending_sessions, some.clone())?;
        let per_address = self.max_pending_sessions_per_address;
        OptionOutOfRange::check("max_pending_sessions_per_address", per_address, some)?;
        self.quic().check()?;
        OptionOutOfRange::check("max_header_bytes", self.max_header_bytes, 1 << 10..=1 << 20)?;
        let suites = self.cipher_suites.len();
        OptionOutOfRange::check("number of cipher_suites", suites, 1..=usize::MAX)?;
        OptionOutOfRange::check("clock_skew", self.clock_skew, Duration::ZERO..=MAX_CLOCK_SKEW)?;
        OptionOutOfRange::check("certificate_check_interval", self.certificate_check_interval, time)
    }

    /// What a session has to keep within, on ports with this configuration.
    pub(crate) fn limits(&self, quic: &QuicConfig) -> Limits {
        let open = quic.max_concurrent_streams;
        Limits {
            prefix_timeout: self.stream_prefix_timeout,
            awaiting_prefix: self.max_streams_awaiting_prefix.unwrap_or(open as usize),
            request_timeout: self.request_timeout,
            close_timeout: self.close_timeout,
            header_bytes: self.max_header_bytes,
            capsule_bytes: self.max_capsule_bytes,
            connection_data: quic.max_connection_data,
        }
    }
}

/// What a session has to keep within.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) prefix_timeout: Option<Duration>,
    pub(crate) awaiting_prefix: usize,
    pub(crate) request_timeout: Duration,
    pub(crate) close_timeout: Duration,
    pub(crate) header_bytes: usize,
    pub(crate) capsule_bytes: usize,
    /// From when the peer is known on.
    pub(crate) connection_data: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> Config {
        Config::new(&Keypair::ed25519_from_bytes([1; 32]).unwrap())
    }

    /// What the error says that such options are refused with.
    fn refused(change: impl FnOnce(&mut Config)) -> String {
        let mut config = defaults();
        change(&mut config);
        config.check().unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_will_do() {
        defaults().check().unwrap();
    }

    #[test]
    fn the_ends_of_a_range_belong_to_it() {
        let mut config = defaults();
        config.max_concurrent_streams = 3;
        config.keep_alive_interval = Duration::ZERO;
        config.stream_prefix_timeout = Some(Duration::from_millis(1));
        config.handshake_timeout = DAY;
        config.clock_skew = MAX_CLOCK_SKEW;
        config.max_header_bytes = 1 << 20;
        config.max_capsule_bytes = 0;
        config.check().unwrap();
    }

    #[test]
    fn an_error_names_option_value_and_range() {
        assert_eq!(
            refused(|config| config.max_concurrent_streams = 2),
            "the option max_concurrent_streams is 2, and has to be within 3..=65536"
        );
        assert_eq!(
            refused(|config| config.keep_alive_interval = Duration::from_secs(6)),
            "the option keep_alive_interval is 6s, and has to be within 0ns..=5s"
        );
    }

    #[test]
    fn every_option_is_checked() {
        const ZERO: Duration = Duration::ZERO;
        type Change = fn(&mut Config);
        let changes: [(&str, Change); 18] = [
            ("handshake_timeout", |config| config.handshake_timeout = ZERO),
            ("handshake_timeout", |config| config.handshake_timeout = Duration::MAX),
            ("close_timeout", |config| config.close_timeout = ZERO),
            ("max_idle_timeout", |config| config.max_idle_timeout = ZERO),
            ("keep_alive_interval", |config| config.keep_alive_interval = config.max_idle_timeout),
            ("max_concurrent_streams", |config| config.max_concurrent_streams = u32::MAX),
            ("max_stream_data", |config| config.max_stream_data = 0),
            ("max_connection_data", |config| config.max_connection_data = 0),
            ("max_send_data", |config| config.max_send_data = 0),
            ("stream_prefix_timeout", |config| config.stream_prefix_timeout = Some(ZERO)),
            ("max_streams_awaiting_prefix", |config| config.max_streams_awaiting_prefix = Some(0)),
            ("request_timeout", |config| config.request_timeout = ZERO),
            ("max_pending_sessions", |config| config.max_pending_sessions = 0),
            ("max_pending_sessions_per_address", |config| {
                config.max_pending_sessions_per_address = 0;
            }),
            ("max_header_bytes", |config| config.max_header_bytes = 100),
            ("number of cipher_suites", |config| config.cipher_suites.clear()),
            ("clock_skew", |config| config.clock_skew = 2 * MAX_CLOCK_SKEW),
            ("certificate_check_interval", |config| config.certificate_check_interval = ZERO),
        ];
        for (option, change) in changes {
            let error = refused(change);
            assert!(error.starts_with(&format!("the option {option} is ")), "{error}");
        }
    }
}
