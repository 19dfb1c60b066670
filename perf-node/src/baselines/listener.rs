//! A listener whose connections have no streams: raw-tcp, raw-tls, raw-noise.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use harness_sdk::{BoxError, Config, Listener, Meter, Shutdown, Transport, chain, stall};
use libp2p::PeerId;
use libp2p::multiaddr::Protocol;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::channel::Stream;
use super::exchange::{self, Header};
use super::{address, noise, tcp, tls};
use crate::buffers::Buffers;
use crate::cipher::Cipher;
use crate::connection::Counts;
use crate::identity;

/// For a dialer's handshake.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);

/// A connection without a request is closed after this long, as with libp2p.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);

/// Where accepting fails, for want of descriptors for one: until it is tried again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A bound TCP listener.
pub struct ChannelListener {
    listener: TcpListener,
    local: SocketAddr,
    transport: Transport,
    layer: Layer,
    stall: Duration,
    one_off: bool,
}

impl ChannelListener {
    pub(super) fn bind(config: &Config, cipher: Option<Cipher>) -> Result<Self, BoxError> {
        let (wanted, transport) = (SocketAddr::new(config.ip, config.port), config.stack.transport);
        let layer = Layer::new(config, cipher)?;
        let bound = tcp::bind(wanted).and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (local, listener) = bound.map_err(|error| {
            format!("cannot listen on {}: {error}", address::of(transport, wanted))
        })?;
        let Config { stall, one_off, .. } = *config;
        Ok(Self { listener, local, transport, layer, stall, one_off })
    }
}

impl Listener for ChannelListener {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn address(&self, ip: IpAddr) -> String {
        let address = address::of(self.transport, SocketAddr::new(ip, self.local.port()));
        match self.layer {
            Layer::Noise(_, peer) => address.with(Protocol::P2p(peer)).to_string(),
            _ => address.to_string(),
        }
    }

    async fn serve(self, mut shutdown: Shutdown) -> Result<(), BoxError> {
        let buffers = Buffers::default();
        let (mut connections, mut served) = (JoinSet::new(), false);
        loop {
            tokio::select! {
                () = shutdown.requested() => return Ok(()),
                accepted = tcp::accept(&self.listener) => match accepted {
                    Ok((tcp, from)) => {
                        let layer = self.layer.clone();
                        connections.spawn(connection(layer, tcp, from, self.stall, buffers.clone()));
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

/// Secures and serves one connection, to its end; whether it came to that.
async fn connection(
    layer: Layer,
    tcp: TcpStream,
    from: SocketAddr,
    limit: Duration,
    buffers: Buffers,
) -> bool {
    let secured = timeout(HANDSHAKE_PATIENCE, layer.secure(tcp)).await;
    let mut stream = match secured.unwrap_or_else(|_| Err("no handshake in time".into())) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::info!("a dialer at {from} could not connect: {}", chain(error.as_ref()));
            return false;
        }
    };
    tracing::debug!("connected from {from}");
    while let Some(header) = next(&mut stream).await {
        let mut buffer = buffers.take();
        let meter = Meter::start();
        let counts = Counts(&meter);
        let answering = exchange::answer(&mut stream, header, &counts, &mut buffer);
        match stall::guard(&meter, limit, answering).await {
            Ok(Ok(served)) => tracing::debug!("{served:?}"),
            Ok(Err(error)) => {
                tracing::debug!("a connection broke: {error}");
                break;
            }
            Err(stalled) => {
                tracing::info!("a connection was closed: {stalled}");
                break;
            }
        }
        buffers.keep(buffer);
    }
    tracing::debug!("{from} is gone");
    true
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

    async fn secure(self, tcp: TcpStream) -> Result<Stream, BoxError> {
        Ok(match self {
            Self::None => tcp::stream(tcp),
            Self::Tls(acceptor) => tls::inbound(acceptor, tcp).await?,
            Self::Noise(noise, _) => noise::inbound(*noise, tcp).await?,
        })
    }
}
