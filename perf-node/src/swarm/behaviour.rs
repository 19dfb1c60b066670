//! The perf protocol as a `NetworkBehaviour`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, StreamProtocol, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use super::handler::{Answer, Handler, Requests, Streams};

/// Hands a dialer the [`Streams`] of each connection it makes, and answers those of listeners.
#[derive(Debug)]
pub struct Behaviour {
    answer: Answer,
    protocol: StreamProtocol,
    events: VecDeque<Event>,
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
    /// stands in its place.
    pub fn new(answer: Answer, protocol: StreamProtocol) -> Self {
        Self { answer, protocol, events: VecDeque::new() }
    }

    fn handler(&self, requests: Requests) -> Handler {
        Handler::new(self.answer.clone(), self.protocol.clone(), requests)
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
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
        self.events.push_back(Event::Connected { peer, streams });
        Ok(self.handler(requests))
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        let never: Infallible = event;
        match never {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        match self.events.pop_front() {
            Some(event) => Poll::Ready(ToSwarm::GenerateEvent(event)),
            None => Poll::Pending,
        }
    }
}
