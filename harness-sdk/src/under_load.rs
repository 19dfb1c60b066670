//! Latency beside transfers: what an exchange costs when the queues on its way are full.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use futures_util::future::{try_join, try_join_all};
use tokio::time::{Instant, sleep};

use crate::failure::{Class, Failure, Phase};
use crate::load::Beside;
use crate::meter::Moved;
use crate::node::Connection;
use crate::plan::Conduct;
use crate::stats::{Percentiles, gbps};
use crate::transfer::{Lane, Transfer, next_request, smallest_request};

/// For transfers to fill the queues before the first exchange.
const RAMP: Duration = Duration::from_millis(500);

/// About how long each of the transfers lasts: between two of them the way is free for a moment.
const TRANSFER: Duration = Duration::from_secs(1);

/// Latency beside transfers.
#[derive(Debug)]
pub(crate) struct UnderLoad {
    pub(crate) beside: Beside,
    /// Of whole exchanges.
    pub(crate) latency: Percentiles,
    /// What the transfers reached, by direction: whole ones, to their last receipt.
    pub(crate) goodput: Vec<(Phase, f64)>,
}

/// Makes a plan's latency exchanges on the first of `connections`, while transfers run back to back on
/// as many streams of each connection as the load has.
///
/// The transfers begin half a second before the first exchange, and each that has begun is finished:
/// nothing is broken off, and every count is checked.
pub(crate) async fn measure<C: Connection>(
    conduct: Conduct<'_>,
    beside: Beside,
    connections: &[C],
) -> Result<UnderLoad, Failure> {
    let Conduct { plan, load, stall, .. } = conduct;
    let Some(first) = connections.first() else {
        return Err(Failure::new(Class::Internal, Phase::Latency, "there is no connection"));
    };
    let enough = AtomicBool::new(false);
    let exchanging = async {
        let measured = exchanges(first, plan.latency_iterations, stall).await;
        enough.store(true, Relaxed);
        measured
    };
    let places: Vec<_> = beside
        .phases()
        .iter()
        .flat_map(|phase| {
            let streams = connections.iter().flat_map(|c| std::iter::repeat_n(c, load.streams));
            streams.map(|connection| (*phase, connection))
        })
        .collect();
    let (enough, smallest) = (&enough, smallest_request(places.len()));
    let transferring = try_join_all(places.into_iter().map(|(phase, connection)| async move {
        let lane = Lane::default();
        let transfer = Transfer { connection, stall, phase, lane: &lane, smallest };
        transfers(&transfer, enough).await.map(|moved| (phase, moved))
    }));
    let (latency, moved) = try_join(exchanging, transferring).await.map_err(|failure| {
        let message = format!("latency under load ({}): {failure}", failure.phase);
        Failure { phase: Phase::Latency, message, ..failure }
    })?;
    let goodput = beside.phases().iter().map(|phase| (*phase, together(*phase, &moved))).collect();
    Ok(UnderLoad { beside, latency, goodput })
}

async fn exchanges<C: Connection>(
    connection: &C,
    count: u64,
    stall: Duration,
) -> Result<Percentiles, Failure> {
    let mut latency = Percentiles::new().ok_or_else(|| {
        Failure::new(Class::Internal, Phase::Latency, "no histogram could be made")
    })?;
    sleep(RAMP).await;
    let lane = Lane::default();
    let smallest = smallest_request(1);
    let exchange = Transfer { connection, stall, phase: Phase::Latency, lane: &lane, smallest };
    for _ in 0..count {
        latency.record(exchange.request(1).await?.moved.time);
    }
    Ok(latency)
}

/// Back-to-back requests until there are `enough`; the last one is finished.
async fn transfers<C: Connection>(
    transfer: &Transfer<'_, C>,
    enough: &AtomicBool,
) -> Result<Moved, Failure> {
    let start = Instant::now();
    let (mut bytes, mut size) = (0, transfer.smallest);
    loop {
        bytes += transfer.request(size).await?.moved.bytes;
        let time = start.elapsed();
        if enough.load(Relaxed) {
            return Ok(Moved { bytes, time });
        }
        size = next_request(transfer.smallest, size, bytes, time, TRANSFER);
    }
}

/// Gbps of all streams of a direction, to the last receipt.
fn together(phase: Phase, moved: &[(Phase, Moved)]) -> f64 {
    let streams = || moved.iter().filter(|(of, _)| *of == phase).map(|(_, moved)| moved);
    let time = streams().map(|moved| moved.time).max().unwrap_or_default();
    gbps(streams().map(|moved| moved.bytes).sum(), time.as_secs_f64())
}
