//! Which connections a listener takes, and for how long.

use std::collections::HashSet;
use std::task::{Context, Poll, ready};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use libp2p::PeerId;
use libp2p::swarm::{ConnectionDenied, ConnectionId, FromSwarm};
use tokio::time::sleep;

use crate::limits::Gate;

/// Keeps those limits of a [`Gate`] that are of connections.
pub(super) struct Admission {
    gate: Gate,
    standing: HashSet<ConnectionId>,
    /// Each ends when its connection has to.
    lifetimes: FuturesUnordered<BoxFuture<'static, (PeerId, ConnectionId)>>,
}

impl Admission {
    pub(super) fn new(gate: Gate) -> Self {
        Self { gate, standing: HashSet::new(), lifetimes: FuturesUnordered::new() }
    }

    pub(super) fn admit(&self, peer: &PeerId) -> Result<(), ConnectionDenied> {
        self.gate.admit(peer, self.standing.len()).map_err(ConnectionDenied::new)
    }

    pub(super) fn on_swarm_event(&mut self, event: &FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(established) => {
                let (peer, connection) = (established.peer_id, established.connection_id);
                self.standing.insert(connection);
                if let Some(lifetime) = self.gate.lifetime() {
                    self.lifetimes.push(Box::pin(async move {
                        sleep(lifetime).await;
                        (peer, connection)
                    }));
                }
            }
            FromSwarm::ConnectionClosed(closed) => {
                self.standing.remove(&closed.connection_id);
            }
            _ => {}
        }
    }

    /// The next connection that has to end.
    pub(super) fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<(PeerId, ConnectionId)> {
        while let Some((peer, connection)) = ready!(self.lifetimes.poll_next_unpin(cx)) {
            if self.standing.contains(&connection) {
                self.gate.tell_overdue(&peer);
                return Poll::Ready((peer, connection));
            }
        }
        // Nothing lasts that could end: whoever comes wakes the swarm.
        Poll::Pending
    }
}

impl std::fmt::Debug for Admission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admission").field("gate", &self.gate).finish_non_exhaustive()
    }
}
