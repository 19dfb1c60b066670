//! raw-quic: quinn with its defaults, and the exchange of perf on a stream of its own each time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use harness_sdk::{
    BoxError, Config, Connection, Details, Listener, Meter, Shutdown, SocketBuffers, Transport,
    TransportInfo, chain,
};
use libp2p::Multiaddr;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    ClientConfig, Endpoint, EndpointConfig, Incoming, ServerConfig, TokioRuntime, TransportConfig,
    VarInt,
};
use socket2::Type;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, timeout};

use super::certificate::{self, UNVERIFIED};
use super::quic_stream::QuicStream;
use super::{HANDSHAKE_PATIENCE, IDLE_CONNECTION_TIMEOUT, NO_NEGOTIATION, address, socket};
use crate::buffers::Buffers;
use crate::cipher::{self, Cipher};
use crate::connection::Counts;
use crate::limits::Gate;
use crate::listener::serve_stream;
use crate::quic_info::quic_info;
use crate::swarm::After;
use crate::tcp_info::buffers;

/// A certificate's name; nobody looks at it.
const SERVER_NAME: &str = "perf-node";

/// For an answer, as with libp2p-quic: nobody says that nobody listens.
const DIAL_PATIENCE: Duration = Duration::from_secs(5);

/// Why a connection is closed that nobody needs any more.
const DONE: VarInt = VarInt::from_u32(0);

/// Why one is closed that somebody may still need.
const REFUSED: VarInt = VarInt::from_u32(1);

/// A dialer's connection.
pub struct QuicConnection {
    connection: quinn::Connection,
    socket: Option<SocketBuffers>,
    buffers: Buffers,
    details: Details,
}

impl QuicConnection {
    /// Connects to `address`, an IP's, and offers `cipher` alone.
    pub(super) async fn connect(address: &Multiaddr, cipher: Cipher) -> Result<Self, BoxError> {
        let to = address::socket(address);
        let to = to.ok_or_else(|| format!("cannot connect to {address}: it has no IP and port"))?;
        let tls = Arc::new(certificate::client(cipher)?);
        let crypto = QuicClientConfig::with_initial(tls, initial()?)?;
        let client = ClientConfig::new(Arc::new(crypto));
        let any: IpAddr = match to {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let (endpoint, socket) = endpoint(None, SocketAddr::new(any, 0))?;
        let started = Instant::now();
        let connecting = endpoint.connect_with(client, to, SERVER_NAME)?;
        let connection = match timeout(DIAL_PATIENCE, connecting).await {
            Ok(connected) => connected.map_err(|error| chain(&error)),
            Err(_) => Err(format!("no answer for {} s", DIAL_PATIENCE.as_secs())),
        };
        let connection = connection.map_err(|why| format!("cannot connect to {address}: {why}"))?;
        let (name, value) = UNVERIFIED;
        let details = Details {
            phases: vec![("handshake", started.elapsed())],
            negotiation: Some(NO_NEGOTIATION),
            stack: vec![
                ("exchange", perf_protocol::PROTOCOL_NAME.to_owned()),
                // The only one offered: TLS agrees on no other.
                ("cipher_suite", cipher.suite_name().to_owned()),
            ],
            extra: vec![(name, value.to_owned())],
            ..Details::default()
        };
        Ok(Self { connection, socket, buffers: Buffers::default(), details })
    }

    async fn exchange(&self, upload: u64, download: u64, meter: &Meter) -> Result<(), BoxError> {
        let (send, recv) = self.connection.open_bi().await?;
        let mut stream = QuicStream::new(send, recv);
        let mut buffer = self.buffers.take();
        let counts = Counts(meter);
        perf_protocol::request(&mut stream, upload, download, &counts, &mut buffer).await?;
        self.buffers.keep(buffer);
        Ok(())
    }
}

impl Connection for QuicConnection {
    async fn upload(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
        self.exchange(bytes, 0, meter).await
    }

    async fn download(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
        self.exchange(0, bytes, meter).await
    }

    async fn latency(&self, meter: &Meter) -> Result<(), BoxError> {
        self.exchange(1, 1, meter).await
    }

    fn details(&self) -> Details {
        self.details.clone()
    }

    fn transport(&self) -> Option<TransportInfo> {
        let quic = Some(quic_info(&self.connection.stats()));
        Some(TransportInfo { quic, socket: self.socket, ..TransportInfo::default() })
    }

