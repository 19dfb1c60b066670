//! A bound listener: answers dialers, run after run.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite, StreamExt};
use harness_sdk::{BoxError, Listener, Meter, Shutdown};
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{ListenError, Swarm, SwarmEvent};
use perf_protocol::{Error, Progress};
use scopeguard::{ScopeGuard, guard};

use crate::buffers::Buffers;
use crate::connection::Counts;
use crate::limits::{Gate, Refused, Waits};
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
pub(crate) fn answer(stall: Duration, gate: Gate) -> Answer {
    let buffers = Buffers::default();
    Answer::new(move |stream| {
        let (buffers, gate) = (buffers.clone(), gate.clone());
        async move {
            // Held however this ends: its connection may be closed meanwhile, or this panic.
            let mut stream = guard(stream, hold);
            let after = serve_stream(&mut *stream, &gate, stall, &buffers).await;
            if after == After::KeepOn {
                drop(ScopeGuard::into_inner(stream));
            }
            after
        }
    })
}

/// Answers one stream by the protocol, as far as the `gate` lets it, unless no byte moves for `stall`.
pub(crate) async fn serve_stream<S>(
    stream: S,
    gate: &Gate,
    stall: Duration,
    buffers: &Buffers,
) -> After
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if gate.is_open() {
        return serve(stream, &Waits::default(), stall, buffers).await;
    }
    match gate.stream() {
        Ok(_place) => {
            let stream = gate.limit(stream);
            let waits = stream.waits();
            serve(stream, &waits, stall, buffers).await
        }
        Err(_) => After::HangUp,
    }
}

async fn serve<S>(mut stream: S, waits: &Waits, stall: Duration, buffers: &Buffers) -> After
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer = buffers.take();
    let meter = Meter::start();
    let progress = Serving::new(&meter);
    let serving = perf_protocol::serve(&mut stream, &progress, &mut buffer);
    let served = waits.guard(&meter, stall, serving).await;
    let after = match served {
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

#[cfg(test)]
mod tests {
    use futures::io::Cursor;
    use perf_protocol::encode_header;
    use tokio::time::Instant;
    use tokio_util::compat::TokioAsyncReadCompatExt;

    use super::*;
    use crate::limits::Limits;

    const STALL: Duration = Duration::from_secs(1);

    fn slow() -> Gate {
        Limits { rate: Some(1), ..Limits::default() }.gate()
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_for_the_rate_is_not_a_stall() {
        let mut wire = Cursor::new(Vec::from(encode_header(3)));
        wire.get_mut().extend([7, 7]);
        let after = serve_stream(&mut wire, &slow(), STALL, &Buffers::default()).await;
        assert_eq!(after, After::KeepOn);
        assert_eq!(wire.get_ref().len(), 8 + 2 + 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_keeps_still_stalls_whatever_the_rate() {
        let (_peer, stream) = tokio::io::duplex(64);
        let begun = Instant::now();
        let after = serve_stream(stream.compat(), &slow(), STALL, &Buffers::default()).await;
        assert_eq!(after, After::HangUp);
        assert!(begun.elapsed() < 3 * STALL, "{:?}", begun.elapsed());
    }
}
