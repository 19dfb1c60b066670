//! WebTransport, which brings security and multiplexing. rust-libp2p ships none that listens, or
//! dials outside a browser: this is libp2p-webtransport-native with its default options, but for the cipher suite
//! where one is asked for.

use libp2p::Transport;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::identity::Keypair;
use libp2p_webtransport_native as webtransport;

use super::timed::TimedDial;
use super::{BoxedTransport, Marks, StackError};
use crate::cipher::Cipher;
use crate::underneath::Underneath;

pub(super) fn transport(
    keypair: &Keypair,
    cipher: Option<Cipher>,
    marks: &Marks,
) -> Result<BoxedTransport, StackError> {
    let mut config = webtransport::Config::new(keypair);
    if let Some(cipher) = cipher {
        config.cipher_suites = vec![suite(cipher)];
    }
    let webtransport =
        webtransport::Transport::new(config).map_err(|error| StackError::Security(error.into()))?;
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

fn suite(cipher: Cipher) -> webtransport::CipherSuite {
    match cipher {
        Cipher::Aes128Gcm => webtransport::CipherSuite::Aes128Gcm,
        Cipher::Aes256Gcm => webtransport::CipherSuite::Aes256Gcm,
        Cipher::ChaCha20Poly1305 => webtransport::CipherSuite::ChaCha20Poly1305,
    }
}
