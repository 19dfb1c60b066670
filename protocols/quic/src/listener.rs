//! What happens on a port, as libp2p wants to be told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt};
use libp2p_core::transport::{ListenerId, TransportEvent};
use libp2p_identity::PeerId;

use crate::address::print;
use crate::arrival::Arrival;
use crate::connection::Connection;
use crate::error::Error;
use crate::listening::{Listening, PortEvent};
use crate::tls;

/// A handshake under way.
pub type Upgrade = BoxFuture<'static, Result<(PeerId, Connection), Error>>;
type Event = TransportEvent<Upgrade, Error>;

/// A stream of what happens to a listener, which ends once it is closed.
pub(crate) struct Listener {
    pub(crate) id: ListenerId,
    /// Until it is closed.
    listening: Option<Listening>,
    /// What a connection buffers once its peer is known, in bytes.
    connection_data: u32,
    farewell: VecDeque<Event>,
    waker: Option<Waker>,
}

impl Listener {
    pub(crate) fn new(id: ListenerId, listening: Listening, connection_data: u32) -> Self {
        let listening = Some(listening);
        Self { id, listening, connection_data, farewell: VecDeque::new(), waker: None }
    }

    /// Takes no more dialers; those who are connected stay so.
    pub(crate) fn close(&mut self, reason: Result<(), Error>) {
        let Some(listening) = self.listening.take() else { return };
        let gone = listening.addresses().map(|socket| down(self.id, socket));
        let closed = TransportEvent::ListenerClosed { listener_id: self.id, reason };
        self.farewell = gone.chain([closed]).collect();
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn event(&self, event: PortEvent) -> Event {
        let listener_id = self.id;
        match event {
            PortEvent::Up(socket) => {
                TransportEvent::NewAddress { listener_id, listen_addr: print(socket) }
            }
            PortEvent::Down(socket) => down(listener_id, socket),
            PortEvent::Failed(error) => {
                TransportEvent::ListenerError { listener_id, error: error.into() }
            }
            PortEvent::Arrival(arrival) => TransportEvent::Incoming {
                listener_id,
                local_addr: print(arrival.local_addr()),
                send_back_addr: print(arrival.remote_addr()),
                upgrade: upgrade(arrival, self.connection_data).boxed(),
            },
        }
    }
}

fn down(listener_id: ListenerId, socket: SocketAddr) -> Event {
    TransportEvent::AddressExpired { listener_id, listen_addr: print(socket) }
}

async fn upgrade(arrival: Arrival, connection_data: u32) -> Result<(PeerId, Connection), Error> {
    let known = |quic: quinn::Connection| async move {
        let peer = tls::peer(&quic)?;
        // Another protocol of this port may be more careful with strangers.
        quic.set_receive_window(connection_data.into());
        Ok((peer, Connection::new(quic)))
    };
    arrival.establish(known).await.unwrap_or(Err(Error::HandshakeTimedOut))
}

impl Stream for Listener {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        if let Some(listening) = &mut self.listening {
            match listening.poll_next_unpin(cx) {
                Poll::Ready(Some(event)) => return Poll::Ready(Some(self.event(event))),
                Poll::Ready(None) => self.close(Err(Error::SocketGone)),
                Poll::Pending => {
                    self.waker = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(self.farewell.pop_front())
    }
}
