//! A bound listener: answers dialers, run after run.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite, StreamExt};
use harness_sdk::{BoxError, Listener, Meter, Shutdown, stall};
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{ListenError, Stream, Swarm, SwarmEvent};
use perf_protocol::{Error, Progress};
use scopeguard::{ScopeGuard, guard};

use crate::buffers::Buffers;
use crate::connection::Counts;
use crate::limits::{Gate, Refused};
use crate::swarm::{After, Answer, NodeBehaviour, hold};

/// A listener whose transport has reported its address.
pub struct PerfListener {
    pub(crate) swarm: Swarm<NodeBehaviour>,
    pub(crate) local: SocketAddr,
    pub(crate) reported: Multiaddr,
    pub(crate) one_off: bool,
    /// Connections so far.
    pub(crate) accepted: Arc<AtomicU64>,
}

/// Answers streams by the protocol, as far as the `gate` lets them.
///
/// A muxer may show a reset as an end, which is what an upload has for its receipt. So a stream that is not
/// served to its end outlives its connection, unless its peer cannot take an end for a receipt.
pub(crate) fn answer(stall: Duration, gate: Option<Gate>) -> Answer {
    let buffers = Buffers::default();
    Answer::new(move |stream| {
        let (buffers, gate) = (buffers.clone(), gate.clone());
        async move {
            // Held however this ends: its connection may be closed meanwhile, or this panic.
            let mut stream = guard(stream, hold);
            let after = match gate {
                None => serve_stream(&mut *stream, stall, &buffers).await,
                Some(gate) => serve_within(&gate, &mut stream, stall, &buffers).await,
            };
            if after == After::KeepOn {
                drop(ScopeGuard::into_inner(stream));
            }
            after
        }
    })
}

/// Serves a stream as far as the `gate` lets it.
async fn serve_within(
    gate: &Gate,
    stream: &mut Stream,
    stall: Duration,
    buffers: &Buffers,
) -> After {
    match gate.place() {
        Ok(_place) => serve_stream(gate.limit(stream), stall, buffers).await,
        Err(_) => After::HangUp,
    }
}

/// Answers one stream by the protocol, unless no byte moves for `stall`.
pub(crate) async fn serve_stream<S>(mut stream: S, stall: Duration, buffers: &Buffers) -> After
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer = buffers.take();
    let meter = Meter::start();
    let progress = Serving::new(&meter);
    let serving = perf_protocol::serve(&mut stream, &progress, &mut buffer);
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
        Err(stalled) if progress.end_is_receipt() => {
            tracing::info!("a connection was closed: a stream of it {stalled}");
            After::HangUp
        }
        Err(stalled) => {
            tracing::info!("a stream was reset: {stalled}");
            After::KeepOn
        }
    };
    buffers.keep(buffer);
    after
}

/// Counts what a stream moves, and follows what the end of its answer would say.
struct Serving<'a> {
    counts: Counts<'a>,
    end_is_receipt: AtomicBool,
}

impl<'a> Serving<'a> {
    fn new(meter: &'a Meter) -> Self {
        Self { counts: Counts(meter), end_is_receipt: AtomicBool::new(true) }
    }

    /// Whether the dialer would take an end for the receipt of an upload that was not read to its end. One
    /// that has asked for bytes misses them.
    fn end_is_receipt(&self) -> bool {
        self.end_is_receipt.load(Relaxed)
    }
}

impl Progress for Serving<'_> {
    fn opened(&self) {
        self.counts.opened();
    }

    fn asked(&self, bytes: u64) {
        self.end_is_receipt.store(bytes == 0, Relaxed);
    }

    fn ended(&self) {
        self.end_is_receipt.store(false, Relaxed);
    }

    fn sent(&self, bytes: u64) {
        self.counts.sent(bytes);
    }

    fn received(&self, bytes: u64) {
        self.counts.received(bytes);
    }
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
