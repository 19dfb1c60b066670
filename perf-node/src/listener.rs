//! A bound listener: answers dialers, run after run.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite, StreamExt};
use harness_sdk::{BoxError, Listener, Meter, Shutdown, stall};
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{ListenError, Stream, Swarm, SwarmEvent};
use perf_protocol::Error;
use tokio::time::sleep;

use crate::buffers::Buffers;
use crate::connection::Counts;
use crate::limits::{Gate, Refused};
use crate::swarm::{After, Answer, NodeBehaviour};

/// For a connection to be closed whose stream was refused.
const HELD: Duration = Duration::from_secs(5);

/// A listener whose transport has reported its address.
pub struct PerfListener {
    pub(crate) swarm: Swarm<NodeBehaviour>,
    pub(crate) local: SocketAddr,
    pub(crate) reported: Multiaddr,
    pub(crate) one_off: bool,
    /// Connections so far.
    pub(crate) accepted: Arc<AtomicU64>,
}

/// Answers streams by the protocol; one on which no byte moves for `stall` is reset. A connection with a
/// stream that the `gate` refuses is closed: a muxer may show a reset as an end, which is what an upload
/// has for its receipt.
pub(crate) fn answer(stall: Duration, gate: Option<Gate>) -> Answer {
    let buffers = Buffers::default();
    Answer::new(move |stream| {
        let (buffers, gate) = (buffers.clone(), gate.clone());
        async move {
            match gate {
                None => serve_stream(stream, stall, &buffers).await,
                Some(gate) => serve_within(&gate, stream, stall, &buffers).await,
            }
        }
    })
}

/// Serves a stream as far as the `gate` lets it. One that is refused is held until its connection is
/// closed: whatever else it was told would come before that.
async fn serve_within(gate: &Gate, stream: Stream, stall: Duration, buffers: &Buffers) -> After {
    let mut stream = gate.limit(stream);
    let after = match gate.place() {
        Ok(_place) => serve_stream(&mut stream, stall, buffers).await,
        Err(_) => After::HangUp,
    };
    if after == After::HangUp {
        tokio::spawn(async move {
            sleep(HELD).await;
            drop(stream);
        });
    }
    after
}

/// Answers one stream by the protocol, unless no byte moves for `stall`.
pub(crate) async fn serve_stream<S>(mut stream: S, stall: Duration, buffers: &Buffers) -> After
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer = buffers.take();
    let meter = Meter::start();
    let counts = Counts(&meter);
    let serving = perf_protocol::serve(&mut stream, &counts, &mut buffer);
    let after = match stall::guard(&meter, stall, serving).await {
        Ok(Err(Error::Io(error))) if error.get_ref().is_some_and(|cause| cause.is::<Refused>()) => {
            After::HangUp
        }
        Ok(Ok(served)) => {
            tracing::debug!("{served:?}");
            After::KeepOn
        }
        Ok(Err(error)) => {
            tracing::debug!("a stream broke: {error}");
            After::KeepOn
        }
        Err(stalled) => {
            tracing::info!("a stream was reset: {stalled}");
            After::KeepOn
        }
    };
    buffers.keep(buffer);
    after
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
                SwarmEvent::ConnectionClosed { peer_id, num_established, .. } => {
                    if num_established == 0 {
                        tracing::debug!("{peer_id} is gone");
                    }
                    // A dialer may have several, one after the other beside its first.
                    if self.one_off && self.swarm.network_info().num_peers() == 0 {
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
