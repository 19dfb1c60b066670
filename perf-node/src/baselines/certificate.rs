//! A certificate made at start, and a dialer that takes any.

use std::sync::Arc;

use harness_sdk::BoxError;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme};

use crate::cipher::{Cipher, provider};

/// What TLS asks for to tell protocols apart, and QUIC has to have (RFC 9001, 8.1).
const ALPN: &[u8] = b"perf-raw";

/// What the document says of the peer.
pub(super) const UNVERIFIED: (&str, &str) = ("certificate", "not verified");

/// A listener's side of TLS 1.3. With a `cipher` it accepts no other.
pub(super) fn server(cipher: Option<Cipher>) -> Result<ServerConfig, BoxError> {
    let made = rcgen::generate_simple_self_signed(["perf-node".to_owned()])?;
    let key = PrivateKeyDer::Pkcs8(made.key_pair.serialize_der().into());
    let ciphers = cipher.map_or(Cipher::ALL.to_vec(), |cipher| vec![cipher]);
    let mut config = ServerConfig::builder_with_provider(provider(&ciphers))
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Nobody resumes: a ticket would arrive in the first sample.
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// A dialer's side of TLS 1.3, which offers `cipher` alone.
pub(super) fn client(cipher: Cipher) -> Result<ClientConfig, BoxError> {
    let provider = provider(&[cipher]);
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Takes any certificate: what is measured is what the layer costs, and nothing that is sent matters.
/// That the peer has the certificate's key is verified as ever, because it costs time.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
