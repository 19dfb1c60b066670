//! TCP, Nagle off.

use libp2p::tcp;

pub(super) fn transport() -> tcp::tokio::Transport {
    tcp::tokio::Transport::new(tcp::Config::default())
}
