//! WebTransport, which brings security and multiplexing. rust-libp2p ships none that listens, or
//! dials outside a browser: this is libp2p-webtransport-native with its default options.

use libp2p::Transport;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::identity::Keypair;
use libp2p_webtransport_native as webtransport;

use super::timed::TimedDial;
use super::{BoxedTransport, Marks, StackError};
use crate::underneath::Underneath;

pub(super) fn transport(keypair: &Keypair, marks: &Marks) -> Result<BoxedTransport, StackError> {
    let webtransport = webtransport::Transport::new(webtransport::Config::new(keypair))
        .map_err(|error| StackError::Security(error.into()))?;
    let watching = marks.clone();
    Ok(TimedDial::new(webtransport, marks)
        .map(move |(peer, connection), point| {
            if point.is_dialer() {
                watching.stand_on(Underneath::Quic(connection.path()));
            }
            (peer, StreamMuxerBox::new(connection))
        })
        .boxed())
}
