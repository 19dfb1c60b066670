//! raw-tls: TLS 1.3 on TCP.

use std::io;
use std::sync::Arc;

use harness_sdk::BoxError;
use rustls::pki_types::ServerName;
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::compat::TokioAsyncReadCompatExt;

use super::certificate;
use super::channel::Stream;
use crate::cipher::Cipher;

/// rustls asks for 4 KiB at a time, a quarter of a record: the socket is asked for as much as the nodes read
/// elsewhere.
const READ_AHEAD: usize = 256 * 1024;

pub(super) fn dialer(cipher: Cipher) -> Result<TlsConnector, BoxError> {
    Ok(Arc::new(certificate::client(cipher)?).into())
}

pub(super) fn listener(cipher: Option<Cipher>) -> Result<TlsAcceptor, BoxError> {
    Ok(Arc::new(certificate::server(cipher)?).into())
}

pub(super) async fn outbound(tls: TlsConnector, tcp: TcpStream) -> io::Result<Stream> {
    let name = ServerName::IpAddress(tcp.peer_addr()?.ip().into());
    let tcp = BufReader::with_capacity(READ_AHEAD, tcp);
    Ok(Box::new(tls.connect(name, tcp).await?.compat()))
}

pub(super) async fn inbound(tls: TlsAcceptor, tcp: TcpStream) -> io::Result<Stream> {
    let tcp = BufReader::with_capacity(READ_AHEAD, tcp);
    Ok(Box::new(tls.accept(tcp).await?.compat()))
}
