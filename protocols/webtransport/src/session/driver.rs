//! What goes on beside a session's streams.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use quinn::SendStream;
use tokio::sync::oneshot;

use super::{Arrivals, arrivals, unidirectional};
use crate::config::Limits;
use crate::error::Error;
use crate::wire::code::Http3Code;
use crate::wire::settings::{self, Settings};
use crate::wire::write_varint;

type Chore = BoxFuture<'static, Result<(), Error>>;

/// Chores that run whenever the connection is polled. Dropping it closes the connection.
pub(crate) struct Driver {
    quic: quinn::Connection,
    chores: FuturesUnordered<Chore>,
    /// The chore that hears how the peer ends the session, once there is one.
    session: Option<Chore>,
    /// What the connection is closed with where this is dropped.
    dropped: Http3Code,
    /// Ours, which has to stay open: it holds what is to be sent again.
    control: Option<SendStream>,
}

/// What the chores bring in.
pub(crate) struct Inputs {
    /// Bidirectional streams of the peer.
    pub(crate) arrivals: Arrivals,
    /// What the peer says about itself.
    pub(crate) settings: oneshot::Receiver<Settings>,
}

impl Driver {
    /// Sends our SETTINGS and begins to take the peer's streams.
    pub(crate) async fn start(
        quic: &quinn::Connection,
        limits: Limits,
    ) -> Result<(Self, Inputs), Error> {
        let mut driver = Self {
            quic: quic.clone(),
            chores: FuturesUnordered::new(),
            session: None,
            // A handshake that takes too long, or that nobody wants any more: no clean end of anything.
            dropped: Http3Code::REQUEST_CANCELLED,
            control: None,
        };
        let control = driver.control.insert(quic.open_uni().await?);
        let mut bytes = Vec::new();
        write_varint(0_u32.into(), &mut bytes);
        settings::write_ours(&mut bytes);
        control.write_all(&bytes).await.map_err(|error| match error {
            quinn::WriteError::ConnectionLost(error) => error.into(),
            _ => closed_critical_stream(),
        })?;
        let (settings_sender, settings) = oneshot::channel();
        let (arrivals_sender, arrivals) = arrivals::channel();
        driver.add(unidirectional::accept(quic.clone(), settings_sender, limits));
        driver.add(arrivals::accept(quic.clone(), arrivals_sender, limits));
        Ok((driver, Inputs { arrivals, settings }))
    }

    /// Adds a chore, which ends quietly, or with what ends the connection.
    pub(crate) fn add(&self, chore: impl Future<Output = Result<(), Error>> + Send + 'static) {
        self.chores.push(chore.boxed());
    }

    /// There is a session: `chore` hears how it ends. To drop this is to end it from here on.
    pub(super) fn set_session(
        &mut self,
        chore: impl Future<Output = Result<(), Error>> + Send + 'static,
    ) {
        self.session = Some(chore.boxed());
        self.dropped = Http3Code::NO_ERROR;
    }

    /// Chores under way, but the session's.
    pub(crate) fn len(&self) -> usize {
        self.chores.len()
    }

    /// Runs the chores; ready with what ends the connection, and with what it was closed with ever after.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let ended = self.poll_chores(cx);
        // After them, whatever they say: what the peer said last is still to be read where the end of its
        // connection came together with it, and it says more.
        let said = self.session.as_mut().map_or(Poll::Pending, |session| session.poll_unpin(cx));
        match (said, ended) {
            (Poll::Ready(Err(error)), _) | (_, Poll::Ready(error)) => {
                self.end(&error);
                Poll::Ready(error)
            }
            (Poll::Ready(Ok(())), Poll::Pending) => {
                self.session = None;
                Poll::Pending
            }
            (Poll::Pending, Poll::Pending) => Poll::Pending,
        }
    }

    fn poll_chores(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        while let Poll::Ready(Some(done)) = self.chores.poll_next_unpin(cx) {
            if let Err(error) = done {
                return Poll::Ready(error);
            }
        }
        match self.quic.close_reason() {
            Some(error) if self.chores.is_empty() => Poll::Ready(error.into()),
            _ => Poll::Pending,
        }
    }

    /// Runs `work` with the chores going on beside it; whichever fails first closes the connection.
    pub(crate) async fn run_beside<T>(
        &mut self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            // Chores first: work may wait for what they bring.
            if let Poll::Ready(error) = self.poll(cx) {
                return Poll::Ready(Err(error));
            }
            let done = work.as_mut().poll(cx);
            if let Poll::Ready(Err(error)) = &done {
                self.end(error);
            }
            done
        })
        .await
    }

    /// Closes the connection, where the peer has not done so, and stops all chores: one that waits for
    /// something else than the connection would never notice.
    fn end(&mut self, error: &Error) {
        if self.quic.close_reason().is_none() {
            let (code, reason) = error.farewell();
            self.quic.close(code.into(), reason.as_bytes());
        }
        self.session = None;
        self.chores.clear();
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.quic.close_reason().is_none() {
            self.quic.close(self.dropped.into(), b"");
        }
    }
}

pub(super) fn closed_critical_stream() -> Error {
    Error::violation(Http3Code::CLOSED_CRITICAL_STREAM, "a stream ended that must not")
}
