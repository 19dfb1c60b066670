//! Which connections a listener takes, and for how long.

use std::collections::{HashSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use libp2p::swarm::{ConnectionDenied, ConnectionId, FromSwarm};
use libp2p::{Multiaddr, PeerId};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::limits::Gate;

/// Keeps those limits of a [`Gate`] that are of connections.
#[derive(Debug)]
pub(super) struct Admission {
    gate: Gate,
    /// In their handshakes.
    pending: HashSet<ConnectionId>,
    /// In the order in which they came, which is that in which they end.
    standing: VecDeque<Standing>,
    /// Told to end, and not gone yet: a peer that does not read keeps its connection for a while.
    closing: HashSet<ConnectionId>,
    /// Set to the end of the first of them.
    alarm: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
struct Standing {
    peer: PeerId,
    connection: ConnectionId,
    /// When it has to end; of all of them, or of none.
    until: Option<Instant>,
}

impl Admission {
    pub(super) fn new(gate: Gate) -> Self {
        Self {
            gate,
            pending: HashSet::new(),
            standing: VecDeque::new(),
            closing: HashSet::new(),
            alarm: None,
        }
    }

    pub(super) fn admit_handshake(
        &mut self,
        connection: ConnectionId,
        address: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let admitted = self.gate.admit_handshake(address, self.pending.len());
        admitted.map_err(ConnectionDenied::new)?;
        self.pending.insert(connection);
        Ok(())
    }

    pub(super) fn admit(&self, peer: &PeerId) -> Result<(), ConnectionDenied> {
        let others = self.standing.len() + self.closing.len();
        self.gate.admit(peer, others).map_err(ConnectionDenied::new)
    }

    pub(super) fn on_swarm_event(&mut self, event: &FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(established) => {
                self.pending.remove(&established.connection_id);
                self.standing.push_back(Standing {
                    peer: established.peer_id,
                    connection: established.connection_id,
                    until: self.gate.lifetime().map(|lifetime| Instant::now() + lifetime),
                });
            }
            FromSwarm::ListenFailure(failed) => {
                self.pending.remove(&failed.connection_id);
            }
            FromSwarm::ConnectionClosed(closed) => {
                self.closing.remove(&closed.connection_id);
                self.standing.retain(|other| other.connection != closed.connection_id);
            }
            _ => {}
        }
    }

    /// The next connection that has to end. Where none stands, whoever comes wakes the swarm.
    pub(super) fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<(PeerId, ConnectionId)> {
        let Some(until) = self.standing.front().and_then(|first| first.until) else {
            return Poll::Pending;
        };
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if alarm.deadline() != until {
            alarm.as_mut().reset(until);
        }
        ready!(alarm.as_mut().poll(cx));
        match self.standing.pop_front() {
            Some(Standing { peer, connection, .. }) => {
                self.closing.insert(connection);
                self.gate.tell_overdue(&peer);
                Poll::Ready((peer, connection))
            }
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use libp2p::core::ConnectedPoint;
    use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished};

    use super::*;
    use crate::limits::Limits;

    #[tokio::test(start_paused = true)]
    async fn a_connection_counts_until_it_is_gone() {
        let duration = Some(std::time::Duration::from_secs(1));
        let limits = Limits { connections: Some(1), duration, ..Limits::default() };
        let mut admission = Admission::new(limits.gate().unwrap());
        let (peer_id, connection_id) = (PeerId::random(), ConnectionId::new_unchecked(1));
        let endpoint = ConnectedPoint::Listener {
            local_addr: Multiaddr::empty(),
            send_back_addr: Multiaddr::empty(),
        };
        assert!(admission.admit(&peer_id).is_ok());
        admission.on_swarm_event(&FromSwarm::ConnectionEstablished(ConnectionEstablished {
            peer_id,
            connection_id,
            endpoint: &endpoint,
            failed_addresses: &[],
            other_established: 0,
        }));
        assert!(admission.admit(&peer_id).is_err());
        let overdue = poll_fn(|cx| admission.poll_overdue(cx)).await;
        assert_eq!(overdue, (peer_id, connection_id));
        assert!(admission.admit(&peer_id).is_err());
        admission.on_swarm_event(&FromSwarm::ConnectionClosed(ConnectionClosed {
            peer_id,
            connection_id,
            endpoint: &endpoint,
            cause: None,
            remaining_established: 0,
        }));
        assert!(admission.admit(&peer_id).is_ok());
    }
}
