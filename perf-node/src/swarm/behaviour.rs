//! The perf protocol as a `NetworkBehaviour`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, StreamProtocol,
    THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use super::admission::Admission;
use super::handler::{Answer, Handler, HangUp, Requests, Streams};
use crate::limits::Gate;

/// Hands a dialer the [`Streams`] of each connection it makes, and answers those of listeners.
#[derive(Debug)]
pub struct Behaviour {
    answer: Answer,
    protocol: StreamProtocol,
    events: VecDeque<ToSwarm<Event, Infallible>>,
    admission: Option<Admission>,
}

/// What the behaviour tells.
#[derive(Debug)]
pub enum Event {
    /// A dial succeeded.
    Connected {
        /// The authenticated peer.
        peer: PeerId,
        /// Opens streams to it.
        streams: Streams,
    },
}

impl Behaviour {
    /// A behaviour that answers every inbound stream with `answer`. `protocol` is perf, or what
    /// stands in its place. Whom the `gate` does not let in has no connection.
    pub fn new(answer: Answer, protocol: StreamProtocol, gate: Gate) -> Self {
        let admission = (!gate.is_open()).then(|| Admission::new(gate));
        Self { answer, protocol, events: VecDeque::new(), admission }
    }

    fn handler(&self, requests: Requests) -> Handler {
        Handler::new(self.answer.clone(), self.protocol.clone(), requests)
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: &Multiaddr,
        address: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        match &mut self.admission {
            Some(admission) => admission.admit_handshake(connection, address),
            None => Ok(()),
        }
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if let Some(admission) = &mut self.admission {
            admission.admit(connection, &peer)?;
        }
        // Nobody opens streams to a dialer: the requesting end is dropped.
        let (_, requests) = Streams::new();
        Ok(self.handler(requests))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let (streams, requests) = Streams::new();
        self.events.push_back(ToSwarm::GenerateEvent(Event::Connected { peer, streams }));
        Ok(self.handler(requests))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let Some(admission) = &mut self.admission {
            admission.on_swarm_event(&event);
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer_id: PeerId,
        connection: ConnectionId,
        HangUp: THandlerOutEvent<Self>,
    ) {
        self.events.push_back(hang_up(peer_id, connection));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(event);
        }
        let Some(admission) = &mut self.admission else { return Poll::Pending };
        admission.poll_overdue(cx).map(|(peer, connection)| hang_up(peer, connection))
    }
}

fn hang_up(peer_id: PeerId, connection: ConnectionId) -> ToSwarm<Event, Infallible> {
    ToSwarm::CloseConnection { peer_id, connection: CloseConnection::One(connection) }
}
