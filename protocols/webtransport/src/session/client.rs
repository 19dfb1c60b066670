//! The dialer's side of the handshake.

use libp2p_core::upgrade::OutboundConnectionUpgrade;
use tokio::sync::oneshot;

use super::Established;
use super::request::RequestStream;
use crate::config::Limits;
use crate::error::Error;
use crate::stream::Stream;
use crate::wire::code::Http3Code;
use crate::wire::headers;
use crate::wire::settings::Settings;
use crate::wire::stream::bidi_prefix;

/// Asks for a session once the peer has said that it takes them, then runs Noise on its first stream.
pub(super) async fn handshake(
    quic: &quinn::Connection,
    settings: oneshot::Receiver<Settings>,
    noise: libp2p_noise::Config,
    limits: Limits,
) -> Result<Established, Error> {
    let Ok(settings) = settings.await else {
        // Its sender was dropped by what ended the connection, which the driver tells.
        return std::future::pending().await;
    };
    if !settings.offers_webtransport() {
        return Err(Error::NotOffered);
    }
    let (send, recv) = quic.open_bi().await?;
    let mut connect = RequestStream::outbound(send, recv, limits);
    let mut request = Vec::new();
    headers::write_request(&quic.remote_address().to_string(), &mut request)?;
    if connect.write(&request).await.is_err() {
        return Err(incomplete());
    }
    let status = status(&mut connect, limits).await?;
    if !(200..300).contains(&status) {
        return Err(Error::Refused(status));
    }
    let (send, recv) = quic.open_bi().await?;
    let stream = Stream::outbound(send, recv, bidi_prefix(connect.id()));
    let (peer, noise) = noise.upgrade_outbound(stream, "/noise").await?;
    Ok(Established { peer, connect, noise })
}

/// The status of the response that counts, which informational ones may precede.
async fn status(connect: &mut RequestStream, limits: Limits) -> Result<u16, Error> {
    loop {
        let block = connect.read_headers().await?.ok_or_else(incomplete)?;
        let status = headers::read_status(&block, limits.header_bytes as u64)?;
        if !(100..200).contains(&status) {
            return Ok(status);
        }
    }
}

fn incomplete() -> Error {
    Error::violation(Http3Code::REQUEST_INCOMPLETE, "the request was not answered")
}
