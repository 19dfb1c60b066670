//! WebSocket over TCP, without TLS of its own: a frame is what the layer above hands over at once.

use std::io;

use libp2p::Transport;
use libp2p::tcp::tokio::TcpStream;
use libp2p_websocket::Config;

use super::{Marks, tcp};

pub(super) fn transport(
    marks: &Marks,
) -> Config<
    impl Transport<
        Output = TcpStream,
        Error = io::Error,
        Dial: Send + 'static,
        ListenerUpgrade: Send + 'static,
    > + Send
    + Unpin
    + 'static,
> {
    Config::new(tcp::transport(marks))
}
