//! One listening address: who dials it, and with which hashes it is advertised.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt};
use libp2p_core::transport::{ListenerId, TransportEvent};
use libp2p_identity::PeerId;
use libp2p_quic_shared::{Arrival, Listening, PortEvent, SocketBuffers};
use tokio::time::{Interval, MissedTickBehavior};

use crate::address::print;
use crate::certificate::{CertHash, Certificates};
use crate::error::Error;
use crate::muxer::Connection;
use crate::session::{self, Setup};

/// A handshake under way.
pub(crate) type Upgrade = BoxFuture<'static, Result<(PeerId, Connection), Error>>;
type Event = TransportEvent<Upgrade, Error>;

/// What all listeners of a transport share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) setup: Setup,
    pub(crate) certificates: Arc<Certificates>,
}

/// A stream of what happens to a listener, which ends once it is closed.
pub(crate) struct Listener {
    pub(crate) id: ListenerId,
    /// Until it is closed.
    listening: Option<Listening>,
    shared: Shared,
    advertised: [CertHash; 2],
    check: Interval,
    events: VecDeque<Event>,
    waker: Option<Waker>,
}

impl Listener {
    pub(crate) fn new(
        id: ListenerId,
        listening: Listening,
        shared: Shared,
        check_interval: Duration,
    ) -> Self {
        let mut check = tokio::time::interval(check_interval);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            id,
            listening: Some(listening),
            advertised: shared.certificates.now().advertised(),
            shared,
            check,
            events: VecDeque::new(),
            waker: None,
        }
    }

    /// Takes no more dialers; those who are connected stay so.
    pub(crate) fn close(&mut self, reason: Result<(), Error>) {
        let Some(listening) = self.listening.take() else { return };
        for socket in listening.addresses() {
            self.events.push_back(self.expired(socket));
        }
        self.events.push_back(TransportEvent::ListenerClosed { listener_id: self.id, reason });
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn new_address(&self, socket: SocketAddr) -> Event {
        let listen_addr = print(socket, &self.advertised);
        TransportEvent::NewAddress { listener_id: self.id, listen_addr }
    }

    fn expired(&self, socket: SocketAddr) -> Event {
        let listen_addr = print(socket, &self.advertised);
        TransportEvent::AddressExpired { listener_id: self.id, listen_addr }
    }

    /// Advertises the certificates of this moment.
    fn readvertise(&mut self) {
        let advertised = self.shared.certificates.now().advertised();
        if advertised == self.advertised {
            return;
        }
        let sockets: Vec<_> = self.listening.iter().flat_map(Listening::addresses).collect();
        let expired: Vec<_> = sockets.iter().map(|&socket| self.expired(socket)).collect();
        self.advertised = advertised;
        for (socket, expired) in sockets.into_iter().zip(expired) {
            self.events.push_back(self.new_address(socket));
            self.events.push_back(expired);
        }
    }

    fn buffers(&self) -> Option<SocketBuffers> {
        self.listening.as_ref()?.buffers()
    }

    fn event(&self, event: PortEvent) -> Event {
        match event {
            PortEvent::Up(socket) => self.new_address(socket),
            PortEvent::Down(socket) => self.expired(socket),
            PortEvent::Failed(error) => {
                TransportEvent::ListenerError { listener_id: self.id, error: error.into() }
            }
            PortEvent::Arrival(arrival) => TransportEvent::Incoming {
                listener_id: self.id,
                local_addr: print(arrival.local_addr(), &self.advertised),
                send_back_addr: print(arrival.remote_addr(), &[]),
                upgrade: upgrade(arrival, self.shared.clone(), self.buffers()).boxed(),
            },
        }
    }
}

async fn upgrade(
    arrival: Arrival,
    shared: Shared,
    buffers: Option<SocketBuffers>,
) -> Result<(PeerId, Connection), Error> {
    let accept = |quic| async move {
        let certhashes = shared.certificates.now().vouched_for().map(CertHash::to_multihash);
        let limits = shared.setup.limits;
        let session = session::accept(quic, shared.setup, certhashes).await?;
        Ok((session.peer, Connection::new(session, limits, buffers)))
    };
    arrival.establish(accept).await.unwrap_or(Err(Error::HandshakeTimedOut))
}

/// The task that reads it has ended, which is all that quinn tells: it logs why.
fn socket_is_gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the listener's socket cannot be read any more")
}

impl Stream for Listener {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        while self.listening.is_some() && self.check.poll_tick(cx).is_ready() {
            self.readvertise();
        }
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(Some(event));
        }
        let Some(listening) = &mut self.listening else { return Poll::Ready(None) };
        match listening.poll_next_unpin(cx) {
            Poll::Ready(Some(event)) => Poll::Ready(Some(self.event(event))),
            Poll::Ready(None) => {
                self.close(Err(socket_is_gone().into()));
                Poll::Ready(self.events.pop_front())
            }
            Poll::Pending => {
                self.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
