//! TLS 1.3 and QUIC, as WebTransport wants them.

use std::sync::Arc;

use libp2p_quic_shared::{Needs, Protocol};
use quinn::TransportConfig;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::version::TLS13;

use crate::certificate::{CertHash, Certificates, Failure, HashVerifier};
use crate::cipher;
use crate::clock::Clock;
use crate::error::Error;

const ALPN: &[u8] = b"h3";

/// The peer's unidirectional streams: control, QPACK's two, and a few that are only there for unknown types
/// to be met.
const MAX_UNI_STREAMS: u32 = 8;

/// Datagrams have to be announced, for go-libp2p asks for them, and are never read: the oldest go.
const DATAGRAM_BUFFER: usize = 16 << 10;

/// What a listener buffers of a connection whose peer it does not know yet: SETTINGS, a CONNECT and three Noise
/// messages fit many times.
const DATA_BEFORE_NOISE: u32 = 64 << 10;

/// What connections of WebTransport need.
pub(crate) fn needs() -> Needs {
    Needs {
        uni_streams: MAX_UNI_STREAMS,
        datagram_buffer: Some(DATAGRAM_BUFFER),
        initial_data: None,
    }
}

/// What is listened for.
pub(crate) fn server(
    provider: &Arc<CryptoProvider>,
    certificates: &Arc<Certificates>,
) -> Result<Protocol, Error> {
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])
        .map_err(tls_error)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(certificates) as _);
    // Every session begins with a certificate: nobody could resume.
    tls.send_tls13_tickets = 0;
    let needs = Needs { initial_data: Some(DATA_BEFORE_NOISE), ..needs() };
    Ok(Protocol { alpn: ALPN, tls, needs })
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
    let initial = cipher::initial().ok_or_else(|| tls_error("ring has no AES-128-GCM for QUIC"))?;
    let crypto = QuicClientConfig::with_initial(Arc::new(tls), initial).map_err(tls_error)?;
    let mut client = quinn::ClientConfig::new(Arc::new(crypto));
    client.transport_config(Arc::clone(transport));
    Ok((client, failure))
}

fn tls_error(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Tls(error.into())
}
