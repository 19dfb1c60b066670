//! TCP, Nagle off.

use std::io;

use libp2p::Transport;
use libp2p::tcp::{self, tokio::TcpStream};

use super::Marks;
use crate::tcp_info::TcpSocket;
use crate::underneath::Underneath;

/// A dialed socket is handed on as it is, and `marks` gets a descriptor of it.
pub(super) fn transport(
    marks: &Marks,
) -> impl Transport<
    Output = TcpStream,
    Error = io::Error,
    Dial: Send + 'static,
    ListenerUpgrade: Send + 'static,
> + Send
+ Unpin
+ 'static {
    let marks = marks.clone();
    tcp::tokio::Transport::new(tcp::Config::default()).map(move |stream, point| {
        // Without one more descriptor there is less to tell, and no less to measure.
        if point.is_dialer()
            && let Ok(socket) = TcpSocket::of(&stream.0)
        {
            marks.stand_on(Underneath::Tcp(socket));
        }
        stream
    })
}
