//! Peers that are not ours: QUIC and HTTP/3 by hand.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::{AsyncRead, AsyncWrite};
use libp2p_core::Multiaddr;
use libp2p_core::multiaddr::Protocol;
use libp2p_core::multihash::Multihash;
use libp2p_core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};
use libp2p_identity::PeerId;
use libp2p_webtransport_native::wire::frame::{self, Frame, FrameDecoder};
use libp2p_webtransport_native::wire::stream::bidi_prefix;
use libp2p_webtransport_native::wire::{headers, settings, write_varint};
use qpack::HeaderField;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{Connection, RecvStream, SendStream, VarInt};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use sha2::{Digest, Sha256};
use tokio::net::UdpSocket;

use super::{identity, in_time};

/// Where an address points.
pub fn socket(address: &Multiaddr) -> SocketAddr {
    let mut parts = address.iter();
    match (parts.next(), parts.next()) {
        (Some(Protocol::Ip4(ip)), Some(Protocol::Udp(port))) => (ip, port).into(),
        (Some(Protocol::Ip6(ip)), Some(Protocol::Udp(port))) => (ip, port).into(),
        other => panic!("{other:?}"),
    }
}

/// `address` with another port.
pub fn at_port(address: &Multiaddr, port: u16) -> Multiaddr {
    address
        .iter()
        .map(|part| match part {
            Protocol::Udp(_) => Protocol::Udp(port),
            part => part,
        })
        .collect()
}

/// A way to `address` that loses every `nth` datagram, in either direction. It takes one dialer.
pub async fn lossy_relay(address: &Multiaddr, nth: usize) -> Multiaddr {
    let front = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let back = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    back.connect(socket(address)).await.unwrap();
    let port = front.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut there, mut here) = ([0; 2048], [0; 2048]);
        let mut dialer = None;
        let mut count = 0;
        loop {
            tokio::select! {
                Ok((length, from)) = front.recv_from(&mut there) => {
                    dialer = Some(from);
                    count += 1;
                    if count % nth != 0 {
                        let _ = back.send(&there[..length]).await;
                    }
                }
                Ok(length) = back.recv(&mut here) => {
                    count += 1;
                    if let (Some(dialer), true) = (dialer, count % nth != 0) {
                        let _ = front.send_to(&here[..length], dialer).await;
                    }
                }
            }
        }
    });
    at_port(address, port)
}

/// A dialer by hand, which takes any certificate.
pub struct RawDialer {
    pub quic: Connection,
    /// Open for as long as it has to be.
    _control: SendStream,
    _endpoint: quinn::Endpoint,
}

impl RawDialer {
    /// Connected, with SETTINGS as go-libp2p's dialer sends them: H3_DATAGRAM alone.
    pub async fn dial(address: &Multiaddr) -> Self {
        Self::dial_from("127.0.0.1", address).await.unwrap()
    }

    pub async fn dial_from(ip: &str, address: &Multiaddr) -> Result<Self, quinn::ConnectionError> {
        Self::dial_with(&Self::endpoint(ip), address).await
    }

    /// A socket on `ip` to dial from.
    pub fn endpoint(ip: &str) -> quinn::Endpoint {
        quinn::Endpoint::client(SocketAddr::new(ip.parse().unwrap(), 0)).unwrap()
    }

    pub async fn dial_with(
        endpoint: &quinn::Endpoint,
        address: &Multiaddr,
    ) -> Result<Self, quinn::ConnectionError> {
        Self::dial_as(client_config(), endpoint, address).await
    }

    /// One that has room for so many bytes of all streams together, until it reads.
    pub async fn dial_with_room(bytes: usize, address: &Multiaddr) -> Self {
        let mut transport = quinn::TransportConfig::default();
        transport.receive_window((bytes as u32).into());
        let mut config = client_config();
        config.transport_config(Arc::new(transport));
        Self::dial_as(config, &Self::endpoint("127.0.0.1"), address).await.unwrap()
    }

    async fn dial_as(
        config: quinn::ClientConfig,
        endpoint: &quinn::Endpoint,
        address: &Multiaddr,
    ) -> Result<Self, quinn::ConnectionError> {
        let connecting = endpoint.connect_with(config, socket(address), "127.0.0.1");
        let quic = in_time(connecting.unwrap()).await?;
        let mut control = quic.open_uni().await?;
        let _ = control.write_all(&[0, 4, 2, 0x33, 1]).await;
        Ok(Self { quic, _control: control, _endpoint: endpoint.clone() })
    }

    /// Asks for a session where `path` says.
    pub async fn connect(&self, path: &str) -> (SendStream, RecvStream) {
        self.request(&[
            (":method", "CONNECT"),
            (":scheme", "https"),
            (":authority", "127.0.0.1"),
            (":path", path),
            (":protocol", "webtransport"),
        ])
        .await
    }

    pub async fn request(&self, fields: &[(&str, &str)]) -> (SendStream, RecvStream) {
        let mut block = Vec::new();
        qpack::encode_stateless(&mut block, fields.iter().map(|field| HeaderField::from(*field)))
            .unwrap();
        let mut bytes = Vec::new();
        frame::write(frame::HEADERS, &block, &mut bytes);
        let (mut send, recv) = self.quic.open_bi().await.unwrap();
        send.write_all(&bytes).await.unwrap();
        (send, recv)
    }

