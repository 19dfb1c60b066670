//! One client's socket: requests in, replies out, one at a time.
//!
//! A reply is written before the next request is taken, so a client that does not read is soon not read from either:
//! what it can make this process hold is one request, one reply and the socket's own buffers.

use std::future::pending;
use std::io;

use bytes::BytesMut;
use redis_protocol::error::RedisProtocolError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::Limits;
use crate::keyspace::Wait;
use crate::reply::Reply;
use crate::request::{ProtocolError, Request, RequestDecoder};
use crate::session::{Session, Step};

/// How much is read at a time, in bytes.
const READ_SIZE: usize = 4 * 1024;

/// Why a connection was ended from this side.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    #[error("a request stayed incomplete for too long")]
    RequestStalled,
    #[error("a reply stayed unread for too long")]
    ReplyStalled,
    #[error("a reply of up to {0} bytes is beyond the limit")]
    ReplyTooLarge(usize),
    #[error("requests piled up behind a blocked one")]
    Flooded,
    #[error("a reply could not be encoded")]
    Encode(#[from] RedisProtocolError),
}

/// A client's connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    received: BytesMut,
    decoder: RequestDecoder,
    session: Session,
    limits: Limits,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, session: Session, limits: Limits) -> Self {
        Self {
            stream,
            received: BytesMut::new(),
            decoder: RequestDecoder::new(&limits),
            session,
            limits,
        }
    }

    /// Serves the client until it leaves, quits, or has to be disconnected.
    pub(crate) async fn run(mut self) -> Result<(), ConnectionError> {
        while let Some(request) = self.next_request().await? {
            match self.session.apply(&request) {
                Step::Reply(reply) => self.write(reply).await?,
                Step::Goodbye(reply) => {
                    self.write(reply).await?;
                    break;
                }
                Step::Wait(wait, deadline) => {
                    drop(request);
                    let Some(reply) = self.wait(wait, deadline).await? else {
                        break;
                    };
                    self.write(reply).await?;
                }
            }
        }
        Ok(())
    }

    /// The next request; `None` when the client has left. A protocol error is told to the client before it is
    /// returned.
    async fn next_request(&mut self) -> Result<Option<Request>, ConnectionError> {
        let mut deadline = None;
        loop {
            match self.decoder.decode(&mut self.received) {
                Ok(Some(request)) => return Ok(Some(request)),
                Ok(None) => {}
                Err(error) => {
                    self.write(Reply::error(&error)).await?;
                    return Err(error.into());
                }
            }
            let read = if self.received.is_empty() {
                self.read().await?
            } else {
                // Counted from the first byte: sending one byte at a time does not put it off.
                let deadline = *deadline.get_or_insert_with(|| Instant::now() + self.limits.stall);
                timeout_at(deadline, self.read())
                    .await
                    .map_err(|_| ConnectionError::RequestStalled)??
            };
            if read == 0 {
                return Ok(None);
            }
        }
    }

    /// Receives some more bytes; 0 when the client has closed its side. Cancel safe.
    async fn read(&mut self) -> io::Result<usize> {
        self.received.reserve(READ_SIZE);
        self.stream.read_buf(&mut self.received).await
    }

    /// Waits for a list. Goes on receiving, only to learn when the client leaves: that is `None`.
    async fn wait(
        &mut self,
        mut wait: Wait,
        deadline: Option<Instant>,
    ) -> Result<Option<Reply>, ConnectionError> {
        loop {
            tokio::select! {
                biased;
                popped = wait.popped() => return Ok(Some(Session::popped(popped))),
                () = sleep_until_some(deadline) => return Ok(Some(Session::popped(None))),
                read = self.read() => match read? {
                    0 => return Ok(None),
                    _ if self.received.len() > self.limits.max_request => return Err(ConnectionError::Flooded),
                    _ => {}
                },
            }
        }
    }

    async fn write(&mut self, reply: Reply) -> Result<(), ConnectionError> {
        let bound = reply.size_bound();
        if bound > self.limits.max_reply {
            return Err(ConnectionError::ReplyTooLarge(bound));
        }
        let bytes = reply.encode(self.session.protocol())?;
        let written = timeout(self.limits.stall, self.stream.write_all(&bytes)).await;
        Ok(written.map_err(|_| ConnectionError::ReplyStalled)??)
    }
}

async fn sleep_until_some(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
