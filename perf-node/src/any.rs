//! Whatever a stack listens with and connects with, behind harness-sdk's traits.

use std::net::{IpAddr, SocketAddr};

use harness_sdk::{BoxError, Connection, Details, Listener, Meter, Shutdown, TransportInfo};

use crate::baselines::{
    Bound, ChannelConnection, ChannelListener, Dialed, QuicConnection, QuicListener,
};
use crate::connection::PerfConnection;
use crate::listener::PerfListener;
use crate::runtime::Environment;

/// A bound listener of any stack.
pub enum AnyListener {
    /// libp2p's.
    Libp2p(Box<PerfListener>),
    /// raw-tcp's, raw-tls's, raw-noise's.
    Channel(ChannelListener),
    /// raw-quic's.
    Quic(QuicListener),
}

impl From<Bound> for AnyListener {
    fn from(bound: Bound) -> Self {
        match bound {
            Bound::Channel(listener) => Self::Channel(listener),
            Bound::Quic(listener) => Self::Quic(listener),
        }
    }
}

impl Listener for AnyListener {
    fn local_addr(&self) -> SocketAddr {
        match self {
            Self::Libp2p(listener) => listener.local_addr(),
            Self::Channel(listener) => listener.local_addr(),
            Self::Quic(listener) => listener.local_addr(),
        }
    }

    fn address(&self, ip: IpAddr) -> String {
        match self {
            Self::Libp2p(listener) => listener.address(ip),
            Self::Channel(listener) => listener.address(ip),
            Self::Quic(listener) => listener.address(ip),
        }
    }

    async fn serve(self, shutdown: Shutdown) -> Result<(), BoxError> {
        match self {
            Self::Libp2p(listener) => listener.serve(shutdown).await,
            Self::Channel(listener) => listener.serve(shutdown).await,
            Self::Quic(listener) => listener.serve(shutdown).await,
        }
    }
}

/// A connection of any stack.
pub struct AnyConnection {
    kind: Kind,
    /// How the process is built and run, for the document.
    environment: Environment,
}

enum Kind {
    Libp2p(PerfConnection),
    Channel(ChannelConnection),
    Quic(QuicConnection),
}

impl AnyConnection {
    pub(crate) fn libp2p(connection: PerfConnection, environment: Environment) -> Self {
        Self { kind: Kind::Libp2p(connection), environment }
    }

    pub(crate) fn raw(dialed: Dialed, environment: Environment) -> Self {
        let kind = match dialed {
            Dialed::Channel(connection) => Kind::Channel(connection),
            Dialed::Quic(connection) => Kind::Quic(connection),
        };
        Self { kind, environment }
    }
}

impl Connection for AnyConnection {
    async fn upload(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
        match &self.kind {
            Kind::Libp2p(connection) => connection.upload(bytes, meter).await,
            Kind::Channel(connection) => connection.upload(bytes, meter).await,
            Kind::Quic(connection) => connection.upload(bytes, meter).await,
        }
    }

    async fn download(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
        match &self.kind {
            Kind::Libp2p(connection) => connection.download(bytes, meter).await,
            Kind::Channel(connection) => connection.download(bytes, meter).await,
            Kind::Quic(connection) => connection.download(bytes, meter).await,
        }
    }

    async fn latency(&self, meter: &Meter) -> Result<(), BoxError> {
        match &self.kind {
            Kind::Libp2p(connection) => connection.latency(meter).await,
            Kind::Channel(connection) => connection.latency(meter).await,
            Kind::Quic(connection) => connection.latency(meter).await,
        }
    }

    fn details(&self) -> Details {
        let mut details = match &self.kind {
            Kind::Libp2p(connection) => connection.details(),
            Kind::Channel(connection) => connection.details(),
            Kind::Quic(connection) => connection.details(),
        };
        details.extra.extend(self.environment.iter().cloned());
        details
    }

    fn transport(&self) -> Option<TransportInfo> {
        match &self.kind {
            Kind::Libp2p(connection) => connection.transport(),
            Kind::Channel(connection) => connection.transport(),
            Kind::Quic(connection) => connection.transport(),
        }
    }

    async fn close(self) {
        match self.kind {
            Kind::Libp2p(connection) => connection.close().await,
            Kind::Channel(connection) => connection.close().await,
            Kind::Quic(connection) => connection.close().await,
        }
    }
}
