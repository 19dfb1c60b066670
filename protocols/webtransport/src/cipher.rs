//! What TLS encrypts with.

use std::sync::Arc;

use rustls::SupportedCipherSuite;
use rustls::crypto::{CryptoProvider, ring};

/// A cipher suite of TLS 1.3 (RFC 8446, appendix B.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CipherSuite {
    /// `TLS_AES_128_GCM_SHA256`: the fastest by far on processors with instructions for AES, which those of servers
    /// and desktops have.
    Aes128Gcm,
    /// `TLS_AES_256_GCM_SHA384`: the same with a longer key.
    Aes256Gcm,
    /// `TLS_CHACHA20_POLY1305_SHA256`: the fastest on processors without.
    ChaCha20Poly1305,
}

impl CipherSuite {
    fn of_ring(self) -> SupportedCipherSuite {
        match self {
            Self::Aes128Gcm => ring::cipher_suite::TLS13_AES_128_GCM_SHA256,
            Self::Aes256Gcm => ring::cipher_suite::TLS13_AES_256_GCM_SHA384,
            Self::ChaCha20Poly1305 => ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        }
    }
}

/// ring with these suites, the most wanted first.
pub(crate) fn provider(suites: &[CipherSuite]) -> Arc<CryptoProvider> {
    let cipher_suites = suites.iter().map(|suite| suite.of_ring()).collect();
    Arc::new(CryptoProvider { cipher_suites, ..ring::default_provider() })
}

/// What QUIC's first packets are protected with, whatever is agreed on in them (RFC 9001, section 5.2).
pub(crate) fn initial() -> Option<rustls::quic::Suite> {
    CipherSuite::Aes128Gcm.of_ring().tls13()?.quic_suite()
}
