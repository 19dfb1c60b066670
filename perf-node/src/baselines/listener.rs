//! A listener whose connections have no streams: raw-tcp, raw-tls, raw-noise.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use harness_sdk::{BoxError, Config, Listener, Meter, Shutdown, Transport, chain};
use libp2p::PeerId;
use libp2p::multiaddr::Protocol;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::channel::Stream;
use super::exchange::{self, Header};
use super::{HANDSHAKE_PATIENCE, IDLE_CONNECTION_TIMEOUT, address, noise, tcp, tls};
use crate::buffers::Buffers;
use crate::cipher::Cipher;
use crate::connection::Counts;
use crate::identity;
use crate::limits::Gate;

/// Where accepting fails, for want of descriptors for one: until it is tried again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A bound TCP listener.
pub struct ChannelListener {
    listener: TcpListener,
    local: SocketAddr,
    transport: Transport,
    service: Service,
    one_off: bool,
}

impl ChannelListener {
    pub(super) fn bind(
        config: &Config,
        cipher: Option<Cipher>,
        gate: Gate,
    ) -> Result<Self, BoxError> {
        let (wanted, transport) = (SocketAddr::new(config.ip, config.port), config.stack.transport);
        let layer = Layer::new(config, cipher)?;
        let bound = tcp::bind(wanted).and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (local, listener) = bound.map_err(|error| {
            format!("cannot listen on {}: {error}", address::of(transport, wanted))
        })?;
        let service = Service { layer, gate, stall: config.stall, buffers: Buffers::default() };
        Ok(Self { listener, local, transport, service, one_off: config.one_off })
    }
}

impl Listener for ChannelListener {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn address(&self, ip: IpAddr) -> String {
        let address = address::of(self.transport, SocketAddr::new(ip, self.local.port()));
        match self.service.layer {
            Layer::Noise(_, peer) => address.with(Protocol::P2p(peer)).to_string(),
            _ => address.to_string(),
        }
    }

    async fn serve(self, mut shutdown: Shutdown) -> Result<(), BoxError> {
        let (mut connections, mut served) = (JoinSet::new(), false);
        loop {
            tokio::select! {
                () = shutdown.requested() => return Ok(()),
                accepted = tcp::accept(&self.listener) => match accepted {
                    Ok((tcp, from)) => {
                        connections.spawn(self.service.clone().serve(tcp, from));
                    }
                    Err(error) => {
                        tracing::info!("listening: {error}");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(was_one) = connections.join_next() => {
                    served |= was_one.unwrap_or(true);
                    // A dialer may have several, one after the other beside its first.
                    if self.one_off && served && connections.is_empty() {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// What each connection of a listener is served with.
#[derive(Clone)]
struct Service {
    layer: Layer,
    gate: Gate,
    stall: Duration,
    buffers: Buffers,
}

impl Service {
    /// Secures and serves one connection, to its end; whether it came to stand.
    async fn serve(self, tcp: TcpStream, from: SocketAddr) -> bool {
        let Ok(handshake) = self.gate.handshake(&from) else { return false };
        let secured = timeout(HANDSHAKE_PATIENCE, self.layer.clone().secure(tcp)).await;
        let (peer, stream) = match secured.unwrap_or_else(|_| Err("no handshake in time".into())) {
            Ok(secured) => secured,
            Err(error) => {
                tracing::info!("a dialer at {from} could not connect: {}", chain(error.as_ref()));
                return false;
            }
        };
        drop(handshake);
        let who = peer.map_or_else(|| from.to_string(), |peer| peer.to_string());
        let Ok(_place) = self.gate.connection(&who, peer.as_ref()) else { return false };
        tracing::debug!("connected from {from}");
        self.gate.while_allowed(&who, self.answer_all(stream)).await;
        tracing::debug!("{who} is gone");
        true
    }

    /// Answers one request after the other, until there is none, or one of them is not answered.
    async fn answer_all(&self, mut stream: Stream) {
        while let Some(header) = next(&mut stream).await {
            let Ok(_place) = self.gate.request(header.upload, header.download) else { return };
            let mut buffer = self.buffers.take();
            let meter = Meter::start();
            let counts = Counts(&meter);
            let mut paced = self.gate.pace(&mut stream);
            let waits = paced.waits();
            let answering = exchange::answer(&mut paced, header, &counts, &mut buffer);
            match waits.guard(&meter, self.stall, answering).await {
                Ok(Ok(served)) => tracing::debug!("{served:?}"),
                Ok(Err(error)) => {
                    tracing::debug!("a connection broke: {error}");
                    return;
                }
                Err(stalled) => {
                    tracing::info!("a connection was closed: {stalled}");
                    return;
                }
            }
            self.buffers.keep(buffer);
        }
    }
}

/// The next request; `None`: there is none.
async fn next(stream: &mut Stream) -> Option<Header> {
    match timeout(IDLE_CONNECTION_TIMEOUT, Header::read(stream)).await {
        Ok(Ok(header)) => header,
        Ok(Err(error)) => {
            tracing::debug!("a connection broke: {error}");
            None
        }
        Err(_) => None,
    }
}

/// What a listener expects on TCP.
#[derive(Clone)]
enum Layer {
    None,
    Tls(tokio_rustls::TlsAcceptor),
    Noise(Box<libp2p::noise::Config>, PeerId),
}

impl Layer {
    fn new(config: &Config, cipher: Option<Cipher>) -> Result<Self, BoxError> {
        Ok(match config.stack.transport {
            Transport::RawTls => Self::Tls(tls::listener(cipher)?),
            Transport::RawNoise => {
                let keypair = identity::load(config.identity.as_deref())?;
                let peer = keypair.public().to_peer_id();
                Self::Noise(Box::new(noise::config(&keypair)?), peer)
            }
            _ => Self::None,
        })
    }

    /// What requests come on, and from whom, where that is told.
    async fn secure(self, tcp: TcpStream) -> Result<(Option<PeerId>, Stream), BoxError> {
        Ok(match self {
            Self::None => (None, tcp::stream(tcp)),
            Self::Tls(acceptor) => (None, tls::inbound(acceptor, tcp).await?),
            Self::Noise(noise, _) => {
                let (peer, stream) = noise::inbound(*noise, tcp).await?;
                (Some(peer), stream)
            }
        })
    }
}
