//! A bound listener: answers dialers, run after run.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite, StreamExt};
use harness_sdk::{BoxError, Listener, Meter, Shutdown, stall};
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{ListenError, Swarm, SwarmEvent};

use crate::buffers::Buffers;
use crate::connection::Counts;
use crate::limits::Gate;
use crate::swarm::{Answer, NodeBehaviour};

/// A listener whose transport has reported its address.
pub struct PerfListener {
    pub(crate) swarm: Swarm<NodeBehaviour>,
    pub(crate) local: SocketAddr,
    pub(crate) reported: Multiaddr,
    pub(crate) one_off: bool,
    /// Connections so far.
    pub(crate) accepted: Arc<AtomicU64>,
}

/// Answers streams by the protocol; one on which no byte moves for `stall` is reset, and one that the
/// `gate` refuses.
pub(crate) fn answer(stall: Duration, gate: Option<Gate>) -> Answer {
    let buffers = Buffers::default();
    Answer::new(move |stream| {
        let (buffers, gate) = (buffers.clone(), gate.clone());
        async move {
            match gate {
                None => serve_stream(stream, stall, &buffers).await,
                // Of a stream without a place the refusal was told; dropping it resets it.
                Some(gate) => {
                    if let Ok(_place) = gate.place() {
                        serve_stream(gate.limit(stream), stall, &buffers).await;
                    }
                }
            }
        }
    })
}

/// Answers one stream by the protocol, unless no byte moves for `stall`.
pub(crate) async fn serve_stream<S>(mut stream: S, stall: Duration, buffers: &Buffers)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer = buffers.take();
    let meter = Meter::start();
    let counts = Counts(&meter);
    let serving = perf_protocol::serve(&mut stream, &counts, &mut buffer);
    match stall::guard(&meter, stall, serving).await {
        Ok(Ok(served)) => tracing::debug!("{served:?}"),
        Ok(Err(error)) => tracing::debug!("a stream broke: {error}"),
        Err(stalled) => tracing::info!("a stream was reset: {stalled}"),
    }
    buffers.keep(buffer);
}

impl Listener for PerfListener {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// What the transport reported, with `ip` in place of its own, and the peer id.
    fn address(&self, ip: IpAddr) -> String {
        let mut address = Multiaddr::from(ip);
        for protocol in self.reported.iter().skip(1) {
            if !matches!(protocol, Protocol::P2p(_)) {
                address.push(protocol);
            }
        }
        address.with(Protocol::P2p(*self.swarm.local_peer_id())).to_string()
    }

    async fn serve(mut self, mut shutdown: Shutdown) -> Result<(), BoxError> {
        loop {
            let event = tokio::select! {
                () = shutdown.requested() => return Ok(()),
                event = self.swarm.select_next_some() => event,
            };
            match event {
                SwarmEvent::ConnectionEstablished { peer_id, endpoint, .. } => {
                    self.accepted.fetch_add(1, Relaxed);
                    tracing::debug!("{peer_id} connected from {}", endpoint.get_remote_address());
                }
                SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => {
                    tracing::debug!("{peer_id} is gone");
                    if self.one_off {
                        return Ok(());
                    }
                }
                // What the gate refuses it has told.
                SwarmEvent::IncomingConnectionError {
                    error: ListenError::Denied { .. }, ..
                } => {}
                SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                    let reason = harness_sdk::chain(&error);
                    tracing::info!("a dialer at {send_back_addr} could not connect: {reason}");
                }
                SwarmEvent::ListenerError { error, .. } => {
                    tracing::info!("listening: {error}");
                }
                SwarmEvent::ListenerClosed { reason: Err(error), .. } => return Err(error.into()),
                event => tracing::debug!("{event:?}"),
            }
        }
    }
}
