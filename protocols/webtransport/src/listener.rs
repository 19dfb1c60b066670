//! One listening socket: who dials it, and the addresses it can be dialed at.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, Stream};
use if_watch::IfEvent;
use libp2p_core::transport::{ListenerId, TransportEvent};
use libp2p_identity::PeerId;
use tokio::time::{Interval, MissedTickBehavior, timeout};

use crate::address::print;
use crate::certificate::{CertHash, Certificates};
use crate::error::Error;
use crate::interfaces::Interfaces;
use crate::muxer::Connection;
use crate::pending::{Admission, Pending, Place};
use crate::session::{self, Setup};

/// Changes of this machine's addresses taken at once, for the same reason as [`REFUSALS_AT_ONCE`].
const CHANGES_AT_ONCE: usize = 32;

/// Dialers turned away before the others of this thread have their turn.
const REFUSALS_AT_ONCE: usize = 32;

/// A handshake under way.
pub(crate) type Upgrade = BoxFuture<'static, Result<(PeerId, Connection), Error>>;
type Event = TransportEvent<Upgrade, Error>;

/// What all listeners of a transport share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) setup: Setup,
    pub(crate) certificates: Arc<Certificates>,
    pub(crate) pending: Pending,
    pub(crate) handshake_timeout: Duration,
    pub(crate) check_interval: Duration,
}

/// A stream of what happens to a listener, which ends once it is closed.
pub(crate) struct Listener {
    pub(crate) id: ListenerId,
    pub(crate) endpoint: quinn::Endpoint,
    local: SocketAddr,
    shared: Shared,
    accept: BoxFuture<'static, Option<quinn::Incoming>>,
    /// Where it listens on whatever addresses there are.
    interfaces: Option<Interfaces>,
    ips: HashSet<IpAddr>,
    advertised: [CertHash; 2],
    check: Interval,
    events: VecDeque<Event>,
    is_closed: bool,
    waker: Option<Waker>,
}

impl Listener {
    pub(crate) fn new(
        id: ListenerId,
        endpoint: quinn::Endpoint,
        shared: Shared,
    ) -> Result<Self, Error> {
        let local = endpoint.local_addr()?;
        let mut check = tokio::time::interval(shared.check_interval);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut listener = Self {
            id,
            accept: accept(&endpoint),
            endpoint,
            local,
            advertised: shared.certificates.now().advertised(),
            shared,
            interfaces: local.ip().is_unspecified().then(Interfaces::new).transpose()?,
            ips: HashSet::new(),
            check,
            events: VecDeque::new(),
            is_closed: false,
            waker: None,
        };
        if listener.interfaces.is_none() {
            listener.up(local.ip());
        }
        Ok(listener)
    }

