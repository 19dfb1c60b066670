//! A dialer's connection that has no streams: raw-tcp, raw-tls, raw-noise.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use futures::{AsyncRead, AsyncWrite, AsyncWriteExt};
use harness_sdk::{
    BoxError, Class, Config, Connection, Details, Failure, Meter, Phase, Transport, TransportInfo,
};
use libp2p::Multiaddr;
use perf_protocol::ReadBuffer;
use tokio::sync::Mutex;

use super::certificate::UNVERIFIED;
use super::exchange::{self, DIALECT, Header};
use super::{NO_NEGOTIATION, address, noise, tcp, tls};
use crate::cipher::Cipher;
use crate::connection::Counts;
use crate::identity::DialerIdentity;
use crate::tcp_info::TcpSocket;

/// Whatever bytes go through, both ways.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

pub(super) type Stream = Box<dyn Duplex>;

/// A connection over which one request after the other is made.
pub struct ChannelConnection {
    transport: Transport,
    /// Taken by the request under way. `None` once one broke, or was given up: what comes next on the
    /// stream is of that one.
    channel: Mutex<Option<Channel>>,
    details: Details,
    /// What the transport of a channel did that is no more.
    last: Arc<OnceLock<TransportInfo>>,
}

struct Channel {
    stream: Stream,
    buffer: ReadBuffer,
    /// Closed with the stream: the peer is to know at once.
    socket: Option<TcpSocket>,
    last: Arc<OnceLock<TransportInfo>>,
}

impl Drop for Channel {
    fn drop(&mut self) {
        if let Some(socket) = &self.socket {
            let _ = self.last.set(socket.info());
        }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect to {address} with {transport}")]
struct CannotConnect {
    address: Multiaddr,
    transport: Transport,
    #[source]
    source: BoxError,
}

impl ChannelConnection {
    /// Connects to `address`, an IP's. With TLS `cipher` is offered, or the default; to Noise the dialer is
    /// who `identity` is.
    pub(super) async fn connect(
        config: &Config,
        address: &Multiaddr,
        cipher: Option<Cipher>,
        identity: &DialerIdentity,
    ) -> Result<Self, BoxError> {
        let transport = config.stack.transport;
        let failed = |source| CannotConnect { address: address.clone(), transport, source };
        let to = address::socket(address).ok_or_else(|| failed("it has no IP and port".into()))?;
        // Made now: neither key nor certificate belongs to a phase.
        let layer = Layer::new(config, address, cipher, identity)?;
        let started = Instant::now();
        let tcp = tcp::connect(to).await.map_err(|error| failed(error.into()))?;
        let dialed = Instant::now();
        // Without one more descriptor there is less to tell, and no less to measure.
        let socket = TcpSocket::of(&tcp).ok();
        let mut details = Details {
            phases: vec![("dial", dialed - started)],
            negotiation: Some(NO_NEGOTIATION),
            stack: vec![("exchange", DIALECT.to_owned())],
            ..Details::default()
        };
        layer.describe(&mut details);
        let is_secured = !matches!(layer, Layer::None);
        let stream = layer.secure(tcp).await.map_err(failed)?;
        if is_secured {
            details.phases.push(("security", dialed.elapsed()));
        }
        let last = Arc::default();
        let channel =
            Channel { stream, buffer: ReadBuffer::new(), socket, last: Arc::clone(&last) };
        Ok(Self { transport, channel: Mutex::new(Some(channel)), details, last })
    }

    async fn exchange(&self, phase: Phase, header: Header, meter: &Meter) -> Result<(), BoxError> {
        let Ok(mut held) = self.channel.try_lock() else {
            let message = format!(
                "{} has no streams: it carries one request at a time; raw-quic carries several",
                self.transport
            );
            return Err(Failure::new(Class::Unsupported, phase, message).into());
        };
        let Some(mut channel) = held.take() else {
            return Err("the connection ended in the middle of an earlier request".into());
        };
        meter.opened();
        let Channel { stream, buffer, .. } = &mut channel;
        exchange::request(stream, header, &Counts(meter), buffer).await?;
        *held = Some(channel);
        Ok(())
    }
}

impl Connection for ChannelConnection {
    async fn upload(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
        self.exchange(Phase::Upload, Header { upload: bytes, download: 0 }, meter).await
    }

    async fn download(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
        self.exchange(Phase::Download, Header { upload: 0, download: bytes }, meter).await
    }

    async fn latency(&self, meter: &Meter) -> Result<(), BoxError> {
        self.exchange(Phase::Latency, Header { upload: 1, download: 1 }, meter).await
    }

    fn details(&self) -> Details {
        self.details.clone()
    }

    fn transport(&self) -> Option<TransportInfo> {
        let held = self.channel.try_lock().ok();
        let socket = held.as_ref().and_then(|held| held.as_ref()?.socket.as_ref());
        socket.map(TcpSocket::info).or_else(|| self.last.get().copied())
    }

    async fn close(self) {
        if let Some(mut channel) = self.channel.into_inner() {
            // An error means that the listener was faster.
            let _ = channel.stream.close().await;
        }
    }
}

/// What a dialer puts on TCP.
enum Layer {
    None,
    Tls(tokio_rustls::TlsConnector, Cipher),
    Noise(Box<libp2p::noise::Config>, Option<libp2p::PeerId>),
}

impl Layer {
    fn new(
        config: &Config,
        address: &Multiaddr,
        cipher: Option<Cipher>,
        identity: &DialerIdentity,
    ) -> Result<Self, BoxError> {
        Ok(match config.stack.transport {
            Transport::RawTls => {
                let cipher = cipher.unwrap_or_default();
                Self::Tls(tls::dialer(cipher)?, cipher)
            }
            Transport::RawNoise => {
                let keypair = identity.keypair(config)?;
                Self::Noise(Box::new(noise::config(keypair)?), noise::peer_of(address))
            }
            _ => Self::None,
        })
    }

    fn describe(&self, details: &mut Details) {
        if let Self::Tls(_, cipher) = self {
            // The only one offered: TLS agrees on no other.
            details.stack.push(("cipher_suite", cipher.suite_name().to_owned()));
            let (name, value) = UNVERIFIED;
            details.extra.push((name, value.to_owned()));
        }
    }

    async fn secure(self, tcp: tokio::net::TcpStream) -> Result<Stream, BoxError> {
        Ok(match self {
            Self::None => tcp::stream(tcp),
            Self::Tls(connector, _) => tls::outbound(connector, tcp).await?,
            Self::Noise(noise, expected) => noise::outbound(*noise, tcp, expected).await?,
        })
    }
}
