//! What goes on beside a session's streams.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use quinn::SendStream;
use tokio::sync::oneshot;

use super::{Arrivals, arrivals, unidirectional};
use crate::config::Limits;
use crate::error::Error;
use crate::wire::code::Http3Code;
use crate::wire::settings::{self, Settings};
use crate::wire::write_varint;

/// Chores that run whenever the connection is polled. Dropping it closes the connection.
pub(crate) struct Driver {
    quic: quinn::Connection,
    chores: FuturesUnordered<BoxFuture<'static, Result<(), Error>>>,
    /// Ours, which has to stay open: it holds what is to be sent again.
    _control: SendStream,
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
        let mut control = quic.open_uni().await?;
        let mut bytes = Vec::new();
        write_varint(0_u32.into(), &mut bytes);
        settings::write_ours(&mut bytes);
        control.write_all(&bytes).await.map_err(|error| match error {
            quinn::WriteError::ConnectionLost(error) => error.into(),
            _ => closed_critical_stream(),
        })?;
        let (settings_sender, settings) = oneshot::channel();
        let (arrivals_sender, arrivals) = arrivals::channel();
        let driver =
            Self { quic: quic.clone(), chores: FuturesUnordered::new(), _control: control };
        driver.add(unidirectional::accept(quic.clone(), settings_sender, limits));
        driver.add(arrivals::accept(quic.clone(), arrivals_sender, limits));
        Ok((driver, Inputs { arrivals, settings }))
    }

    /// Adds a chore, which ends quietly, or with what ends the connection.
    pub(crate) fn add(&self, chore: impl Future<Output = Result<(), Error>> + Send + 'static) {
        self.chores.push(Box::pin(chore));
    }

    /// Chores under way.
    pub(crate) fn len(&self) -> usize {
        self.chores.len()
    }

    /// Runs the chores; ready with what ends the connection.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        while let Poll::Ready(Some(done)) = self.chores.poll_next_unpin(cx) {
            if let Err(error) = done {
                self.fail(&error);
                return Poll::Ready(error);
            }
        }
        match self.quic.close_reason() {
            // Every chore that waits for the connection has ended; later polls say the same.
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
                self.fail(error);
            }
            done
        })
        .await
    }

    /// Tells the peer which rule it broke; anything else it knows, or is none of its business.
    fn fail(&self, error: &Error) {
        let reason = match error {
            Error::Protocol(violation) => violation.to_string(),
            _ => String::new(),
        };
        self.quic.close(error.code().into(), reason.as_bytes());
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.quic.close(Http3Code::NO_ERROR.into(), b"");
    }
}

pub(super) fn closed_critical_stream() -> Error {
    Error::violation(Http3Code::CLOSED_CRITICAL_STREAM, "a stream ended that must not")
}