    /// A session, and the stream that it was asked for on.
    pub async fn session(&self) -> (SendStream, RecvStream) {
        let (send, mut recv) = self.connect(headers::PATH_AND_QUERY).await;
        assert_eq!(status(&mut recv).await, 200);
        (send, recv)
    }

    /// A stream of the session of this id, with its prefix sent.
    pub async fn stream(&self, session: impl Into<VarInt>) -> (SendStream, RecvStream) {
        let (mut send, recv) = self.quic.open_bi().await.unwrap();
        send.write_all(&bidi_prefix(session.into())).await.unwrap();
        (send, recv)
    }

    /// Noise on a stream whose prefix has been sent.
    pub async fn noise(
        &self,
        stream: (SendStream, RecvStream),
    ) -> Result<PeerId, libp2p_noise::Error> {
        let noise = libp2p_noise::Config::new(&identity(9)).unwrap();
        let (peer, output) = noise.upgrade_outbound(Both(stream.0, stream.1), "/noise").await?;
        // Dropping its stream would stop it.
        std::mem::forget(output);
        Ok(peer)
    }

    /// With what the other side ended the connection.
    pub async fn closed_with(&self) -> u64 {
        match in_time(self.quic.closed()).await {
            quinn::ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
            other => panic!("{other}"),
        }
    }
}

/// The status of a response.
pub async fn status(recv: &mut RecvStream) -> u16 {
    let mut decoder = FrameDecoder::new(4096);
    loop {
        if let Some(Frame::Headers(block)) = decoder.next().unwrap() {
            return headers::read_status(&block, 4096).unwrap();
        }
        let chunk = in_time(recv.read_chunk(4096, true)).await.unwrap().expect("no response");
        decoder.push(&chunk.bytes);
    }
}

/// What a listener by hand does wrong.
#[derive(Default)]
pub struct Script {
    pub validity: Option<time::Duration>,
    pub settings: Option<Vec<u8>>,
    pub status: Option<u16>,
    /// It vouches for its certificate, which is what a good one does.
    pub vouches: bool,
    /// It takes a connection, and says nothing on it.
    pub is_silent: bool,
}

/// A listener by hand: its address, with the hash of its one certificate.
pub async fn listen(script: Script) -> Multiaddr {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.not_before = time::OffsetDateTime::now_utc() - time::Duration::days(1);
    params.not_after = params.not_before + script.validity.unwrap_or(time::Duration::days(14));
    let certificate = params.self_signed(&key).unwrap();
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let crypto = QuicServerConfig::try_from(tls).unwrap();
    let endpoint = quinn::Endpoint::server(
        quinn::ServerConfig::with_crypto(Arc::new(crypto)),
        "127.0.0.1:0".parse().unwrap(),
    )
    .unwrap();
    let port = endpoint.local_addr().unwrap().port();
    let hash = Multihash::wrap(0x12, &Sha256::digest(certificate.der())).unwrap();
    tokio::spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            if let Ok(quic) = incoming.await {
                // It ends as it ends: the dialer is what is looked at.
                let _ = serve(&quic, &script, hash).await;
                quic.closed().await;
            }
        }
    });
    at_port(&super::IP4.parse().unwrap(), port).with(Protocol::Certhash(hash))
}

async fn serve(
    quic: &Connection,
    script: &Script,
    hash: Multihash<64>,
) -> Result<(), Box<dyn std::error::Error>> {
    if script.is_silent {
        return Ok(());
    }
    let mut control = quic.open_uni().await?;
    let mut bytes = Vec::new();
    write_varint(0_u32.into(), &mut bytes);
    match &script.settings {
        Some(payload) => frame::write(frame::SETTINGS, payload, &mut bytes),
        None => settings::write_ours(&mut bytes),
    }
    control.write_all(&bytes).await?;
    let (mut send, _recv) = quic.accept_bi().await?;
    let mut response = Vec::new();
    headers::write_response(script.status.unwrap_or(200), &mut response)?;
    send.write_all(&response).await?;
    let (noise_send, mut noise_recv) = quic.accept_bi().await?;
    noise_recv.read_exact(&mut [0; 3]).await?;
    let noise = libp2p_noise::Config::new(&identity(9))?
        .with_webtransport_certhashes(script.vouches.then_some(hash).into_iter().collect());
    let _open = noise.upgrade_inbound(Both(noise_send, noise_recv), "/noise").await?;
    quic.closed().await;
    Ok(())
}

/// Both halves of a stream, as Noise wants them.
struct Both(SendStream, RecvStream);

impl AsyncRead for Both {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<std::io::Result<usize>> {
        self.1.poll_read(cx, buffer).map_err(Into::into)
    }
}

impl AsyncWrite for Both {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes).map_err(Into::into)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(self.0.finish().map_err(Into::into))
    }
}

fn client_config() -> quinn::ClientConfig {
    client_config_for(b"h3")
}

/// What dials another protocol, and shows no certificate.
pub fn client_config_for(alpn: &[u8]) -> quinn::ClientConfig {
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anything))
        .with_no_client_auth();
    tls.alpn_protocols = vec![alpn.to_vec()];
    quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()))
}

#[derive(Debug)]
struct Anything;

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
