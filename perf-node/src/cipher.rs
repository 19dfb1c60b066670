//! What TLS and QUIC encrypt with.

use std::fmt;
use std::sync::Arc;

use harness_sdk::Transport;
use harness_sdk::config::Variable;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{self, cipher_suite, kx_group};
use rustls::{CipherSuite, SupportedCipherSuite};

/// Which one, with raw-tls, raw-quic and webtransport.
pub const PERF_CIPHER: Variable = Variable {
    name: "PERF_CIPHER",
    flag: "cipher",
    accepts: "aes-128-gcm, aes-256-gcm or chacha20-poly1305, with raw-tls, raw-quic and webtransport",
    default: "a raw dialer offers aes-128-gcm, one of webtransport that first; a listener accepts them all",
};

/// A cipher of TLS 1.3 (RFC 8446, B.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cipher {
    /// The fastest, by far, where the processor has instructions for it.
    #[default]
    Aes128Gcm,
    /// The same with a longer key: 14 rounds where 10 are.
    Aes256Gcm,
    /// What libp2p-tls and libp2p-quic offer first.
    ChaCha20Poly1305,
}

impl Cipher {
    /// Every cipher.
    pub const ALL: [Self; 3] = [Self::Aes128Gcm, Self::Aes256Gcm, Self::ChaCha20Poly1305];

    /// The name as it stands in the variable and the flag.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aes128Gcm => "aes-128-gcm",
            Self::Aes256Gcm => "aes-256-gcm",
            Self::ChaCha20Poly1305 => "chacha20-poly1305",
        }
    }

    /// The cipher of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cipher| cipher.as_str() == name)
    }

    /// Whether a cipher can be chosen for `transport`.
    pub fn applies_to(transport: Transport) -> bool {
        matches!(transport, Transport::RawTls | Transport::RawQuic | Transport::Webtransport)
    }

    /// The suite's name, as documents have it.
    pub(crate) fn suite_name(self) -> &'static str {
        self.suite().suite().as_str().unwrap_or(self.as_str())
    }

    fn suite(self) -> SupportedCipherSuite {
        match self {
            Self::Aes128Gcm => cipher_suite::TLS13_AES_128_GCM_SHA256,
            Self::Aes256Gcm => cipher_suite::TLS13_AES_256_GCM_SHA384,
            Self::ChaCha20Poly1305 => cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        }
    }
}

impl fmt::Display for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// ring with `ciphers` alone, and the key exchange of libp2p's handshakes. It is what libp2p's own TLS and QUIC
/// stand on, so that a comparison with them is one of protocols. aws-lc-rs is about a tenth faster in bulk, would add
/// three megabytes to the node's image, and would be a second provider in the process.
pub(crate) fn provider(ciphers: &[Cipher]) -> Arc<CryptoProvider> {
    let cipher_suites = ciphers.iter().map(|cipher| cipher.suite()).collect();
    let kx_groups = vec![kx_group::X25519];
    Arc::new(CryptoProvider { cipher_suites, kx_groups, ..ring::default_provider() })
}

/// The suite that QUIC's first packets are protected with, whatever follows (RFC 9001, 5.2).
pub(crate) fn initial() -> Option<rustls::quic::Suite> {
    let suite = Cipher::Aes128Gcm.suite();
    debug_assert_eq!(suite.suite(), CipherSuite::TLS13_AES_128_GCM_SHA256);
    suite.tls13()?.quic_suite()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_stand_in_what_is_accepted() {
        for cipher in Cipher::ALL {
            assert_eq!(Cipher::parse(cipher.as_str()), Some(cipher));
            assert!(PERF_CIPHER.accepts.contains(cipher.as_str()));
            assert!(cipher.suite_name().starts_with("TLS13_"));
        }
        assert_eq!(Cipher::parse("aes"), None);
    }
}
