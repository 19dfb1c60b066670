//! Which connections a listener takes, and for how long.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use libp2p::PeerId;
use libp2p::swarm::{ConnectionDenied, ConnectionId, FromSwarm};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::limits::Gate;

/// Keeps those limits of a [`Gate`] that are of connections.
#[derive(Debug)]
pub(super) struct Admission {
    gate: Gate,
    /// In the order in which they came, which is that in which they end.
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
        Self { gate, standing: VecDeque::new(), alarm: None }
    }

    pub(super) fn admit(&self, peer: &PeerId) -> Result<(), ConnectionDenied> {
        self.gate.admit(peer, self.standing.len()).map_err(ConnectionDenied::new)
    }

    pub(super) fn on_swarm_event(&mut self, event: &FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(established) => self.standing.push_back(Standing {
                peer: established.peer_id,
                connection: established.connection_id,
                until: self.gate.lifetime().map(|lifetime| Instant::now() + lifetime),
            }),
            FromSwarm::ConnectionClosed(closed) => {
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