    async fn close(self) {
        self.connection.close(DONE, b"done");
        // Its task has been woken, and tells the peer before it is our turn again. That it then stays for three
        // probe time-outs, to answer stragglers, is its own affair: handshakes are counted closing included.
        yield_now().await;
    }
}

/// In bytes, of all streams of a connection: libp2p-quic's `max_connection_data`.
const MOST_UNREAD: u32 = 15_000_000;

/// A bound QUIC listener.
pub struct QuicListener {
    endpoint: Endpoint,
    local: SocketAddr,
    service: Service,
    one_off: bool,
}

impl QuicListener {
    /// With a `cipher`, no other is accepted.
    pub(super) fn bind(
        config: &Config,
        cipher: Option<Cipher>,
        gate: Gate,
    ) -> Result<Self, BoxError> {
        let tls = Arc::new(certificate::server(cipher)?);
        let crypto = QuicServerConfig::with_initial(tls, initial()?)?;
        let mut server = ServerConfig::with_crypto(Arc::new(crypto));
        server.transport_config(Arc::new(transport(&gate)));
        let wanted = SocketAddr::new(config.ip, config.port);
        let bound = endpoint(Some(server), wanted)
            .and_then(|(endpoint, _)| Ok((endpoint.local_addr()?, endpoint)));
        let (local, endpoint) = bound.map_err(|error| {
            format!("cannot listen on {}: {error}", address::of(Transport::RawQuic, wanted))
        })?;
        let service = Service { gate, stall: config.stall, buffers: Buffers::default() };
        Ok(Self { endpoint, local, service, one_off: config.one_off })
    }
}

impl Listener for QuicListener {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn address(&self, ip: IpAddr) -> String {
        address::of(Transport::RawQuic, SocketAddr::new(ip, self.local.port())).to_string()
    }

    async fn serve(self, mut shutdown: Shutdown) -> Result<(), BoxError> {
        let (mut connections, mut served) = (JoinSet::new(), false);
        loop {
            tokio::select! {
                () = shutdown.requested() => break,
                incoming = self.endpoint.accept() => match incoming {
                    Some(incoming) => {
                        connections.spawn(self.service.clone().serve(incoming));
                    }
                    None => return Err("the QUIC endpoint has ended".into()),
                },
                Some(was_one) = connections.join_next() => {
                    served |= was_one.unwrap_or(true);
                    // A dialer may have several, one after the other beside its first.
                    if self.one_off && served && connections.is_empty() {
                        break;
                    }
                }
            }
        }
        self.endpoint.close(DONE, b"the listener ends");
        // Each connection's task has been woken, and tells its peer before it is our turn again.
        yield_now().await;
        Ok(())
    }
}

/// What each connection of a listener is served with.
#[derive(Clone)]
struct Service {
    gate: Gate,
    stall: Duration,
    buffers: Buffers,
}

impl Service {
    /// Serves one connection to its end; whether it came to stand.
    async fn serve(self, incoming: Incoming) -> bool {
        let from = incoming.remote_address();
        let Ok(handshake) = self.gate.handshake(&from) else {
            incoming.refuse();
            return false;
        };
        let connected = match timeout(HANDSHAKE_PATIENCE, incoming).await {
            Ok(connected) => connected.map_err(|error| chain(&error)),
            Err(_) => Err("no handshake in time".to_owned()),
        };
        let connection = match connected {
            Ok(connection) => connection,
            Err(why) => {
                tracing::info!("a dialer at {from} could not connect: {why}");
                return false;
            }
        };
        drop(handshake);
        let Ok(_place) = self.gate.connection(&from, None) else {
            connection.close(REFUSED, b"refused");
            return false;
        };
        tracing::debug!("connected from {from}");
        self.gate.while_allowed(&from, self.answer_all(&connection)).await;
        // It may stand, and be answered no more.
        connection.close(REFUSED, b"given up");
        true
    }

    /// Answers streams as they come, until the connection ends or has to.
    async fn answer_all(&self, connection: &quinn::Connection) {
        let mut answering = JoinSet::new();
        loop {
            tokio::select! {
                opened = connection.accept_bi() => match opened {
                    Ok((send, recv)) => {
                        let Self { gate, stall, buffers } = self.clone();
                        answering.spawn(async move {
                            serve_stream(QuicStream::new(send, recv), &gate, stall, &buffers).await
                        });
                    }
                    Err(error) => {
                        tracing::debug!("{} is gone: {error}", connection.remote_address());
                        return;
                    }
                },
                () = sleep(IDLE_CONNECTION_TIMEOUT), if answering.is_empty() => return,
                Some(answered) = answering.join_next() => {
                    // An error is a panic, and what the peer was told then is anybody's guess.
                    if answered.unwrap_or(After::HangUp) == After::HangUp {
                        return;
                    }
                }
            }
        }
    }
}

/// quinn's defaults, without what nobody reads. Where there are limits a connection that waits for them has no more
/// unread than one of libp2p-quic.
fn transport(gate: &Gate) -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport.max_concurrent_uni_streams(VarInt::from_u32(0));
    transport.datagram_receive_buffer_size(None);
    if !gate.is_open() {
        transport.receive_window(VarInt::from_u32(MOST_UNREAD));
    }
    transport
}

fn initial() -> Result<rustls::quic::Suite, BoxError> {
    cipher::initial().ok_or_else(|| "ring has no AES-128-GCM for QUIC".into())
}

/// An endpoint on a socket with the system's own buffers, as libp2p-quic's, and how large they are.
fn endpoint(
    server: Option<ServerConfig>,
    at: SocketAddr,
) -> std::io::Result<(Endpoint, Option<SocketBuffers>)> {
    let socket: UdpSocket = socket::bind(at, Type::DGRAM)?.into();
    let granted = buffers(&socket);
    let runtime = Arc::new(TokioRuntime);
    Ok((Endpoint::new(EndpointConfig::default(), server, socket, runtime)?, granted))
}
