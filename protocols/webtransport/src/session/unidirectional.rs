//! The peer's unidirectional streams: SETTINGS come on one, the others matter to nobody here.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use quinn::{ReadError, RecvStream};
use tokio::sync::oneshot;

use super::driver::closed_critical_stream;
use super::within;
use crate::config::Limits;
use crate::error::Error;
use crate::wire::code::{Http3Code, stream_code};
use crate::wire::frame::{Frame, FrameDecoder};
use crate::wire::read_varint;
use crate::wire::settings::Settings;
use crate::wire::stream::{UniKind, varint_length};

/// What is read at a time of streams that carry little, in bytes.
pub(super) const CHUNK: usize = 2048;

/// Taken by the control stream, of which there may be one.
type SettingsSlot = Arc<Mutex<Option<oneshot::Sender<Settings>>>>;

/// Takes unidirectional streams until one of them ends the connection. Their number is bounded by QUIC.
pub(super) async fn accept(
    quic: quinn::Connection,
    settings: oneshot::Sender<Settings>,
    limits: Limits,
) -> Result<(), Error> {
    let slot: SettingsSlot = Arc::new(Mutex::new(Some(settings)));
    let mut streams = FuturesUnordered::new();
    loop {
        tokio::select! {
            stream = quic.accept_uni() => streams.push(serve(stream?, Arc::clone(&slot), limits)),
            Some(served) = streams.next() => served?,
        }
    }
}

async fn serve(mut stream: RecvStream, slot: SettingsSlot, limits: Limits) -> Result<(), Error> {
    let kind = match within(limits.prefix_timeout, read_kind(&mut stream)).await {
        Some(Ok(kind)) => kind,
        // Reset or ended before it said what it is, or silent for too long: no harm.
        Some(Err(None)) | None => return Ok(()),
        Some(Err(Some(lost))) => return Err(lost.into()),
    };
    match kind {
        UniKind::Control => {
            let settings = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            let settings = settings.ok_or_else(|| {
                Error::violation(Http3Code::STREAM_CREATION_ERROR, "a second control stream")
            })?;
            control(stream, settings, limits).await
        }
        UniKind::QpackEncoder | UniKind::QpackDecoder => {
            // We offered no dynamic table, so nothing on these says anything.
            while read_chunk(&mut stream).await?.is_some() {}
            Err(closed_critical_stream())
        }
        UniKind::Push => Err(Error::violation(Http3Code::STREAM_CREATION_ERROR, "a server push")),
        UniKind::WebTransport => {
            // An error means that it has ended already; so below.
            let _ = stream.stop(stream_code(0));
            Ok(())
        }
        UniKind::Unknown(_) => {
            let _ = stream.stop(Http3Code::STREAM_CREATION_ERROR.into());
            Ok(())
        }
    }
}

/// The peer's control stream: SETTINGS, then what we need not know. It never ends.
async fn control(
    mut stream: RecvStream,
    settings: oneshot::Sender<Settings>,
    limits: Limits,
) -> Result<(), Error> {
    let mut settings = Some(settings);
    let mut frames = FrameDecoder::new(limits.header_bytes);
    while let Some(chunk) = read_chunk(&mut stream).await? {
        frames.push(&chunk);
        while let Some(frame) = frames.next()? {
            match (frame, settings.take()) {
                (Frame::Settings(payload), Some(sender)) => {
                    // A listener asks nothing of its dialers: nobody may be waiting.
                    let _ = sender.send(Settings::decode(&payload)?);
                }
                (_, Some(_)) => {
                    let what = "the control stream does not begin with SETTINGS";
                    return Err(Error::violation(Http3Code::MISSING_SETTINGS, what));
                }
                (Frame::Other(_), None) => {}
                (_, None) => {
                    let what = "a frame that does not belong on the control stream";
                    return Err(Error::violation(Http3Code::FRAME_UNEXPECTED, what));
                }
            }
        }
    }
    Err(closed_critical_stream())
}

/// The next bytes; `None` at the end, also where the stream was reset.
async fn read_chunk(stream: &mut RecvStream) -> Result<Option<Bytes>, Error> {
    match stream.read_chunk(CHUNK, true).await {
        Ok(chunk) => Ok(chunk.map(|chunk| chunk.bytes)),
        Err(ReadError::ConnectionLost(error)) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// `Err(None)` where the stream ended first.
async fn read_kind(stream: &mut RecvStream) -> Result<UniKind, Option<quinn::ConnectionError>> {
    let mut bytes = [0; 8];
    read_exact(stream, &mut bytes[..1]).await?;
    let length = varint_length(bytes[0]);
    read_exact(stream, &mut bytes[1..length]).await?;
    read_varint(&mut &bytes[..length]).map(UniKind::from).ok_or(None)
}

/// `Err(None)` where the stream ended first.
pub(super) async fn read_exact(
    stream: &mut RecvStream,
    bytes: &mut [u8],
) -> Result<(), Option<quinn::ConnectionError>> {
    stream.read_exact(bytes).await.map_err(|error| match error {
        quinn::ReadExactError::ReadError(ReadError::ConnectionLost(error)) => Some(error),
        _ => None,
    })
}
