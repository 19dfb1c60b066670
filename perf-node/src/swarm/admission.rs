//! Which connections a listener takes, and for how long.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use libp2p::swarm::{ConnectionDenied, ConnectionId, FromSwarm};
use libp2p::{Multiaddr, PeerId};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::limits::{Gate, Place};

/// Keeps those limits of a [`Gate`] that are of connections.
#[derive(Debug)]
pub(super) struct Admission {
    gate: Gate,
    /// Of those in their handshakes, and of those that stand, which they do until they are gone: a peer that does not
    /// read keeps a connection that was told to end for a while.
    places: HashMap<ConnectionId, Place>,
    /// In the order in which they came, which is that in which they are told to end.
    standing: VecDeque<Standing>,
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
        Self { gate, places: HashMap::new(), standing: VecDeque::new(), alarm: None }
    }

    pub(super) fn admit_handshake(
        &mut self,
        connection: ConnectionId,
        address: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let place = self.gate.handshake(address).map_err(ConnectionDenied::new)?;
        self.places.insert(connection, place);
        Ok(())
    }

    pub(super) fn admit(
        &mut self,
        connection: ConnectionId,
        peer: &PeerId,
    ) -> Result<(), ConnectionDenied> {
        let place = self.gate.connection(peer, Some(peer)).map_err(ConnectionDenied::new)?;
        // That of its handshake is given back.
        self.places.insert(connection, place);
        Ok(())
    }

    pub(super) fn on_swarm_event(&mut self, event: &FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(established) => {
                self.standing.push_back(Standing {
                    peer: established.peer_id,
                    connection: established.connection_id,
                    until: self.gate.lifetime().map(|lifetime| Instant::now() + lifetime),
                });
            }
            FromSwarm::ListenFailure(failed) => {
                self.places.remove(&failed.connection_id);
            }
            FromSwarm::ConnectionClosed(closed) => {
                self.places.remove(&closed.connection_id);
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
        let mut admission = Admission::new(limits.gate());
        let peer_id = PeerId::random();
        let [connection_id, other] = [1, 2].map(ConnectionId::new_unchecked);
        let endpoint = ConnectedPoint::Listener {
            local_addr: Multiaddr::empty(),
            send_back_addr: Multiaddr::empty(),
        };
        assert!(admission.admit(connection_id, &peer_id).is_ok());
        admission.on_swarm_event(&FromSwarm::ConnectionEstablished(ConnectionEstablished {
            peer_id,
            connection_id,
            endpoint: &endpoint,
            failed_addresses: &[],
            other_established: 0,
        }));
        assert!(admission.admit(other, &peer_id).is_err());
        let overdue = poll_fn(|cx| admission.poll_overdue(cx)).await;
        assert_eq!(overdue, (peer_id, connection_id));
        assert!(admission.admit(other, &peer_id).is_err());
        admission.on_swarm_event(&FromSwarm::ConnectionClosed(ConnectionClosed {
            peer_id,
            connection_id,
            endpoint: &endpoint,
            cause: None,
            remaining_established: 0,
        }));
        assert!(admission.admit(other, &peer_id).is_ok());
    }
}
