//! How a dialer checks a listener's certificate: hash, dates, kind of key. Not names, nor who signed it.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, PeerIncompatible, SignatureScheme};
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{CertHash, MAX_VALIDITY};
use crate::clock::{Clock, unix_seconds};

/// Why a listener's certificate was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Its hash is not in the address.
    #[error("the listener's certificate has a hash that is not in the address")]
    UnknownHash,
    /// It is no X.509.
    #[error("the listener's certificate cannot be read")]
    Malformed,
    /// It is valid for longer than 14 days.
    #[error("the listener's certificate is valid for {days} days, and 14 are allowed")]
    ValidTooLong {
        /// From its first to its last moment, rounded up.
        days: i64,
    },
    /// It is not valid yet, by our clock.
    #[error("the listener's certificate is not valid yet (a clock may be wrong)")]
    NotYetValid,
    /// It is not valid any more, by our clock.
    #[error("the listener's certificate has expired (or a clock is wrong)")]
    Expired,
    /// Its key is not ECDSA on P-256, the only kind that all peers take.
    #[error("the listener's certificate has a key that is not ECDSA on P-256")]
    UnsuitableKey,
}

/// Where a verifier leaves its reason: rustls passes on little more than an alert.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failure(Arc<Mutex<Option<CertificateError>>>);

impl Failure {
    pub(crate) fn take(&self) -> Option<CertificateError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, error: CertificateError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

/// Takes a certificate that has one of the hashes in the dialed address.
#[derive(Debug)]
pub(crate) struct HashVerifier {
    pub(crate) hashes: Vec<CertHash>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) algorithms: WebPkiSupportedAlgorithms,
    pub(crate) failure: Failure,
}

impl HashVerifier {
    fn check(&self, der: &[u8]) -> Result<(), CertificateError> {
        if !self.hashes.contains(&CertHash::of(der)) {
            return Err(CertificateError::UnknownHash);
        }
        check_content(der, unix_seconds(self.clock.now()))
    }
}

/// Checks everything but the hash, at `now` in Unix time.
fn check_content(der: &[u8], now: i64) -> Result<(), CertificateError> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|_| CertificateError::Malformed)?;
    let validity = certificate.validity();
    let (start, end) = (validity.not_before.timestamp(), validity.not_after.timestamp());
    if end - start > MAX_VALIDITY.as_secs() as i64 {
        return Err(CertificateError::ValidTooLong { days: (end - start + 86_399) / 86_400 });
    }
    if now < start {
        return Err(CertificateError::NotYetValid);
    }
    if now > end {
        return Err(CertificateError::Expired);
    }
    let algorithm = &certificate.public_key().algorithm;
    let curve = algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
    if algorithm.algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY || curve != Some(OID_EC_P256) {
        return Err(CertificateError::UnsuitableKey);
    }
    Ok(())
}

impl ServerCertVerifier for HashVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.check(end_entity).map_err(|error| {
            self.failure.set(error);
            rustls::Error::InvalidCertificate(
                rustls::CertificateError::ApplicationVerificationFailure,
            )
        })?;
        Ok(ServerCertVerified::assertion())
    }

    /// Never called: QUIC is TLS 1.3.
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

    use super::super::issue::issue;
    use super::*;

    const DAY: i64 = 86_400;
    const START: i64 = 1_700_000_000;

    fn check(days: i64, now: i64) -> Result<(), CertificateError> {
        let issued = issue(&[1; 32], START, START + days * DAY).unwrap();
        check_content(&issued.key.cert[0], now)
    }

    #[test]
    fn dates() {
        assert_eq!(check(14, START), Ok(()));
        assert_eq!(check(14, START + 14 * DAY), Ok(()));
        assert_eq!(check(14, START - 1), Err(CertificateError::NotYetValid));
        assert_eq!(check(14, START + 14 * DAY + 1), Err(CertificateError::Expired));
        assert_eq!(check(15, START), Err(CertificateError::ValidTooLong { days: 15 }));
        let issued = issue(&[1; 32], START, START + 14 * DAY + 1).unwrap();
        let too_long = check_content(&issued.key.cert[0], START);
        assert_eq!(too_long, Err(CertificateError::ValidTooLong { days: 15 }));
    }

    #[test]
    fn keys_of_other_kinds() {
        for algorithm in [&PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let mut params = CertificateParams::default();
            params.not_before = time::OffsetDateTime::from_unix_timestamp(START).unwrap();
            params.not_after = time::OffsetDateTime::from_unix_timestamp(START + DAY).unwrap();
            let certificate = params.self_signed(&key).unwrap();
            let result = check_content(certificate.der(), START);
            assert_eq!(result, Err(CertificateError::UnsuitableKey));
        }
    }

    #[test]
    fn what_is_no_certificate() {
        assert_eq!(check_content(b"no certificate", START), Err(CertificateError::Malformed));
    }
}
