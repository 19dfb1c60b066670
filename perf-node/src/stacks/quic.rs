//! QUIC v1, which brings security and multiplexing.

use libp2p::Transport;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::identity::Keypair;

use super::timed::TimedDial;
use super::{BoxedTransport, Marks};

pub(super) fn transport(keypair: &Keypair, marks: &Marks) -> BoxedTransport {
    let quic = libp2p_quic::tokio::Transport::new(libp2p_quic::Config::new(keypair));
    TimedDial::new(quic, marks)
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)))
        .boxed()
}
