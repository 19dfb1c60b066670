//! A session as rust-libp2p uses it: a muxer.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::FutureExt;
use futures::future::BoxFuture;
use libp2p_core::StreamMuxer;
use libp2p_core::muxing::StreamMuxerEvent;
use libp2p_quic_shared::SocketBuffers;
use quinn::{RecvStream, SendStream};
use tokio::sync::oneshot;

use crate::config::Limits;
use crate::error::Error;
use crate::session::{Arrival, Arrivals, Close, Driver, Session, answer};
use crate::stream::Stream;
use crate::wire::stream::bidi_prefix;

/// Chores of a session at once: two of its own, the rest requests that don't belong there.
const MAX_CHORES: usize = 16;

type Opening = BoxFuture<'static, Result<(SendStream, RecvStream), quinn::ConnectionError>>;

/// An authenticated connection.
///
/// Dropping it closes it, its streams included.
pub struct Connection {
    quic: quinn::Connection,
    buffers: Option<SocketBuffers>,
    driver: Driver,
    arrivals: Arrivals,
    session: u64,
    /// What our streams begin with.
    prefix: Vec<u8>,
    limits: Limits,
    opening: Option<Opening>,
    close: Option<oneshot::Sender<Close>>,
    /// Not to be reset while the session lasts.
    _noise: libp2p_noise::Output<Stream>,
}

impl Connection {
    pub(crate) fn new(session: Session, limits: Limits, buffers: Option<SocketBuffers>) -> Self {
        Self {
            quic: session.quic,
            buffers,
            driver: session.driver,
            arrivals: session.arrivals,
            session: session.id.into_inner(),
            prefix: bidi_prefix(session.id),
            limits,
            opening: None,
            close: Some(session.close),
            _noise: session.noise,
        }
    }

    /// Begins to end the session with the application's `code` and a text for people, of which the peer
    /// gets 1,024 bytes at most. [`StreamMuxer::poll_close`] waits until it is done; without this before
    /// it the code is 0. Only the first call counts.
    pub fn close_with(&mut self, code: u32, reason: &str) {
        if let Some(close) = self.close.take() {
            // An error means that the session has ended already.
            let _ = close.send(Close { code, reason: reason.to_owned() });
        }
    }

    /// A handle that tells how the path does, also once the connection has been boxed away.
    pub fn path(&self) -> Path {
        Path { quic: self.quic.clone(), buffers: self.buffers }
    }

    fn drive(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        match self.driver.poll(cx) {
            Poll::Ready(error) => Err(error),
            Poll::Pending => Ok(()),
        }
    }

    /// What arrived and is no stream of ours.
    fn turn_away(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Request(request) if self.driver.len() < MAX_CHORES => {
                let limits = self.limits;
                self.driver.add(answer(request, false, limits).map(|answered| answered.map(drop)));
            }
            arrival => arrival.refuse(),
        }
    }
}

/// The QUIC path of a [`Connection`], and the socket beneath it, for statistics. It has to be dropped for a connection to end that was
/// dropped without being closed.
#[derive(Clone, Debug)]
pub struct Path {
    quic: quinn::Connection,
    buffers: Option<SocketBuffers>,
}

impl Path {
    /// What quinn has counted so far.
    pub fn stats(&self) -> quinn::ConnectionStats {
        self.quic.stats()
    }

    /// What the system granted the socket when it was made, and `None` where it does not tell. Every connection of
    /// that socket shares it.
    pub fn buffers(&self) -> Option<SocketBuffers> {
        self.buffers
    }
}

fn open(quic: quinn::Connection) -> Opening {
    async move { quic.open_bi().await }.boxed()
}

impl StreamMuxer for Connection {
    type Substream = Stream;
    type Error = Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, Error>> {
        self.drive(cx)?;
        loop {
            match ready!(self.arrivals.poll(cx)) {
                Arrival::Session(id, stream) if id == self.session => {
                    return Poll::Ready(Ok(stream));
                }
                arrival => {
                    self.turn_away(arrival);
                    // A new chore has to be polled once before it can wake anybody.
                    self.drive(cx)?;
                }
            }
        }
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Stream, Error>> {
        self.drive(cx)?;
        let mut opening = self.opening.take().unwrap_or_else(|| open(self.quic.clone()));
        match opening.poll_unpin(cx) {
            Poll::Ready(Ok((send, recv))) => {
                Poll::Ready(Ok(Stream::outbound(send, recv, self.prefix.clone())))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Pending => {
                self.opening = Some(opening);
                Poll::Pending
            }
        }
    }

    /// Streams end with the session, whatever was written to them.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.close_with(0, "");
        // However the session ended, it has.
        ready!(self.driver.poll(cx));
        Poll::Ready(Ok(()))
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Error>> {
        self.drive(cx)?;
        Poll::Pending
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("quic", &self.quic).finish_non_exhaustive()
    }
}
