//! The stream that a session was asked for on: its end, and a capsule on it, is the session's.

use std::time::Duration;

use futures::AsyncWriteExt;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::request::{Read, RequestStream};
use crate::config::Limits;
use crate::error::Error;
use crate::wire::capsule::{self, Capsule, CapsuleDecoder};
use crate::wire::code::Http3Code;
use crate::wire::frame::{self, Frame};

/// How we end a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Close {
    pub(crate) code: u32,
    pub(crate) reason: String,
}

/// Watches the stream until either side ends the session, and says how.
pub(super) async fn watch(
    mut stream: RequestStream,
    mut close: oneshot::Receiver<Close>,
    limits: Limits,
) -> Result<(), Error> {
    let mut capsules = CapsuleDecoder::new(limits.capsule_bytes);
    loop {
        let read = tokio::select! {
            read = stream.read() => read?,
            Ok(close) = &mut close => {
                say_farewell(stream, close, limits.close_timeout).await;
                return Err(Error::LocallyClosed);
            }
        };
        match read {
            Read::Frame(Frame::Data(bytes)) => capsules.push(&bytes),
            Read::Frame(Frame::Other(_)) => continue,
            Read::Frame(_) => {
                let what = "a frame that does not belong into a session";
                return Err(Error::violation(Http3Code::FRAME_UNEXPECTED, what));
            }
            Read::End if capsules.is_between_capsules() => {
                return Err(Error::Closed { code: None, reason: String::new() });
            }
            Read::End => {
                let what = "the session's stream ends within a capsule";
                return Err(Error::violation(Http3Code::MESSAGE_ERROR, what));
            }
            Read::Reset(code) => return Err(Error::SessionReset { code: code.into_inner() }),
        }
        while let Some(capsule) = capsules.next()? {
            match capsule {
                Capsule::Close { code, reason } => {
                    return Err(Error::Closed { code: Some(code), reason });
                }
                Capsule::Other(kind) => tracing::trace!("a capsule of type {kind:#x} was skipped"),
            }
        }
    }
}

/// Tells the peer that the session ends, and waits for a while until it has read that: it then ends its side
/// of the stream, or the connection. What it comes to is the same whether that happens or not.
async fn say_farewell(mut stream: RequestStream, close: Close, patience: Duration) {
    let Close { code, reason } = close;
    let mut farewell = Vec::new();
    capsule::write_close(code, &reason, &mut farewell);
    let mut bytes = Vec::new();
    frame::write(frame::DATA, &farewell, &mut bytes);
    let said = async {
        stream.write(&bytes).await?;
        stream.stream.close().await?;
        stream.ended().await;
        Ok::<_, std::io::Error>(())
    };
    if !matches!(timeout(patience, said).await, Ok(Ok(()))) {
        tracing::debug!("the peer did not answer the end of the session");
    }
}
