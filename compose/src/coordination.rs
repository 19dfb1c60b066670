//! Where dialer and listener meet: the embedded coordinator, on loopback.

use std::io;
use std::net::SocketAddr;

use perf_coordinator::{Coordinator, Limits};

/// A running coordinator.
#[derive(Debug)]
pub struct Coordination(Coordinator);

impl Coordination {
    /// Starts one on a free port.
    pub async fn start() -> io::Result<Self> {
        Coordinator::start(Limits::default()).await.map(Self)
    }

    /// What nodes are given as REDIS_ADDR.
    pub fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    /// Ends it, connections included.
    pub async fn shutdown(self) {
        self.0.shutdown().await;
    }
}
