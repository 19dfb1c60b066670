//! A protocol's side of a port: who dials it, and where it can be dialed.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;
use if_watch::IfEvent;
use if_watch::tokio::IfWatcher;

use crate::arrival::Arrival;
use crate::port::{Arrivals, Port};

/// A protocol that is listened for on a port: a stream of what happens there, which ends where the socket
/// fails. Dropping it takes no more dialers; connections that stand are not ended.
pub struct Listening {
    port: Arc<Port>,
    alpn: &'static [u8],
    arrivals: Arrivals,
    /// Where it listens on whatever addresses there are.
    watcher: Option<IfWatcher>,
    ips: HashSet<IpAddr>,
    changes: VecDeque<PortEvent>,
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
        let mut listening = Self {
            port,
            alpn,
            arrivals,
            watcher: None,
            ips: HashSet::new(),
            changes: VecDeque::new(),
        };
        if ip.is_unspecified() {
            listening.watcher = Some(IfWatcher::new()?);
        } else {
            listening.up(ip);
        }
        Ok(listening)
    }

    /// What its socket is bound to.
    pub fn local_addr(&self) -> SocketAddr {
        self.port.local
    }

    /// Where it can be dialed.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.ips.iter().map(|&ip| self.at(ip))
    }

    fn at(&self, ip: IpAddr) -> SocketAddr {
        SocketAddr::new(ip, self.port.local.port())
    }

    fn up(&mut self, ip: IpAddr) {
        if ip.is_ipv4() == self.port.local.is_ipv4() && self.ips.insert(ip) {
            self.changes.push_back(PortEvent::Up(self.at(ip)));
        }
    }

    fn down(&mut self, ip: IpAddr) {
        if self.ips.remove(&ip) {
            self.changes.push_back(PortEvent::Down(self.at(ip)));
        }
    }

    fn poll_interfaces(&mut self, cx: &mut Context<'_>) {
        while let Some(Poll::Ready(change)) =
            self.watcher.as_mut().map(|watcher| watcher.poll_if_event(cx))
        {
            match change {
                Ok(IfEvent::Up(net)) => self.up(net.addr()),
                Ok(IfEvent::Down(net)) => self.down(net.addr()),
                Err(error) => {
                    // What failed once is asked again when there is another reason to.
                    self.changes.push_back(PortEvent::Failed(error));
                    return;
                }
            }
        }
    }
}

impl Stream for Listening {
    type Item = PortEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<PortEvent>> {
        self.poll_interfaces(cx);
        match self.changes.pop_front() {
            Some(change) => Poll::Ready(Some(change)),
            None => self.arrivals.poll_recv(cx).map(|arrival| arrival.map(PortEvent::Arrival)),
        }
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
