//! The UDP ports of a node.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::FutureExt;
use libp2p_core::transport::PortUse;
use socket2::{Domain, Socket, Type};

use crate::config::Config;
use crate::error::OptionOutOfRange;
use crate::listening::Listening;
use crate::pending::Pending;
use crate::port::{Port, Protocol};
use crate::socket::{BoundSocket, SocketBuffers};

/// The UDP ports of a node, shared by the transports that this is given to: they listen on a port side by
/// side, told apart by ALPN, and dial from where any of them listens.
///
/// A clone is the same ports.
#[derive(Clone)]
pub struct Ports {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    pending: Pending,
    sockets: Mutex<Sockets>,
}

#[derive(Default)]
struct Sockets {
    /// Those that are listened on, and those that were and are still needed.
    ports: Vec<Weak<Port>>,
    /// What is dialed from where no listener's socket will do: one for IPv4, one for IPv6.
    dialing: [Option<BoundSocket>; 2],
}

impl Ports {
    /// No port yet.
    ///
    /// # Errors
    ///
    /// Where an option is out of its range.
    pub fn new(config: Config) -> Result<Self, OptionOutOfRange> {
        config.check()?;
        let pending =
            Pending::new(config.max_pending_handshakes, config.max_pending_handshakes_per_address);
        Ok(Self { inner: Arc::new(Inner { config, pending, sockets: Mutex::default() }) })
    }

    /// What QUIC runs with here.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Listens at `local` for `protocol`: on the socket that is there where another protocol is listened for
    /// at the very same address, or was until now and has connections that still need it; on a new one else, and
    /// with port 0.
    ///
    /// # Errors
    ///
    /// Where the socket cannot be had, `protocol` is listened for there already ([`io::ErrorKind::AddrInUse`]),
    /// its TLS configuration is not fit for QUIC, or there is no tokio runtime.
    pub fn listen(&self, local: SocketAddr, protocol: Protocol) -> io::Result<Listening> {
        let alpn = protocol.alpn;
        let mut sockets = self.lock();
        let there = sockets.ports().find(|port| port.local == local);
        let (port, arrivals) = match there {
            Some(port) => {
                let arrivals = port.add(protocol)?;
                (port, arrivals)
            }
            None => {
                let socket = self.bind(local)?;
                let (port, arrivals) =
                    Port::open(socket, &self.inner.config, &self.inner.pending, protocol)?;
                sockets.ports.retain(|port| port.strong_count() > 0);
                sockets.ports.push(Arc::downgrade(&port));
                (port, arrivals)
            }
        };
        // What is dialed from now on is dialed from here.
        sockets.dialing[usize::from(local.is_ipv6())] = None;
        Listening::new(port, alpn, arrivals)
    }

    /// The socket to dial `remote` from: a listener's where that may be and can.
    ///
    /// # Errors
    ///
    /// Where a socket cannot be had, or there is no tokio runtime.
    pub fn dialer(&self, remote: SocketAddr, port_use: PortUse) -> io::Result<BoundSocket> {
        let any = match remote {
            SocketAddr::V4(_) => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
            SocketAddr::V6(_) => SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0),
        };
        if port_use == PortUse::New {
            return self.bind(any);
        }
        let mut sockets = self.lock();
        let reaches =
            |port: &Arc<Port>| port.is_listened_on() && reaches(port.local.ip(), remote.ip());
        if let Some(port) = sockets.ports().find(reaches) {
            return Ok(port.socket.clone());
        }
        let dialing = &mut sockets.dialing[usize::from(remote.is_ipv6())];
        match dialing {
            Some(socket) if is_alive(&socket.endpoint) => Ok(socket.clone()),
            _ => Ok(dialing.insert(self.bind(any)?).clone()),
        }
    }

    fn bind(&self, local: SocketAddr) -> io::Result<BoundSocket> {
        let runtime = quinn::default_runtime()
            .ok_or_else(|| io::Error::other("there is no tokio runtime"))?;
        let socket = bind(local)?;
        let buffers = SocketBuffers::of(&socket);
        let config = self.inner.config.endpoint();
        let endpoint = quinn::Endpoint::new(config, None, socket, runtime)?;
        Ok(BoundSocket { endpoint, buffers })
    }

    fn lock(&self) -> MutexGuard<'_, Sockets> {
        self.inner.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sockets {
    fn ports(&self) -> impl Iterator<Item = Arc<Port>> {
        self.ports.iter().filter_map(Weak::upgrade).filter(|port| port.is_alive())
    }
}

/// Whether the socket of an endpoint that does not listen is still read: then it waits for dialers for good.
fn is_alive(endpoint: &quinn::Endpoint) -> bool {
    endpoint.accept().now_or_never().is_none()
}

/// Whether what is sent from a socket bound to `local` can reach `remote`.
fn reaches(local: IpAddr, remote: IpAddr) -> bool {
    local.is_ipv4() == remote.is_ipv4()
        && (local.is_unspecified() || local.is_loopback() == remote.is_loopback())
}

/// What the kernel holds of datagrams until this process comes to read them. The default of most systems is a
/// fiftieth of a connection's window: a sender that does not pace its packets over that time loses some in every
/// burst.
const RECEIVE_BUFFER: usize = 7 << 20;

fn bind(local: SocketAddr) -> io::Result<UdpSocket> {
    let socket =
        Socket::new(Domain::for_address(local), Type::DGRAM, Some(socket2::Protocol::UDP))?;
    if local.is_ipv6() {
        // IPv4 has a listener of its own.
        socket.set_only_v6(true)?;
    }
    // What cannot be had in full is as good as it gets: on Linux the system cuts it down (net.core.rmem_max).
    if let Err(error) = socket.set_recv_buffer_size(RECEIVE_BUFFER) {
        tracing::debug!("a receive buffer of {RECEIVE_BUFFER} bytes is refused: {error}");
    }
    socket.bind(&local.into())?;
    Ok(socket.into())
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ports").field("config", &self.inner.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_socket_is_granted_what_the_system_allows() {
        let allowed = std::fs::read_to_string("/proc/sys/net/core/rmem_max").unwrap();
        let asked = RECEIVE_BUFFER.min(allowed.trim().parse().unwrap());
        let socket = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_eq!(SocketBuffers::of(&socket).unwrap().receive, 2 * asked);
    }

    #[test]
    fn what_can_be_reached_from_where() {
        let reaches =
            |local: &str, remote: &str| reaches(local.parse().unwrap(), remote.parse().unwrap());
        assert!(reaches("0.0.0.0", "127.0.0.1") && reaches("0.0.0.0", "192.0.2.1"));
        assert!(reaches("127.0.0.1", "127.0.0.2") && reaches("198.51.100.1", "192.0.2.1"));
        assert!(!reaches("127.0.0.1", "192.0.2.1") && !reaches("192.0.2.1", "127.0.0.1"));
        assert!(reaches("::", "::1") && !reaches("::", "127.0.0.1") && !reaches("0.0.0.0", "::1"));
    }
}
