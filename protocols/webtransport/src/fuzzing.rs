//! What reads foreign bytes here and is not public: what the repository's `fuzz/` drives.
//!
//! Hidden and not part of the crate's interface; it is compiled always, so that it cannot rot.

use std::sync::Arc;
use std::time::SystemTime;

use libp2p_core::Multiaddr;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, IpAddr, Ipv4Addr, ServerName, UnixTime};

use crate::address::{parse, print};
use crate::certificate::{CertHash, CertificateError, Failure, HashVerifier};
use crate::clock::Clock;

/// Checks the certificate that a listener shows as its dialer does at `now`, who knows the hash of `known`.
///
/// # Errors
///
/// Why it is refused.
pub fn check_certificate(
    shown: &[u8],
    known: &[u8],
    now: SystemTime,
) -> Result<(), CertificateError> {
    let failure = Failure::default();
    let verifier = HashVerifier {
        hashes: vec![CertHash::of(known)],
        clock: Arc::new(Standing(now)),
        algorithms: ring::default_provider().signature_verification_algorithms,
        failure: failure.clone(),
    };
    let shown = CertificateDer::from(shown);
    let nobody = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::from([127, 0, 0, 1])));
    let verified = verifier.verify_server_cert(&shown, &[], &nobody, &[], UnixTime::now());
    match verified {
        Ok(_) => Ok(()),
        Err(_) => Err(failure.take().unwrap_or(CertificateError::Malformed)),
    }
}

#[derive(Debug)]
struct Standing(SystemTime);

impl Clock for Standing {
    fn now(&self) -> SystemTime {
        self.0
    }
}

/// `address` read and printed again, with those of its hashes that a certificate can have; `None` where it is one
/// of another transport.
pub fn reprint(address: &Multiaddr) -> Option<Multiaddr> {
    let parsed = parse(address)?;
    let hashes: Vec<_> = parsed.certhashes.iter().filter_map(CertHash::from_multihash).collect();
    Some(print(parsed.socket, &hashes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_its_reason() {
        let check = |known| check_certificate(b"no certificate", known, SystemTime::UNIX_EPOCH);
        assert_eq!(check(b"no certificate"), Err(CertificateError::Malformed));
        assert_eq!(check(b"another"), Err(CertificateError::UnknownHash));
    }
}
