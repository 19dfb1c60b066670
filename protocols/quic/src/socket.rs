//! A UDP socket, and what the system has granted it.

use std::net::UdpSocket;

use socket2::SockRef;

/// A UDP socket that QUIC runs on. A clone is the same socket.
#[derive(Clone, Debug)]
pub struct BoundSocket {
    /// What reads it, and dials from it.
    pub endpoint: quinn::Endpoint,
    /// `None` where the system does not tell.
    pub buffers: Option<SocketBuffers>,
}

/// A socket's buffers as the system granted them, in bytes: on Linux twice what holds payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketBuffers {
    /// SO_SNDBUF.
    pub send: usize,
    /// SO_RCVBUF.
    pub receive: usize,
}

impl SocketBuffers {
    pub(crate) fn of(socket: &UdpSocket) -> Option<Self> {
        let socket = SockRef::from(socket);
        let (send, receive) = (socket.send_buffer_size().ok()?, socket.recv_buffer_size().ok()?);
        Some(Self { send, receive })
    }
}
