//! Dialers that are not libp2p's: QUIC by hand.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use libp2p_core::Multiaddr;
use libp2p_core::multiaddr::Protocol;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
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

/// What a stranger shows of itself.
#[derive(Clone, Copy)]
pub enum Shows {
    Nothing,
    /// A certificate without libp2p's extension.
    AnyCertificate,
    /// What a peer of libp2p's shows.
    Identity,
}

/// Dials with these protocols. A refusal of what it shows comes after the connection.
pub async fn dial(
    address: &Multiaddr,
    alpn: &[&[u8]],
    shows: Shows,
) -> Result<(Endpoint, Connection), ConnectionError> {
    dial_from("127.0.0.1", address, alpn, shows).await
}

pub async fn dial_from(
    ip: &str,
    address: &Multiaddr,
    alpn: &[&[u8]],
    shows: Shows,
) -> Result<(Endpoint, Connection), ConnectionError> {
    let endpoint = Endpoint::client(SocketAddr::new(ip.parse().unwrap(), 0)).unwrap();
    let connecting = endpoint.connect_with(config(alpn, shows), socket(address), "127.0.0.1");
    Ok((endpoint, in_time(connecting.unwrap()).await?))
}

fn config(alpn: &[&[u8]], shows: Shows) -> ClientConfig {
    let mut tls = match shows {
        Shows::Identity => libp2p_tls::make_client_config(&identity(9), None).unwrap(),
        Shows::Nothing => builder().with_no_client_auth(),
        Shows::AnyCertificate => {
            let key = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
            let private = key.key_pair.serialize_der().try_into().unwrap();
            builder().with_client_auth_cert(vec![key.cert.into()], private).unwrap()
        }
    };
    tls.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()))
}

fn builder() -> rustls::ConfigBuilder<rustls::ClientConfig, rustls::client::WantsClientCert> {
    rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer))
}

/// Takes whatever the listener shows.
#[derive(Debug)]
struct AnyServer;

impl ServerCertVerifier for AnyServer {
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
        unreachable!("QUIC is TLS 1.3")
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
        vec![SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::ED25519]
    }
}

/// A way to `address`, seen there as `from`, that nothing comes back on: handshakes through it stay half
/// open. Each has a port of its own.
pub async fn one_way(address: &Multiaddr, from: &str) -> Multiaddr {
    let front = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let from: IpAddr = from.parse().unwrap();
    let back = UdpSocket::bind(SocketAddr::new(from, 0)).await.unwrap();
    back.connect(socket(address)).await.unwrap();
    let port = front.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut datagram = [0; 2048];
        while let Ok((length, _)) = front.recv_from(&mut datagram).await {
            let _ = back.send(&datagram[..length]).await;
        }
    });
    format!("/ip4/127.0.0.1/udp/{port}/quic-v1").parse().unwrap()
}
