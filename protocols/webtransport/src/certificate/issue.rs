//! Makes a certificate that comes out the same, byte by byte, whenever it is made.
//!
//! Key, serial number and dates follow from a secret and a window of time, and the signature from RFC
//! 6979: an address with its hash outlives a restart, and nothing has to be stored.

use std::sync::Arc;

use p256::ecdsa::signature::Signer;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::EncodePrivateKey;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, RemoteKeyPair, SerialNumber, SignatureAlgorithm,
};
use rustls::crypto::ring::sign::any_ecdsa_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::CertHash;

/// Why no certificate could be made. None of it depends on the peer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IssueError {
    #[error("the clock stands at a date that no certificate can have")]
    Date(#[from] time::error::ComponentRange),
    #[error("cannot encode the key")]
    Key(#[from] p256::pkcs8::Error),
    #[error("cannot make the certificate")]
    Certificate(#[from] rcgen::Error),
    #[error("cannot use the key")]
    Tls(#[from] rustls::Error),
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) key: Arc<CertifiedKey>,
    pub(crate) hash: CertHash,
}

/// The certificate that is valid from `start` to `end`, in Unix seconds.
pub(crate) fn issue(secret: &[u8; 32], start: i64, end: i64) -> Result<Issued, IssueError> {
    let key = signing_key(secret, start);
    let pkcs8 = p256::SecretKey::from(key.clone()).to_pkcs8_der()?;
    let public = key.verifying_key().to_encoded_point(false).as_bytes().to_vec();

    let mut params = CertificateParams::default();
    params.not_before = OffsetDateTime::from_unix_timestamp(start)?;
    params.not_after = OffsetDateTime::from_unix_timestamp(end)?;
    // 16 bytes of a hash of the public key; the first bit is off, for the number is positive.
    let mut serial = Sha256::digest(&public)[..16].to_vec();
    serial[0] &= 0x7f;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "libp2p WebTransport");
    // Chromium refuses a certificate without any extension. rcgen writes key usages only where there is
    // another one.
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];

    let signer = KeyPair::from_remote(Box::new(Deterministic { key, public }))?;
    let der = params.self_signed(&signer)?.der().clone();
    let hash = CertHash::of(&der);
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8.as_bytes().to_vec()));
    Ok(Issued { key: Arc::new(CertifiedKey::new(vec![der], any_ecdsa_type(&private)?)), hash })
}

/// A key for one window alone: one that leaks is worth nothing after it.
fn signing_key(secret: &[u8; 32], start: i64) -> SigningKey {
    let mut attempt = 0_u8;
    loop {
        let scalar = Sha256::new()
            .chain_update(secret)
            .chain_update(start.to_be_bytes())
            .chain_update([attempt])
            .finalize();
        // One hash in 2^32 is no scalar of the curve.
        if let Ok(key) = SigningKey::from_bytes(&scalar) {
            return key;
        }
        attempt = attempt.wrapping_add(1);
    }
}

/// Signs by RFC 6979, which is what p256 does and ring does not.
struct Deterministic {
    key: SigningKey,
    public: Vec<u8>,
}

impl RemoteKeyPair for Deterministic {
    fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature: DerSignature =
            self.key.try_sign(message).map_err(|_| rcgen::Error::RemoteKeyError)?;
        Ok(signature.as_bytes().to_vec())
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::{FromDer, X509Certificate};

    use super::*;

    #[test]
    fn it_is_what_browsers_ask_for() {
        let start = 1_700_000_000;
        let issued = issue(&[7; 32], start, start + 14 * 86_400).unwrap();
        let (_, certificate) = X509Certificate::from_der(&issued.key.cert[0]).unwrap();
        assert_eq!(certificate.validity().not_before.timestamp(), start);
        assert_eq!(certificate.validity().not_after.timestamp(), start + 14 * 86_400);
        assert!(!certificate.extensions().is_empty());
        assert_eq!(issued.key.cert.len(), 1, "go-libp2p hashes the last of a chain");
        issued.key.keys_match().unwrap();
    }

    /// The hash of this certificate is in addresses that people have: no update of a dependency may
    /// change it.
    #[test]
    fn it_is_always_the_same() {
        let issued = issue(&[7; 32], 1_700_000_000, 1_700_000_000 + 14 * 86_400).unwrap();
        let hash: String =
            issued.hash.to_multihash().digest().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, "94bb3b4851a5db9f6f3d2fd316622e91c807498cc6fd8569cc9c4331c6ca3855");
    }

    #[test]
    fn another_window_or_secret_has_another_key() {
        let hash = |secret, start| issue(&[secret; 32], start, start + 1).unwrap().hash;
        assert_ne!(hash(7, 0), hash(7, 1));
        assert_ne!(hash(7, 0), hash(8, 0));
    }
}
