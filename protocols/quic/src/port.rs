//! One UDP socket, and the protocols that are listened for on it.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use quinn::crypto::rustls::QuicServerConfig;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::alpn::ByAlpn;
use crate::arrival::Arrival;
use crate::config::{Config, Needs};
use crate::pending::{Admission, Pending};
use crate::socket::BoundSocket;

/// What is listened for on a port.
pub struct Protocol {
    /// What dialers ask for it by.
    pub alpn: &'static [u8],
    /// Its certificate, and whether the dialer needs one. The ALPN in it need not be set. TLS 1.3, with any of its
    /// cipher suites.
    pub tls: rustls::ServerConfig,
    /// What its connections need.
    pub needs: Needs,
}

/// A socket, and the protocols that are listened for on it.
///
/// One without any takes no dialers, and is kept for as long as it has connections: they need the socket, so that who
/// listens there again could have no other.
pub(crate) struct Port {
    pub(crate) socket: BoundSocket,
    pub(crate) local: SocketAddr,
    config: Config,
    server: quinn::ServerConfig,
    tls: Arc<ByAlpn>,
    /// `None` once the socket is not read any more.
    listeners: Mutex<Option<Vec<Listener>>>,
    /// A listener has gone.
    removed: Notify,
}

struct Listener {
    alpn: &'static [u8],
    needs: Needs,
    /// Each that is in it holds a place, of which there are only so many.
    arrivals: mpsc::UnboundedSender<Arrival>,
}

/// What a listener gets from its port.
pub(crate) type Arrivals = mpsc::UnboundedReceiver<Arrival>;

impl Port {
    /// A port that `protocol` is listened for on.
    pub(crate) fn open(
        socket: BoundSocket,
        config: &Config,
        pending: &Pending,
        protocol: Protocol,
    ) -> io::Result<(Arc<Self>, Arrivals)> {
        let local = socket.endpoint.local_addr()?;
        let (alpn, needs) = (protocol.alpn, protocol.needs);
        let crypto = quic(protocol)?;
        let tls = Arc::new(ByAlpn::new(Arc::clone(&crypto)));
        let mut server = quinn::ServerConfig::with_crypto(Arc::clone(&tls) as _);
        config.bound(&mut server);
        let config = config.clone();
        let listeners = Mutex::new(Some(Vec::new()));
        let removed = Notify::new();
        let port = Arc::new(Self { socket, local, config, server, tls, listeners, removed });
        let arrivals = port.register(alpn, needs, crypto)?;
        let dispatcher = Dispatcher { port: Arc::clone(&port), pending: pending.clone() };
        tokio::spawn(dispatcher.run());
        Ok((port, arrivals))
    }

    /// Whether its socket is still read.
    pub(crate) fn is_alive(&self) -> bool {
        self.lock().is_some()
    }

    /// Whether anything is listened for on it.
    pub(crate) fn is_listened_on(&self) -> bool {
        self.lock().as_ref().is_some_and(|listeners| !listeners.is_empty())
    }

    /// Listens for `protocol` as well.
    pub(crate) fn add(&self, protocol: Protocol) -> io::Result<Arrivals> {
        let (alpn, needs) = (protocol.alpn, protocol.needs);
        self.register(alpn, needs, quic(protocol)?)
    }

    fn register(
        &self,
        alpn: &'static [u8],
        needs: Needs,
        crypto: Arc<QuicServerConfig>,
    ) -> io::Result<Arrivals> {
        let in_use = |what| {
            let error = format!("{} {what}", self.local);
            io::Error::new(io::ErrorKind::AddrInUse, error)
        };
        let mut listeners = self.lock();
        let listeners = listeners.as_mut().ok_or_else(|| in_use("is just being let go".into()))?;
        if !self.tls.add(alpn, crypto) {
            return Err(in_use(format!("is listened on for ALPN {} already", alpn.escape_ascii())));
        }
        let (sender, arrivals) = mpsc::unbounded_channel();
        listeners.push(Listener { alpn, needs, arrivals: sender });
        self.configure(listeners);
        Ok(arrivals)
    }

    /// Listens for it no more.
    pub(crate) fn remove(&self, alpn: &[u8]) {
        let mut listeners = self.lock();
        self.tls.remove(alpn);
        if let Some(listeners) = listeners.as_mut() {
            listeners.retain(|listener| listener.alpn != alpn);
            self.configure(listeners);
        }
        self.removed.notify_one();
    }

