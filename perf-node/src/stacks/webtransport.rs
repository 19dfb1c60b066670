//! WebTransport, which brings security and multiplexing. rust-libp2p ships none that listens, or
//! dials outside a browser: this is libp2p-webtransport-native with its default options.

use libp2p::Transport;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::identity::Keypair;
use libp2p_webtransport_native as webtransport;

use super::timed::TimedDial;
use super::{BoxedTransport, Marks, StackError};

pub(super) fn transport(keypair: &Keypair, marks: &Marks) -> Result<BoxedTransport, StackError> {
    let webtransport = webtransport::Transport::new(webtransport::Config::new(keypair))
        .map_err(|error| StackError::Security(error.into()))?;
    Ok(TimedDial::new(webtransport, marks)
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)))
        .boxed())
}
