//! TLS of quic-v1: a certificate of libp2p's on both sides.

use std::sync::Arc;

use libp2p_identity::{Keypair, PeerId};
use quinn::crypto::rustls::QuicClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;

use crate::config::{Config, Needs};
use crate::error::Error;
use crate::port::Protocol;

const ALPN: &[u8] = b"libp2p";

/// The peer is known as soon as there is a connection: it gets all of its room at once.
const NEEDS: Needs = Needs { uni_streams: 0, datagram_buffer: None, initial_data: None };

/// What is listened for.
pub(crate) fn server(identity: &Keypair) -> Result<Protocol, Error> {
    let mut tls = libp2p_tls::make_server_config(identity).map_err(tls_error)?;
    // Every connection begins with certificates: nobody could resume.
    tls.send_tls13_tickets = 0;
    Ok(Protocol { alpn: ALPN, tls, needs: NEEDS })
}

/// What is dialed with. Whoever the peer is, it has to prove it.
pub(crate) fn client(identity: &Keypair, config: &Config) -> Result<quinn::ClientConfig, Error> {
    let mut tls = libp2p_tls::make_client_config(identity, None).map_err(tls_error)?;
    tls.resumption = Resumption::disabled();
    let crypto = QuicClientConfig::try_from(tls).map_err(tls_error)?;
    let mut client = quinn::ClientConfig::new(Arc::new(crypto));
    client.transport_config(config.transport(NEEDS));
    Ok(client)
}

/// Who is on the other side.
pub(crate) fn peer(quic: &quinn::Connection) -> Result<PeerId, Error> {
    let identity = quic.peer_identity().ok_or(Error::NoIdentity)?;
    let chain = identity.downcast::<Vec<CertificateDer<'static>>>();
    let chain = chain.map_err(|_| Error::NoIdentity)?;
    let certificate = chain.first().ok_or(Error::NoIdentity)?;
    let certificate = libp2p_tls::certificate::parse(certificate).map_err(|_| Error::NoIdentity)?;
    Ok(certificate.peer_id())
}

fn tls_error(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Tls(error.into())
}
