//! The listening side: who may connect, and how everything ends.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tracing::{debug, warn};

use crate::Limits;
use crate::clients::Clients;
use crate::connection::Connection;
use crate::keyspace::Keyspace;
use crate::session::{Session, Shared};
use crate::store::{Condition, End, Expiry, Kind};

/// How often keys that have expired, and that nobody asks for, are dropped.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// How long to wait after `accept` failed: the usual cause, no file descriptor left, does not go away at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Told to a client for whom there is no room.
const TOO_MANY: &[u8] = b"-ERR max number of clients reached\r\n";

/// The server could not be started. All of them are the environment's fault but [`NotLoopback`](Error::NotLoopback),
/// which is the caller's.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The coordinator takes no password and holds other people's addresses: it serves this machine only.
    #[error("{0} is not a loopback address: the coordinator serves this machine only")]
    NotLoopback(SocketAddr),
    /// The address is in use, or not one of this machine's.
    #[error("cannot listen on {addr}")]
    Bind {
        /// What was asked for.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The listener has no address: it is not one.
    #[error("the listener has no local address")]
    LocalAddr(#[source] io::Error),
}

/// A running server. Dropped, it ends at the next opportunity; [`shutdown`](Self::shutdown) waits for that.
#[derive(Debug)]
pub struct Coordinator {
    addr: SocketAddr,
    keyspace: Keyspace,
    /// Dropped to end the server: nothing is ever sent.
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Coordinator {
    /// Starts a server on a free port of 127.0.0.1. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub async fn start(limits: Limits) -> Result<Self, Error> {
        Self::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), limits).await
    }

    /// Starts a server on `addr`, port 0 meaning any free one. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`Error::NotLoopback`] if `addr` can be reached from elsewhere, [`Error::Bind`] if it cannot be listened on.
    pub async fn bind(addr: SocketAddr, limits: Limits) -> Result<Self, Error> {
        ensure_loopback(addr)?;
        let listener =
            TcpListener::bind(addr).await.map_err(|source| Error::Bind { addr, source })?;
        let server = Server::new(listener, limits)?;
        let (addr, keyspace) = (server.addr, server.shared.keyspace.clone());
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.run(async {
            let _: Result<(), _> = stopped.await;
        }));
        Ok(Self { addr, keyspace, stop, task })
    }

    /// Where it listens, with the real port: what nodes are given as `REDIS_ADDR`.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The string at `key`; `None` where there is none, or something else.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Bytes> {
        self.keyspace.lock().get(key.as_bytes(), Instant::now()).ok().flatten()
    }

    /// The string at `key`, or the first element of a list there; `None` where there is nothing.
    #[must_use]
    pub fn first(&self, key: &str) -> Option<Bytes> {
        let (mut store, now) = (self.keyspace.lock(), Instant::now());
        let found = match store.kind(key.as_bytes(), now)? {
            Kind::String => store.get(key.as_bytes(), now),
            Kind::List => store.index(key.as_bytes(), 0, now),
        };
        found.ok().flatten()
    }

    /// Puts the string `value` at `key`, whatever was there; false where there is no room for it.
    pub fn set(&self, key: &str, value: &[u8]) -> bool {
        let (always, never) = (Condition::Always, Expiry::None);
        self.keyspace.lock().set(key.as_bytes(), value, always, never, Instant::now()).is_ok()
    }

    /// Appends `value` to the list at `key`; false where there is no room for it, or something else there.
    pub fn push(&self, key: &str, value: &Bytes) -> bool {
        let values = std::slice::from_ref(value);
        self.keyspace.lock().push(key.as_bytes(), values, End::Right, Instant::now()).is_ok()
    }

    /// Drops `key`, whatever it holds; false where there is none.
    pub fn remove(&self, key: &str) -> bool {
        self.keyspace.lock().remove(key.as_bytes(), Instant::now())
    }

    /// Ends the server and all its connections; when this returns, they are closed and the port is free.
    pub async fn shutdown(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            warn!(%error, "the coordinator's task failed");
        }
    }
}

/// Serves clients of `listener` until `shutdown` is ready, then ends all connections. For those who want no task
/// started; others have [`Coordinator`].
///
/// # Errors
///
/// [`Error::NotLoopback`] if the listener can be reached from elsewhere. Once it serves, nothing ends it but
/// `shutdown`.
pub async fn serve(
    listener: TcpListener,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    Server::new(listener, limits)?.run(shutdown).await;
    Ok(())
}

fn ensure_loopback(addr: SocketAddr) -> Result<(), Error> {
    if addr.ip().is_loopback() { Ok(()) } else { Err(Error::NotLoopback(addr)) }
}

/// The listener and all connections. Dropped, it takes the connections with it.
#[derive(Debug)]
struct Server {
    listener: TcpListener,
    addr: SocketAddr,
    shared: Shared,
    connections: JoinSet<()>,
}

impl Server {
    fn new(listener: TcpListener, limits: Limits) -> Result<Self, Error> {
        let addr = listener.local_addr().map_err(Error::LocalAddr)?;
        ensure_loopback(addr)?;
        let shared = Shared {
            keyspace: Keyspace::new(limits.max_memory),
            clients: Clients::default(),
            limits,
            port: addr.port(),
            since: Instant::now(),
        };
        Ok(Self { listener, addr, shared, connections: JoinSet::new() })
    }

    async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut sweep = interval(SWEEP_EVERY);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => self.admit(stream, peer),
                    Err(error) => {
                        warn!(%error, "cannot accept");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(ended) = self.connections.join_next() => {
                    if let Err(error) = ended {
                        warn!(%error, "a connection's task failed");
                    }
                }
                _ = sweep.tick() => self.shared.keyspace.lock().sweep(Instant::now()),
            }
        }
        self.connections.shutdown().await;
    }

    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        // Those that have ended since are still counted unless they are looked at.
        while self.connections.try_join_next().is_some() {}
        if self.connections.len() >= self.shared.limits.max_connections {
            warn!(%peer, limit = self.shared.limits.max_connections, "refused: too many connections");
            // A fresh socket has room for this; if not, the client learns as much from the end of it.
            let _ = stream.try_write(TOO_MANY);
            return;
        }
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%peer, %error, "cannot set TCP_NODELAY");
        }
        let client = self.shared.clients.register(peer, self.addr);
        let session = Session::new(self.shared.clone(), client);
        let connection = Connection::new(stream, session, self.shared.limits.clone());
        self.connections.spawn(async move {
            match connection.run().await {
                Ok(()) => debug!(%peer, "client left"),
                Err(error) => debug!(%peer, %error, "client disconnected"),
            }
        });
    }
}
