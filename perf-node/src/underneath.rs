//! What is underneath a connection of libp2p, to be asked what it did.

use harness_sdk::{SocketBuffers, TransportInfo};
use libp2p_webtransport_native::Path;

use crate::quic_info::quic_info;
use crate::tcp_info::TcpSocket;

/// A handle on it. Held no longer than the connection: it keeps what it is a handle on.
#[derive(Debug)]
pub(crate) enum Underneath {
    /// Of tcp and ws.
    Tcp(TcpSocket),
    /// Of webtransport. libp2p-quic keeps its connection to itself.
    Quic(Path),
}

impl Underneath {
    pub(crate) fn info(&self) -> TransportInfo {
        match self {
            Self::Tcp(socket) => socket.info(),
            Self::Quic(path) => TransportInfo {
                quic: Some(quic_info(&path.stats())),
                socket: path.buffers().map(|granted| SocketBuffers {
                    send_buffer_bytes: granted.send as u64,
                    receive_buffer_bytes: granted.receive as u64,
                }),
                ..TransportInfo::default()
            },
        }
    }
}
