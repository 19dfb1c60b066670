//! One connection's streams: opened on request, answered as they come.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, Stream, StreamProtocol, StreamUpgradeError,
    SubstreamProtocol,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::hold::hold;

/// Streams answered at once on one connection, which a further one ends. Each holds one read buffer.
const MAX_INBOUND: usize = 256;

/// Requests under way at once on one connection.
const MAX_REQUESTS: usize = 64;

/// How a listener answers a stream: bounded in time by whoever makes it.
#[derive(Clone)]
pub struct Answer(Arc<dyn Fn(Stream) -> BoxFuture<'static, After> + Send + Sync>);

/// What becomes of a connection when one of its streams has been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It stands.
    KeepOn,
    /// It is closed.
    HangUp,
}

impl From<()> for After {
    fn from((): ()) -> Self {
        Self::KeepOn
    }
}

impl Answer {
    /// Answers every stream with `answer`, which says [`After`] or nothing.
    pub fn new<F>(answer: impl Fn(Stream) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output: Into<After>> + Send + 'static,
    {
        Self(Arc::new(move |stream| Box::pin(answer(stream).map(Into::into))))
    }

    /// Resets every stream: what a dialer does.
    pub fn refuse() -> Self {
        Self::new(|stream| async move { drop(stream) })
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}

/// Opens streams on one connection.
#[derive(Clone, Debug)]
pub struct Streams(mpsc::Sender<Request>);

/// Why a stream could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The connection ended.
    #[error("the connection ended")]
    Closed,
    /// The peer did not agree in time.
    #[error("the peer did not agree on {} in time", perf_protocol::PROTOCOL_NAME)]
    Timeout,
    /// The peer does not speak the protocol.
    #[error("the peer does not speak {}", perf_protocol::PROTOCOL_NAME)]
    Refused,
    /// The stream broke while it was negotiated.
    #[error("the stream broke while it was negotiated")]
    Io(#[from] std::io::Error),
}

impl Streams {
    /// The opening side, and what its connection's handler takes.
    pub(super) fn new() -> (Self, Requests) {
        let (sender, receiver) = mpsc::channel(MAX_REQUESTS);
        (Self(sender), Requests(receiver))
    }

    /// Opens a stream and agrees on the perf protocol.
    pub async fn open(&self) -> Result<Stream, OpenError> {
        self.ask(Request::Open).await?
    }

    /// Whether the connection is alive at a moment after this call.
    ///
    /// yamux ends the streams of a connection that breaks as if their peer had ended them. Its
    /// handler is gone by then, so only an answer from it proves that an end was the peer's.
    pub async fn confirm_alive(&self) -> Result<(), OpenError> {
        self.ask(Request::Confirm).await
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, OpenError> {
        let (sender, receiver) = oneshot::channel();
        self.0.send(request(sender)).await.map_err(|_| OpenError::Closed)?;
        receiver.await.map_err(|_| OpenError::Closed)
    }
}

type Opened = oneshot::Sender<Result<Stream, OpenError>>;

#[derive(Debug)]
enum Request {
    Open(Opened),
    Confirm(oneshot::Sender<()>),
}

/// The handler's end of [`Streams`].
#[derive(Debug)]
pub(super) struct Requests(mpsc::Receiver<Request>);

/// The connection has to be closed.
#[derive(Clone, Copy, Debug)]
pub struct HangUp;

/// Handles one connection. Each stream is answered in a task of its own, which ends with the connection.
#[derive(Debug)]
pub struct Handler {
    answer: Answer,
    protocol: StreamProtocol,
    answering: JoinSet<After>,
    requests: Requests,
    /// Requests taken and not yet handed to the swarm.
    waiting: VecDeque<Opened>,
}

impl Handler {
    pub(super) fn new(answer: Answer, protocol: StreamProtocol, requests: Requests) -> Self {
        Self { answer, protocol, answering: JoinSet::new(), requests, waiting: VecDeque::new() }
    }

    fn upgrade(&self) -> ReadyUpgrade<StreamProtocol> {
        ReadyUpgrade::new(self.protocol.clone())
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = std::convert::Infallible;
    type ToBehaviour = HangUp;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Opened;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(self.upgrade(), ())
    }

    /// A dialer keeps its connection for as long as it holds [`Streams`].
    fn connection_keep_alive(&self) -> bool {
        !self.requests.0.is_closed() || !self.waiting.is_empty()
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Opened, Self::ToBehaviour>> {
        while let Poll::Ready(Some(answered)) = self.answering.poll_join_next(cx) {
            // An error is a panic, and what the peer was told then is anybody's guess.
            if answered.unwrap_or(After::HangUp) == After::HangUp {
                return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(HangUp));
            }
        }
        while let Poll::Ready(Some(request)) = self.requests.0.poll_recv(cx) {
            match request {
                Request::Open(opened) => self.waiting.push_back(opened),
                Request::Confirm(alive) => {
                    // Whoever asked may have given up.
                    let _ = alive.send(());
                }
            }
        }
        match self.waiting.pop_front() {
            Some(opened) => Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(self.upgrade(), opened),
            }),
            None => Poll::Pending,
        }
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        match event {}
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol, (), Opened>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol, ..
            }) => {
                if self.answering.len() < MAX_INBOUND {
                    self.answering.spawn((self.answer.0)(protocol));
                } else {
                    tracing::info!("a connection was closed: it had {MAX_INBOUND} streams already");
                    hold(protocol);
                    self.answering.spawn(ready(After::HangUp));
                }
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol,
                info,
            }) => {
                let _ = info.send(Ok(protocol));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                let error = match error {
                    StreamUpgradeError::Timeout => OpenError::Timeout,
                    StreamUpgradeError::NegotiationFailed => OpenError::Refused,
                    StreamUpgradeError::Io(error) => OpenError::Io(error),
                    StreamUpgradeError::Apply(never) => match never {},
                };
                let _ = info.send(Err(error));
            }
            _ => {}
        }
    }
}
