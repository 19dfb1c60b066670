//! Sockets as every listener and dialer of the raw baselines makes them.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

/// A socket bound to `at`, IPv6 without IPv4.
pub(super) fn bind(at: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(at), kind, None)?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if kind == Type::STREAM {
        // A port that a listener has just left is free.
        socket.set_reuse_address(true)?;
    }
    socket.bind(&at.into())?;
    Ok(socket)
}