    /// Takes no more dialers, and refuses those who wait to be taken; those who are connected stay so.
    pub(crate) fn close(&mut self, reason: Result<(), Error>) {
        if self.is_closed {
            return;
        }
        self.endpoint.set_server_config(None);
        // Nobody else would ever answer them.
        while let Some(Some(waiting)) = self.endpoint.accept().now_or_never() {
            waiting.refuse();
        }
        self.is_closed = true;
        self.events.clear();
        for ip in std::mem::take(&mut self.ips) {
            let listen_addr = print(SocketAddr::new(ip, self.local.port()), &self.advertised);
            let listener_id = self.id;
            self.events.push_back(TransportEvent::AddressExpired { listener_id, listen_addr });
        }
        self.events.push_back(TransportEvent::ListenerClosed { listener_id: self.id, reason });
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Whether what is sent from this socket can reach `remote`.
    pub(crate) fn reaches(&self, remote: SocketAddr) -> bool {
        let local = self.local.ip();
        !self.is_closed
            && local.is_ipv4() == remote.is_ipv4()
            && (local.is_unspecified() || local.is_loopback() == remote.ip().is_loopback())
    }

    fn up(&mut self, ip: IpAddr) {
        if ip.is_ipv4() == self.local.is_ipv4() && self.ips.insert(ip) {
            let listen_addr = print(SocketAddr::new(ip, self.local.port()), &self.advertised);
            self.events.push_back(TransportEvent::NewAddress { listener_id: self.id, listen_addr });
        }
    }

    fn down(&mut self, ip: IpAddr) {
        if self.ips.remove(&ip) {
            let listen_addr = print(SocketAddr::new(ip, self.local.port()), &self.advertised);
            self.events
                .push_back(TransportEvent::AddressExpired { listener_id: self.id, listen_addr });
        }
    }

    /// Advertises the certificates of this moment.
    fn readvertise(&mut self) {
        let advertised = self.shared.certificates.now().advertised();
        if advertised == self.advertised {
            return;
        }
        for &ip in &self.ips {
            let socket = SocketAddr::new(ip, self.local.port());
            let listener_id = self.id;
            self.events.push_back(TransportEvent::NewAddress {
                listener_id,
                listen_addr: print(socket, &advertised),
            });
            self.events.push_back(TransportEvent::AddressExpired {
                listener_id,
                listen_addr: print(socket, &self.advertised),
            });
        }
        self.advertised = advertised;
    }

    /// What has to be looked at from time to time.
    fn look_around(&mut self) {
        self.readvertise();
        if let Some(Err(error)) = self.interfaces.as_mut().map(Interfaces::retry) {
            self.report(error);
        }
    }

    fn poll_interfaces(&mut self, cx: &mut Context<'_>) {
        for _ in 0..CHANGES_AT_ONCE {
            let Some(interfaces) = &mut self.interfaces else { return };
            match interfaces.poll(cx) {
                Poll::Ready(Ok(IfEvent::Up(net))) => self.up(net.addr()),
                Poll::Ready(Ok(IfEvent::Down(net))) => self.down(net.addr()),
                Poll::Ready(Err(error)) => self.report(error),
                Poll::Pending => return,
            }
        }
        cx.waker().wake_by_ref();
    }

    /// Tells of something that went wrong, and does not end the listener.
    fn report(&mut self, error: io::Error) {
        let (listener_id, error) = (self.id, error.into());
        self.events.push_back(TransportEvent::ListenerError { listener_id, error });
    }

    /// The next dialer that gets a place.
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        for _ in 0..REFUSALS_AT_ONCE {
            let Some(incoming) = std::task::ready!(self.accept.poll_unpin(cx)) else {
                self.close(Err(socket_is_gone().into()));
                return match self.events.pop_front() {
                    Some(event) => Poll::Ready(event),
                    None => Poll::Pending,
                };
            };
            self.accept = accept(&self.endpoint);
            let remote = incoming.remote_address();
            let is_proved = incoming.remote_address_validated() || !incoming.may_retry();
            match self.shared.pending.admit(remote.ip(), is_proved) {
                Admission::Granted(place) => return Poll::Ready(self.upgrade(incoming, place)),
                Admission::ProveAddress => {
                    // An error means that it cannot be asked to, which was looked at.
                    let _ = incoming.retry();
                }
                Admission::Refused => {
                    tracing::debug!("{remote} was refused: too many handshakes are under way");
                    incoming.refuse();
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn upgrade(&self, incoming: quinn::Incoming, place: Place) -> Event {
        let remote = incoming.remote_address();
        let local = SocketAddr::new(
            incoming.local_ip().filter(|ip| !ip.is_unspecified()).unwrap_or(self.local.ip()),
            self.local.port(),
        );
        let shared = self.shared.clone();
        let upgrade = async move {
            let _place = place;
            let handshake = handshake(incoming, &shared);
            timeout(shared.handshake_timeout, handshake)
                .await
                .unwrap_or(Err(Error::HandshakeTimedOut))
        };
        TransportEvent::Incoming {
            listener_id: self.id,
            upgrade: upgrade.boxed(),
            local_addr: print(local, &self.advertised),
            send_back_addr: print(remote, &[]),
        }
    }
}

async fn handshake(
    incoming: quinn::Incoming,
    shared: &Shared,
) -> Result<(PeerId, Connection), Error> {
    let quic = incoming.accept()?.await?;
    let certhashes = shared.certificates.now().vouched_for().map(CertHash::to_multihash);
    let session = session::accept(quic, shared.setup.clone(), certhashes).await?;
    Ok((session.peer, Connection::new(session, shared.setup.limits)))
}

fn accept(endpoint: &quinn::Endpoint) -> BoxFuture<'static, Option<quinn::Incoming>> {
    let endpoint = endpoint.clone();
    async move { endpoint.accept().await }.boxed()
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close(Ok(()));
    }
}

/// The task that reads it has ended, which is all that quinn tells: it logs why.
fn socket_is_gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the listener's socket cannot be read any more")
}

impl Stream for Listener {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        if !self.is_closed {
            while self.check.poll_tick(cx).is_ready() {
                self.look_around();
            }
            self.poll_interfaces(cx);
        }
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(Some(event));
        }
        if self.is_closed {
            return Poll::Ready(None);
        }
        self.waker = Some(cx.waker().clone());
        self.poll_incoming(cx).map(Some)
    }
}
