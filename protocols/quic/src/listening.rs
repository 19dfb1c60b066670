//! A protocol's side of a port: who dials it, and where it can be dialed.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::{FutureExt, Stream};
use if_watch::IfEvent;
use tokio::time::{Sleep, sleep};

use crate::arrival::Arrival;
use crate::interfaces::Interfaces;
use crate::port::{Arrivals, Port};
use crate::socket::SocketBuffers;

/// Until this machine's addresses are asked for again, where that failed.
const RETRY: Duration = Duration::from_secs(30);

/// Changes of this machine's addresses taken at once, before the others of this thread have their turn.
const CHANGES_AT_ONCE: usize = 32;

/// A protocol that is listened for on a port: a stream of what happens there, which ends where the socket
/// fails. Dropping it takes no more dialers; connections that stand are not ended.
pub struct Listening {
    port: Arc<Port>,
    alpn: &'static [u8],
    arrivals: Arrivals,
    /// Where it listens on whatever addresses there are.
    interfaces: Option<Interfaces>,
    /// Until they are asked for again.
    retry: Option<Pin<Box<Sleep>>>,
    /// The one address that it listens on else, until that is told.
    only: Option<IpAddr>,
    /// Those that were told.
    ips: HashSet<IpAddr>,
}

/// What happens on a port that a protocol is listened for on.
#[derive(Debug)]
pub enum PortEvent {
    /// It can be dialed here from now on.
    Up(SocketAddr),
    /// It can be dialed there no more.
    Down(SocketAddr),
    /// Somebody dials it.
    Arrival(Arrival),
    /// It cannot be told which addresses this machine has. What is known stays.
    Failed(io::Error),
}

impl Listening {
    pub(crate) fn new(
        port: Arc<Port>,
        alpn: &'static [u8],
        arrivals: Arrivals,
    ) -> io::Result<Self> {
        let ip = port.local.ip();
        // Whole before anything can fail: dropping it is what ends it.
        let mut listening = Self {
            port,
            alpn,
            arrivals,
            interfaces: None,
            retry: None,
            only: None,
            ips: HashSet::new(),
        };
        if ip.is_unspecified() {
            listening.interfaces = Some(Interfaces::new()?);
        } else {
            listening.only = Some(ip);
        }
        Ok(listening)
    }

    /// What its socket is bound to.
    pub fn local_addr(&self) -> SocketAddr {
        self.port.local
    }

    /// What the system has granted its socket; `None` where it does not tell.
    pub fn buffers(&self) -> Option<SocketBuffers> {
        self.port.socket.buffers
    }

    /// Where it can be dialed, as far as it was told.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.ips.iter().map(|&ip| self.at(ip))
    }

    fn at(&self, ip: IpAddr) -> SocketAddr {
        SocketAddr::new(ip, self.port.local.port())
    }

    fn up(&mut self, ip: IpAddr) -> Option<PortEvent> {
        let is_new = ip.is_ipv4() == self.port.local.is_ipv4() && self.ips.insert(ip);
        is_new.then(|| PortEvent::Up(self.at(ip)))
    }

    fn down(&mut self, ip: IpAddr) -> Option<PortEvent> {
        self.ips.remove(&ip).then(|| PortEvent::Down(self.at(ip)))
    }

    fn failed(&mut self, error: io::Error) -> Option<PortEvent> {
        self.retry = Some(Box::pin(sleep(RETRY)));
        Some(PortEvent::Failed(error))
    }

    fn poll_interfaces(&mut self, cx: &mut Context<'_>) -> Poll<PortEvent> {
        for _ in 0..CHANGES_AT_ONCE {
            let event = match ready!(self.poll_change(cx)) {
                Ok(IfEvent::Up(net)) => self.up(net.addr()),
                Ok(IfEvent::Down(net)) => self.down(net.addr()),
                Err(error) => self.failed(error),
            };
            if let Some(event) = event {
                return Poll::Ready(event);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<IfEvent>> {
        let Some(interfaces) = &mut self.interfaces else { return Poll::Pending };
        if let Some(retry) = &mut self.retry
            && retry.poll_unpin(cx).is_ready()
        {
            self.retry = None;
            interfaces.retry()?;
        }
        interfaces.poll(cx)
    }
}

impl Stream for Listening {
    type Item = PortEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<PortEvent>> {
        if let Some(told) = self.only.take().and_then(|ip| self.up(ip)) {
            return Poll::Ready(Some(told));
        }
        if let Poll::Ready(event) = self.poll_interfaces(cx) {
            return Poll::Ready(Some(event));
        }
        self.arrivals.poll_recv(cx).map(|arrival| arrival.map(PortEvent::Arrival))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.port.remove(self.alpn);
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alpn = self.alpn.escape_ascii().to_string();
        let local = self.port.local;
        f.debug_struct("Listening").field("alpn", &alpn).field("local", &local).finish()
    }
}
