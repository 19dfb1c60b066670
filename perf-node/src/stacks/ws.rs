//! WebSocket over TCP, without TLS of its own: a frame is what the layer above hands over at once.

use libp2p::tcp;
use libp2p_websocket::Config;

pub(super) fn transport() -> Config<tcp::tokio::Transport> {
    Config::new(super::tcp::transport())
}
