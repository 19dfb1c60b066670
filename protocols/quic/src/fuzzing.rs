//! What reads foreign bytes here and is not public: what the repository's `fuzz/` drives.
//!
//! Hidden and not part of the crate's interface; it is compiled always, so that it cannot rot.

use std::error::Error;
use std::sync::Arc;

use libp2p_core::Multiaddr;
use libp2p_identity::Keypair;
use quinn::crypto::rustls::HandshakeData;
use quinn_proto::Side;
use quinn_proto::crypto::{ServerConfig, Session};
use quinn_proto::transport_parameters::TransportParameters;

use crate::address::{parse, print};
use crate::alpn::ByAlpn;
use crate::port::{Protocol, quic};
use crate::tls;

/// QUIC version 1.
const VERSION: u32 = 1;

/// A port that quic-v1 and HTTP/3 share.
pub struct Port {
    protocols: Arc<ByAlpn>,
    params: TransportParameters,
}

/// How far a handshake came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// There is more to come.
    Waiting,
    /// The server has answered, with the protocol chosen once that stands.
    Answered(Option<Vec<u8>>),
    /// It was ended with this code of QUIC's.
    Refused(u64),
}

impl Port {
    /// Listened on by `identity`.
    ///
    /// # Errors
    ///
    /// Its certificate cannot be made.
    pub fn new(identity: &Keypair) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let configured = |alpn: &'static [u8]| -> Result<_, Box<dyn Error + Send + Sync>> {
            Ok(quic(Protocol { alpn, ..tls::server(identity)? })?)
        };
        let protocols = ByAlpn::new(configured(b"libp2p")?);
        for alpn in [&b"libp2p"[..], b"h3"] {
            protocols.add(alpn, configured(alpn)?);
        }
        // Those that an endpoint has which says nothing.
        let params = TransportParameters::read(Side::Client, &mut &[][..])?;
        Ok(Self { protocols: Arc::new(protocols), params })
    }

    /// Takes what a client sends, in these `pieces`.
    pub fn handshake<'p>(&self, pieces: impl IntoIterator<Item = &'p [u8]>) -> Handshake {
        let mut session = Arc::clone(&self.protocols).start_session(VERSION, &self.params);
        for piece in pieces {
            if let Err(error) = session.read_handshake(piece) {
                return Handshake::Refused(error.code.into());
            }
        }
        let mut answer = Vec::new();
        session.write_handshake(&mut answer);
        match answer.is_empty() {
            true => Handshake::Waiting,
            false => Handshake::Answered(chosen(&*session)),
        }
    }
}

fn chosen(session: &dyn Session) -> Option<Vec<u8>> {
    session.handshake_data()?.downcast::<HandshakeData>().ok()?.protocol
}

/// `address` read and printed again; `None` where it is one of another transport.
pub fn reprint(address: &Multiaddr) -> Option<Multiaddr> {
    parse(address).map(print)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_waits_for_the_whole_hello() {
        let port = Port::new(&Keypair::generate_ed25519()).unwrap();
        assert_eq!(port.handshake([]), Handshake::Waiting);
        assert_eq!(port.handshake([&[1, 0][..], &[0, 9]]), Handshake::Waiting);
        assert!(matches!(port.handshake([&[1, 0, 64][..], &[0]]), Handshake::Refused(_)));
    }
}
