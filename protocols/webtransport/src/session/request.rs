//! A request and its response on a stream of HTTP/3.

use bytes::Bytes;
use futures::AsyncWriteExt;
use quinn::{ReadError, VarInt};
use tokio::time::timeout;

use super::arrivals::Request as Arrived;
use super::unidirectional::CHUNK;
use crate::config::Limits;
use crate::error::Error;
use crate::stream::Stream;
use crate::wire::code::Http3Code;
use crate::wire::frame::{Frame, FrameDecoder};
use crate::wire::headers::{self, HeadersError, Request, Verdict};

/// A stream on which frames are exchanged.
pub(crate) struct RequestStream {
    pub(super) stream: Stream,
    frames: FrameDecoder,
    id: VarInt,
}

/// What a read brings.
pub(super) enum Read {
    Frame(Frame),
    /// The peer ended the stream between two frames.
    End,
    /// The peer gave the stream up, with this code.
    Reset(VarInt),
}

impl RequestStream {
    /// A stream that is ours, on which nothing has been exchanged.
    pub(super) fn outbound(
        send: quinn::SendStream,
        recv: quinn::RecvStream,
        limits: Limits,
    ) -> Self {
        let id = send.id().into();
        let stream = Stream::outbound(send, recv, Vec::new());
        Self { stream, frames: FrameDecoder::new(limits.header_bytes), id }
    }

    pub(super) fn inbound(arrived: Arrived, limits: Limits) -> Self {
        let Arrived { stream, read, id } = arrived;
        let mut frames = FrameDecoder::new(limits.header_bytes);
        frames.push(&read);
        Self { stream, frames, id }
    }

    pub(super) fn id(&self) -> VarInt {
        self.id
    }

    /// The next frame, or part of one. Cancelling it loses nothing.
    pub(super) async fn read(&mut self) -> Result<Read, Error> {
        loop {
            if let Some(frame) = self.frames.next()? {
                return Ok(Read::Frame(frame));
            }
            match self.stream.recv().read_chunk(CHUNK, true).await {
                Ok(Some(chunk)) => self.frames.push(&chunk.bytes),
                Ok(None) if self.frames.is_between_frames() => return Ok(Read::End),
                Ok(None) => {
                    let what = "a stream ends within a frame";
                    return Err(Error::violation(Http3Code::FRAME_ERROR, what));
                }
                Err(ReadError::Reset(code)) => return Ok(Read::Reset(code)),
                Err(ReadError::ConnectionLost(error)) => return Err(error.into()),
                // Read to its end before; there are no other streams here.
                Err(_) => return Ok(Read::End),
            }
        }
    }

    /// The header block that a message begins with; `None` where the stream ended first, cleanly or not.
    pub(super) async fn read_headers(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            match self.read().await? {
                Read::Frame(Frame::Headers(block)) => return Ok(Some(block)),
                // Unknown types are there to be skipped.
                Read::Frame(Frame::Other(_)) => {}
                Read::Frame(_) => {
                    let what = "a message that does not begin with HEADERS";
                    return Err(Error::violation(Http3Code::FRAME_UNEXPECTED, what));
                }
                Read::End | Read::Reset(_) => return Ok(None),
            }
        }
    }

    /// Until the peer ends its side, in whichever way; what it still says is dropped.
    pub(super) async fn ended(&mut self) {
        while let Ok(Some(_)) = self.stream.recv().read_chunk(CHUNK, true).await {}
    }

    /// Writes; an error means that the peer wants none of it, or is gone.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Reads the request and answers it.
    async fn serve(&mut self, takes_session: bool, limits: Limits) -> Result<Answer, Error> {
        let Some(block) = self.read_headers().await? else {
            return Ok(Answer::Reset(Http3Code::REQUEST_INCOMPLETE));
        };
        let verdict = match Request::decode(&block, limits.header_bytes as u64) {
            Ok(request) => request.verdict(),
            // An error of its stream alone (RFC 9114, 4.1.2), unlike what other streams depend on.
            Err(error @ HeadersError::Malformed(_)) => {
                tracing::debug!("a malformed HTTP/3 request: {error}");
                return Ok(Answer::Reset(error.code()));
            }
            Err(error) => return Err(error.into()),
        };
        match verdict {
            Verdict::Session if takes_session => self.respond(200).await,
            Verdict::Session => Ok(Answer::Reset(Http3Code::REQUEST_REJECTED)),
            Verdict::Refused(status) => {
                tracing::debug!("an HTTP/3 request was answered with {status}");
                self.respond(status).await
            }
        }
    }

    /// Answers with `status`: 200 begins a session, and nothing follows any other.
    async fn respond(&mut self, status: u16) -> Result<Answer, Error> {
        let mut response = Vec::new();
        headers::write_response(status, &mut response)?;
        // An error means that the peer has gone on to something else; so below.
        if self.write(&response).await.is_err() {
            return Ok(Answer::Reset(Http3Code::REQUEST_CANCELLED));
        }
        if status == 200 {
            return Ok(Answer::Session);
        }
        let _ = self.stream.close().await;
        self.stream.stop(Http3Code::NO_ERROR);
        Ok(Answer::Final)
    }
}

/// What becomes of the stream of a request.
enum Answer {
    /// It is the session's from here on.
    Session,
    /// All was said.
    Final,
    /// It is of no use any more.
    Reset(Http3Code),
}

/// Answers a request that arrived: the stream of the session where it asks for one as libp2p does and
/// `takes_session`; `None` where the answer was another, or where the peer neither finished its request nor took
/// the answer in time.
pub(crate) async fn answer(
    arrived: Arrived,
    takes_session: bool,
    limits: Limits,
) -> Result<Option<RequestStream>, Error> {
    let mut request = RequestStream::inbound(arrived, limits);
    let served = timeout(limits.request_timeout, request.serve(takes_session, limits)).await;
    match served.unwrap_or(Ok(Answer::Reset(Http3Code::REQUEST_CANCELLED)))? {
        Answer::Session => return Ok(Some(request)),
        Answer::Final => {}
        Answer::Reset(code) => request.stream.refuse(code),
    }
    Ok(None)
}