    /// What QUIC runs with has to be said before the protocol is known: it has to serve all.
    fn configure(&self, listeners: &[Listener]) {
        let needs = listeners.iter().map(|listener| listener.needs).reduce(Needs::and);
        let server = needs.map(|needs| {
            let mut server = self.server.clone();
            server.transport_config(self.config.transport(needs));
            server
        });
        self.socket.endpoint.set_server_config(server);
    }

    fn hand_over(&self, alpn: &[u8], arrival: Arrival) {
        let listeners = self.lock();
        if let Some(listener) = listeners.iter().flatten().find(|listener| listener.alpn == alpn) {
            // An error means that it has just been closed, and with it whoever arrived.
            let _ = listener.arrivals.send(arrival);
        }
    }

    /// Lets go of the socket, where nothing is listened for.
    fn close_unused(&self) -> bool {
        let mut listeners = self.lock();
        if listeners.as_ref().is_some_and(Vec::is_empty) {
            *listeners = None;
        }
        listeners.is_none()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Listener>>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes dialers, and hands each to the listener for its protocol.
struct Dispatcher {
    port: Arc<Port>,
    pending: Pending,
}

impl Dispatcher {
    /// Until the socket cannot be read any more, which quinn logs, or nobody needs it.
    async fn run(self) {
        let port = &self.port;
        // As many as there are places at most.
        let mut unrecognised = FuturesUnordered::new();
        loop {
            tokio::select! {
                incoming = port.socket.endpoint.accept() => match incoming {
                    Some(incoming) => match self.admit(incoming) {
                        Some(arrival) => unrecognised.push(arrival.recognised()),
                        // Many may be turned away: others of this thread have their turn between them.
                        None => tokio::task::yield_now().await,
                    },
                    None => break,
                },
                Some(recognised) = unrecognised.next() => {
                    if let Some((alpn, arrival)) = recognised {
                        port.hand_over(&alpn, arrival);
                    }
                }
                () = port.removed.notified() => if !port.is_listened_on() {
                    unrecognised.clear();
                },
                () = port.socket.endpoint.wait_idle(), if !port.is_listened_on() => {
                    if port.close_unused() {
                        break;
                    }
                }
            }
        }
    }

    fn admit(&self, incoming: quinn::Incoming) -> Option<Arrival> {
        let port = &self.port;
        let remote = incoming.remote_address();
        let is_proved = incoming.remote_address_validated() || !incoming.may_retry();
        match self.pending.admit(remote.ip(), is_proved) {
            Admission::Granted(place) => {
                let ip = incoming.local_ip().filter(|ip| !ip.is_unspecified());
                let local = SocketAddr::new(ip.unwrap_or(port.local.ip()), port.local.port());
                let deadline = Instant::now() + port.config.handshake_timeout;
                match incoming.accept() {
                    Ok(connecting) => Some(Arrival::new(connecting, local, deadline, place)),
                    Err(error) => {
                        tracing::debug!("{remote} was refused: {error}");
                        None
                    }
                }
            }
            Admission::ProveAddress => {
                // An error means that it cannot be asked to, which was looked at.
                let _ = incoming.retry();
                None
            }
            Admission::Refused => {
                tracing::debug!("{remote} was refused: too many handshakes are under way");
                incoming.refuse();
                None
            }
        }
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        // Each listener learns of it by the end of what arrives.
        *self.port.lock() = None;
        // Nobody else would ever answer them.
        while let Some(Some(waiting)) = self.port.socket.endpoint.accept().now_or_never() {
            waiting.refuse();
        }
    }
}

/// What TLS of `protocol` runs with.
pub(crate) fn quic(protocol: Protocol) -> io::Result<Arc<QuicServerConfig>> {
    let mut tls = protocol.tls;
    tls.alpn_protocols = vec![protocol.alpn.to_vec()];
    let unfit =
        |error: Box<dyn Error + Send + Sync>| io::Error::new(io::ErrorKind::InvalidInput, error);
    // The first packets are AES's, whatever is agreed on in them (RFC 9001, section 5.2).
    let initial = TLS13_AES_128_GCM_SHA256.tls13().and_then(|suite| suite.quic_suite());
    let initial = initial.ok_or_else(|| unfit("ring has no AES-128-GCM for QUIC".into()))?;
    let crypto = QuicServerConfig::with_initial(Arc::new(tls), initial);
    Ok(Arc::new(crypto.map_err(|error| unfit(error.into()))?))
}
