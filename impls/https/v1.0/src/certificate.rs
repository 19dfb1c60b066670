//! A certificate made at start, and how a dialer knows it: by its hash in the published address.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use harness_sdk::BoxError;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, OtherError, ServerConfig, SignatureScheme,
};
use sha2::{Digest, Sha256};

use crate::node::HttpVersion;

/// SHA-256 of a certificate's DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CertHash([u8; 32]);

/// What a multihash of SHA-256 begins with: the function's code and the digest's length.
const SHA2_256: [u8; 2] = [0x12, 0x20];

impl CertHash {
    fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }

    /// The `certhash` component of a multiaddr: a multihash, in base64url behind its `u`.
    pub(crate) fn component(&self) -> String {
        let multihash = [&SHA2_256[..], &self.0].concat();
        format!("/certhash/u{}", BASE64_URL_SAFE_NO_PAD.encode(multihash))
    }

    /// The hash that `address` names; `None`: it names none.
    pub(crate) fn in_address(address: &str) -> Result<Option<Self>, NotACertHash> {
        let Some((_, rest)) = address.split_once("/certhash/") else { return Ok(None) };
        let text = rest.split('/').next().unwrap_or_default();
        let decoded = text.strip_prefix('u').and_then(|t| BASE64_URL_SAFE_NO_PAD.decode(t).ok());
        let digest = decoded.as_deref().and_then(|multihash| multihash.strip_prefix(&SHA2_256));
        match digest.and_then(|digest| digest.try_into().ok()) {
            Some(digest) => Ok(Some(Self(digest))),
            None => Err(NotACertHash(text.to_owned())),
        }
    }
}

/// What stands behind `/certhash/` and is none that this node makes.
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is not a SHA-256 multihash in base64url, as /certhash/ has it here")]
pub(crate) struct NotACertHash(String);

/// A listener's side of TLS 1.3, with a fresh certificate, and that certificate's hash.
pub(crate) fn server() -> Result<(ServerConfig, CertHash), BoxError> {
    let made = rcgen::generate_simple_self_signed(["https-perf".to_owned()])?;
    let certificate = made.cert.der().clone();
    let hash = CertHash::of(&certificate);
    let key = PrivateKeyDer::Pkcs8(made.key_pair.serialize_der().into());
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = HttpVersion::ALL.map(|version| version.alpn().to_vec()).into();
    Ok((config, hash))
}

/// A dialer's side of TLS 1.3, which offers `http` alone and takes the certificate of `expected`
/// alone; without that, any.
pub(crate) fn client(
    http: HttpVersion,
    expected: Option<CertHash>,
) -> Result<ClientConfig, BoxError> {
    let verifier = Pinned { expected, provider: provider() };
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![http.alpn().to_vec()];
    Ok(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Trusts one certificate by its hash: names and dates say nothing about one that is made at start.
/// That the peer has the key is verified as ever.
#[derive(Debug)]
struct Pinned {
    expected: Option<CertHash>,
    provider: Arc<CryptoProvider>,
}

/// A listener other than the one that published the address.
#[derive(Debug, thiserror::Error)]
#[error("the peer's certificate is not the one whose hash the address names")]
struct AnotherCertificate;

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.expected {
            Some(expected) if expected != CertHash::of(certificate) => {
                Err(Error::Other(OtherError(Arc::new(AnotherCertificate))))
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_back_from_its_address() {
        let (_, hash) = server().unwrap();
        let address = format!("/ip4/127.0.0.1/tcp/1/tls/http{}", hash.component());
        assert_eq!(CertHash::in_address(&address).unwrap(), Some(hash));
        assert_eq!(CertHash::in_address("/ip4/127.0.0.1/tcp/1/tls/http").unwrap(), None);
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        for text in ["", "u", "uEiA", "zQm", "u!"] {
            let address = format!("/ip4/127.0.0.1/tcp/1/tls/http/certhash/{text}");
            assert!(CertHash::in_address(&address).is_err(), "{text}");
        }
    }
}
