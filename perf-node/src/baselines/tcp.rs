//! raw-tcp: TCP, Nagle off, and nothing on it.

use std::io;
use std::net::SocketAddr;

use socket2::Type;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::compat::TokioAsyncReadCompatExt;

use super::channel::Stream;
use super::socket;

/// Dialers that wait to be accepted.
const BACKLOG: i32 = 1024;

pub(super) async fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect(to).await?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

pub(super) fn bind(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket::bind(at, Type::STREAM)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// A dialer, or why none could be accepted.
pub(super) async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (tcp, from) = listener.accept().await?;
    tcp.set_nodelay(true)?;
    Ok((tcp, from))
}

pub(super) fn stream(tcp: TcpStream) -> Stream {
    Box::new(tcp.compat())
}
