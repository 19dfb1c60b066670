//! A dialer's connection: requests over streams of a swarm that a task drives.

use std::sync::{Arc, OnceLock};

use futures::StreamExt;
use harness_sdk::{
    BoxError, Class, Connection, Details, Failure, Meter, Phase, TransportInfo, chain,
};
use libp2p::swarm::{Stream, Swarm, SwarmEvent};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::buffers::Buffers;
use crate::swarm::{NodeBehaviour, OpenError, Streams};
use crate::underneath::Underneath;

/// A connection with the stack asked for, and nothing else.
#[derive(Debug)]
pub struct PerfConnection {
    streams: Streams,
    details: Details,
    underneath: Option<Underneath>,
    /// Why the connection ended, once it has.
    ended: Arc<OnceLock<String>>,
    buffers: Buffers,
    hang_up: oneshot::Sender<()>,
    driver: JoinHandle<()>,
}

impl PerfConnection {
    /// Drives `swarm`, whose one connection `streams` belongs to, until it ends or is closed.
    pub(crate) fn drive(
        swarm: Swarm<NodeBehaviour>,
        streams: Streams,
        details: Details,
        underneath: Option<Underneath>,
    ) -> Self {
        let ended = Arc::new(OnceLock::new());
        let (hang_up, hung_up) = oneshot::channel();
        let driver = tokio::spawn(drive(swarm, Arc::clone(&ended), hung_up));
        Self { streams, details, underneath, ended, buffers: Buffers::default(), hang_up, driver }
    }

    /// A stream on which perf is agreed on.
    pub async fn open(&self) -> Result<Stream, OpenError> {
        self.streams.open().await
    }

    /// Whether the connection is alive still.
    pub(crate) async fn confirm_alive(&self) -> Result<(), OpenError> {
        self.streams.confirm_alive().await
    }

    /// Why the connection ended, once it has.
    pub(crate) fn ended(&self) -> Option<&str> {
        self.ended.get().map(String::as_str)
    }

    async fn exchange(
        &self,
        phase: Phase,
        upload: u64,
        download: u64,
        meter: &Meter,
    ) -> Result<(), BoxError> {
        let mut stream = self.streams.open().await.map_err(|error| self.explain(phase, error))?;
        let counts = Counts(meter);
        let mut buffer = self.buffers.take();
        let result =
            perf_protocol::request(&mut stream, upload, download, &counts, &mut buffer).await;
        self.buffers.keep(buffer);
        result.map_err(|error| match self.ended.get() {
            Some(cause) => format!("{}; the connection ended: {cause}", chain(&error)).into(),
            None => BoxError::from(error),
        })
    }

    fn explain(&self, phase: Phase, error: OpenError) -> BoxError {
        match (error, self.ended.get()) {
            (OpenError::Closed, Some(cause)) => format!("the connection ended: {cause}").into(),
            (OpenError::Refused, _) => {
                Failure::new(Class::Connect, phase, chain(&OpenError::Refused)).into()
            }
            (error, _) => error.into(),
        }
    }
}

impl Connection for PerfConnection {
    async fn upload(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
        self.exchange(Phase::Upload, bytes, 0, meter).await?;
        // The end of the stream is an upload's only receipt: it must have been the peer's.
        let alive = self.streams.confirm_alive().await;
        alive.map_err(|error| self.explain(Phase::Upload, error))
    }

    async fn download(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
        self.exchange(Phase::Download, 0, bytes, meter).await
    }

    async fn latency(&self, meter: &Meter) -> Result<(), BoxError> {
        self.exchange(Phase::Latency, 1, 1, meter).await
    }

    fn details(&self) -> Details {
        self.details.clone()
    }

    fn transport(&self) -> Option<TransportInfo> {
        self.underneath.as_ref().map(Underneath::info)
    }

    async fn close(self) {
        // First: it keeps the socket open.
        drop(self.underneath);
        drop(self.streams);
        let _ = self.hang_up.send(());
        let _ = self.driver.await;
    }
}

async fn drive(
    mut swarm: Swarm<NodeBehaviour>,
    ended: Arc<OnceLock<String>>,
    mut hung_up: oneshot::Receiver<()>,
) {
    loop {
        tokio::select! {
            event = swarm.select_next_some() => match event {
                SwarmEvent::ConnectionClosed { cause, .. } => {
                    let told = cause.map_or_else(|| "no reason".to_owned(), |cause| chain(&cause));
                    let _ = ended.set(told);
                    return;
                }
                event => tracing::debug!("{event:?}"),
            },
            // An error means that the connection was dropped without being closed: the same.
            _ = &mut hung_up => break,
        }
    }
    let peers: Vec<_> = swarm.connected_peers().copied().collect();
    for peer in peers {
        // An error means that it is not connected any more.
        let _ = swarm.disconnect_peer_id(peer);
    }
    while swarm.network_info().num_peers() > 0 {
        let _ = swarm.select_next_some().await;
    }
}

/// Lets perf-protocol count on the SDK's meter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts<'a>(pub(crate) &'a Meter);

impl perf_protocol::Progress for Counts<'_> {
    fn opened(&self) {
        self.0.opened();
    }

    fn sent(&self, bytes: u64) {
        self.0.sent(bytes);
    }

    fn received(&self, bytes: u64) {
        self.0.received(bytes);
    }
}
