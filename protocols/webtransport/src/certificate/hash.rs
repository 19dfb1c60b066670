//! The hash of a certificate, as addresses and the Noise handshake carry it.

use libp2p_core::multihash::Multihash;
use sha2::{Digest, Sha256};

/// sha2-256 in the multicodec table.
const SHA2_256: u64 = 0x12;

/// The SHA-256 of a certificate's DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CertHash([u8; 32]);

impl CertHash {
    pub(crate) fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// `None` where it is not a SHA-256.
    pub(crate) fn from_multihash(hash: &Multihash<64>) -> Option<Self> {
        (hash.code() == SHA2_256).then_some(Self(hash.digest().try_into().ok()?))
    }

    pub(crate) fn to_multihash(self) -> Multihash<64> {
        // 32 bytes fit into 64: the default stands for nothing that can happen.
        Multihash::wrap(SHA2_256, &self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let hash = CertHash::of(b"certificate");
        assert_eq!(CertHash::from_multihash(&hash.to_multihash()), Some(hash));
        assert_eq!(hash.to_multihash().to_bytes()[..2], [0x12, 0x20]);
        let other = Multihash::wrap(0x13, &[0; 64]).unwrap();
        assert_eq!(CertHash::from_multihash(&other), None);
        let short = Multihash::wrap(SHA2_256, &[0; 31]).unwrap();
        assert_eq!(CertHash::from_multihash(&short), None);
    }
}
