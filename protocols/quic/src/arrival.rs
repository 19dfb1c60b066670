//! A dialer, from its first packet until its handshake is done.

use std::future::Future;
use std::net::SocketAddr;

use quinn::crypto::rustls::HandshakeData;
use quinn::{Connecting, ConnectionError};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use crate::pending::Place;

/// A dialer whose protocol is known, and whose handshake is under way. Dropping it ends that.
#[derive(Debug)]
pub struct Arrival {
    connecting: Connecting,
    local: SocketAddr,
    remote: SocketAddr,
    deadline: Instant,
    place: Place,
}

impl Arrival {
    pub(crate) fn new(
        connecting: Connecting,
        local: SocketAddr,
        deadline: Instant,
        place: Place,
    ) -> Self {
        let remote = connecting.remote_address();
        Self { connecting, local, remote, deadline, place }
    }

    /// Where it was dialed.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Where it dials from.
    pub fn remote_addr(&self) -> SocketAddr {
        self.remote
    }

    /// Waits for TLS to be done, then runs what the protocol adds to it. All of it has to be done
    /// within [`Config::handshake_timeout`](crate::Config::handshake_timeout) from the dialer's first packet
    /// on, or it is dropped; until then it counts as a pending handshake.
    pub async fn establish<T, E, F>(
        self,
        then: impl FnOnce(quinn::Connection) -> F,
    ) -> Result<Result<T, E>, Elapsed>
    where
        E: From<ConnectionError>,
        F: Future<Output = Result<T, E>>,
    {
        let Self { connecting, deadline, place, .. } = self;
        let established = timeout_at(deadline, async { then(connecting.await?).await }).await;
        drop(place);
        established
    }

    /// Waits for the ClientHello; then gives the protocol that was chosen by it. `None` where it never comes, or
    /// there is none.
    pub(crate) async fn recognised(mut self) -> Option<(Vec<u8>, Self)> {
        let data = match timeout_at(self.deadline, self.connecting.handshake_data()).await {
            Ok(Ok(data)) => data,
            Ok(Err(error)) => {
                tracing::debug!("{} was refused: {error}", self.remote);
                return None;
            }
            Err(Elapsed { .. }) => {
                tracing::debug!("{} never said what it wants", self.remote);
                return None;
            }
        };
        let alpn = data.downcast::<HandshakeData>().ok()?.protocol?;
        Some((alpn, self))
    }
}
