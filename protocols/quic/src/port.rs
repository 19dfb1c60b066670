//! One UDP socket, and the protocols that are listened for on it.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use quinn::crypto::rustls::QuicServerConfig;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
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

/// A socket that is listened on. Dropping it takes no more dialers; connections that stand stay.
pub(crate) struct Port {
    pub(crate) socket: BoundSocket,
    pub(crate) local: SocketAddr,
    config: Config,
    server: quinn::ServerConfig,
    tls: Arc<ByAlpn>,
    listeners: Arc<Listeners>,
    dispatcher: AbortHandle,
}

/// The listeners of a port.
#[derive(Default)]
struct Listeners(Mutex<Vec<Listener>>);

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
        let listeners = Arc::new(Listeners::default());
        let dispatcher = Dispatcher {
            endpoint: socket.endpoint.clone(),
            local,
            config: config.clone(),
            pending: pending.clone(),
            listeners: Arc::clone(&listeners),
        };
        let dispatcher = tokio::spawn(dispatcher.run()).abort_handle();
        let config = config.clone();
        let port = Self { socket, local, config, server, tls, listeners, dispatcher };
        let arrivals = port.register(alpn, needs, crypto)?;
        Ok((Arc::new(port), arrivals))
    }

    /// Whether its socket is still read.
    pub(crate) fn is_alive(&self) -> bool {
        !self.dispatcher.is_finished()
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
        let mut listeners = self.listeners.lock();
        if !self.tls.add(alpn, crypto) {
            let alpn = alpn.escape_ascii();
            let taken = format!("{} is listened on for ALPN {alpn} already", self.local);
            return Err(io::Error::new(io::ErrorKind::AddrInUse, taken));
        }
        let (sender, arrivals) = mpsc::unbounded_channel();
        listeners.push(Listener { alpn, needs, arrivals: sender });
        self.configure(&listeners);
        Ok(arrivals)
    }

    /// Listens for it no more.
    pub(crate) fn remove(&self, alpn: &[u8]) {
        let mut listeners = self.listeners.lock();
        self.tls.remove(alpn);
        listeners.retain(|listener| listener.alpn != alpn);
        self.configure(&listeners);
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
}

impl Drop for Port {
    fn drop(&mut self) {
        self.socket.endpoint.set_server_config(None);
        self.dispatcher.abort();
        // Nobody else would ever answer them.
        while let Some(Some(waiting)) = self.socket.endpoint.accept().now_or_never() {
            waiting.refuse();
        }
    }
}

impl Listeners {
    fn lock(&self) -> MutexGuard<'_, Vec<Listener>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_over(&self, alpn: &[u8], arrival: Arrival) {
        let listeners = self.lock();
        if let Some(listener) = listeners.iter().find(|listener| listener.alpn == alpn) {
            // An error means that it has just been closed, and with it whoever arrived.
            let _ = listener.arrivals.send(arrival);
        }
    }
}

/// Takes dialers, and hands each to the listener for its protocol.
struct Dispatcher {
    endpoint: quinn::Endpoint,
    local: SocketAddr,
    config: Config,
    pending: Pending,
    listeners: Arc<Listeners>,
}

impl Dispatcher {
    /// Until the socket cannot be read any more: quinn logs why.
    async fn run(self) {
        // As many as there are places at most.
        let mut unrecognised = FuturesUnordered::new();
        loop {
            tokio::select! {
                incoming = self.endpoint.accept() => match incoming {
                    Some(incoming) => match self.admit(incoming) {
                        Some(arrival) => unrecognised.push(arrival.recognised()),
                        // Many may be turned away: others of this thread have their turn between them.
                        None => tokio::task::yield_now().await,
                    },
                    None => break,
                },
                Some(recognised) = unrecognised.next() => {
                    if let Some((alpn, arrival)) = recognised {
                        self.listeners.hand_over(&alpn, arrival);
                    }
                }
            }
        }
        // Each learns of it by the end of what arrives.
        self.listeners.lock().clear();
    }

    fn admit(&self, incoming: quinn::Incoming) -> Option<Arrival> {
        let remote = incoming.remote_address();
        let is_proved = incoming.remote_address_validated() || !incoming.may_retry();
        match self.pending.admit(remote.ip(), is_proved) {
            Admission::Granted(place) => {
                let ip = incoming.local_ip().filter(|ip| !ip.is_unspecified());
                let local = SocketAddr::new(ip.unwrap_or(self.local.ip()), self.local.port());
                let deadline = Instant::now() + self.config.handshake_timeout;
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

fn quic(protocol: Protocol) -> io::Result<Arc<QuicServerConfig>> {
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
