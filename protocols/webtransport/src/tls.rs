//! TLS 1.3 and QUIC, as WebTransport wants them.

use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{IdleTimeout, TransportConfig};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::version::TLS13;

use crate::certificate::{CertHash, Certificates, Failure, HashVerifier};
use crate::clock::Clock;
use crate::config::Config;
use crate::error::Error;

const ALPN: &[u8] = b"h3";

/// The peer's unidirectional streams: control, QPACK's two, and a few that are only there for unknown types
/// to be met.
const MAX_UNI_STREAMS: u32 = 8;

/// Datagrams have to be announced, for go-libp2p asks for them, and are never read: the oldest go.
const DATAGRAM_BUFFER: usize = 16 << 10;

/// ring, with AES-128 first: on machines of this decade it is the fastest by far.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    let cipher_suites = vec![
        ring::cipher_suite::TLS13_AES_128_GCM_SHA256,
        ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ring::cipher_suite::TLS13_AES_256_GCM_SHA384,
    ];
    Arc::new(CryptoProvider { cipher_suites, ..ring::default_provider() })
}

/// What a listener buffers of a connection whose peer it does not know yet: SETTINGS, a CONNECT and three Noise
/// messages fit many times.
pub(crate) const DATA_BEFORE_NOISE: u32 = 64 << 10;

/// What an [`Incoming`](quinn::Incoming) that was not looked at yet may hold, and all of an endpoint's: a
/// ClientHello, twice over.
const INCOMING_BUFFER: u64 = 16 << 10;
const INCOMING_BUFFERS: u64 = 4 << 20;

/// What both sides run QUIC with; `connection_data` is what is buffered of all streams of a connection.
pub(crate) fn quic(config: &Config, connection_data: u32) -> Result<Arc<TransportConfig>, Error> {
    let idle = IdleTimeout::try_from(config.max_idle_timeout).map_err(|e| Error::Tls(e.into()))?;
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(config.max_concurrent_streams.into())
        .max_concurrent_uni_streams(MAX_UNI_STREAMS.into())
        .datagram_receive_buffer_size(Some(DATAGRAM_BUFFER))
        .stream_receive_window(config.max_stream_data.into())
        .receive_window(connection_data.into())
        .send_window(config.max_send_data.into())
        .keep_alive_interval(
            Some(config.keep_alive_interval).filter(|every| *every > Duration::ZERO),
        )
        .max_idle_timeout(Some(idle))
        .allow_spin(false);
    Ok(Arc::new(transport))
}

/// What a listener uses.
pub(crate) fn server(
    provider: &Arc<CryptoProvider>,
    certificates: &Arc<Certificates>,
    transport: &Arc<TransportConfig>,
    max_incoming: usize,
) -> Result<quinn::ServerConfig, Error> {
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])
        .map_err(tls_error)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(certificates) as _);
    tls.alpn_protocols = vec![ALPN.to_vec()];
    // Every session begins with a certificate: nobody could resume.
    tls.send_tls13_tickets = 0;
    let crypto = QuicServerConfig::try_from(tls).map_err(tls_error)?;
    let mut server = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    // libp2p's muxers would have to tell of a new address, and who listens to that does not exist.
    server
        .transport_config(Arc::clone(transport))
        .migration(false)
        .max_incoming(max_incoming)
        .incoming_buffer_size(INCOMING_BUFFER)
        .incoming_buffer_size_total(INCOMING_BUFFERS);
    Ok(server)
}

/// What a dialer uses that knows the listener's certificate by `hashes`, and where a refusal is told.
pub(crate) fn client(
    provider: &Arc<CryptoProvider>,
    hashes: Vec<CertHash>,
    clock: &Arc<dyn Clock>,
    transport: &Arc<TransportConfig>,
) -> Result<(quinn::ClientConfig, Failure), Error> {
    let failure = Failure::default();
    let verifier = HashVerifier {
        hashes,
        clock: Arc::clone(clock),
        algorithms: provider.signature_verification_algorithms,
        failure: failure.clone(),
    };
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])
        .map_err(tls_error)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.resumption = Resumption::disabled();
    let crypto = QuicClientConfig::try_from(tls).map_err(tls_error)?;
    let mut client = quinn::ClientConfig::new(Arc::new(crypto));
    client.transport_config(Arc::clone(transport));
    Ok((client, failure))
}

/// QUIC version 1 alone.
pub(crate) fn endpoint() -> quinn::EndpointConfig {
    let mut endpoint = quinn::EndpointConfig::default();
    endpoint.supported_versions(vec![1]);
    endpoint
}

fn tls_error(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Tls(error.into())
}
