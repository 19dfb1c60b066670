//! What making connections takes: fresh ones, each dialed until it is ready and then closed.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::Instant;

use crate::config::Config;
use crate::dial::{close, connect};
use crate::document::{HandshakePercentiles, Handshakes, round};
use crate::failure::Failure;
use crate::node::{Connection, Node};
use crate::stats::Percentiles;

/// Makes as many connections as the configuration's load says, as many at once as it has
/// connections, after the plan's warm-up; the first that fails ends it.
pub(crate) async fn measure<N: Node>(
    node: &N,
    config: &Config,
    address: &str,
) -> Result<Handshakes, Failure> {
    make(node, config, address, config.plan.warmup, &Made::default()).await?;
    let made = Made::default();
    let begun = Instant::now();
    make(node, config, address, config.load.handshakes, &made).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let (ready, phases) = made.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    let completed = config.load.handshakes;
    Ok(Handshakes {
        completed,
        at_once: config.load.connections as u64,
        seconds: round(seconds),
        per_second: round(completed as f64 / seconds),
        ready_ms: percentiles(ready.as_ref()),
        phases_ms: phases
            .iter()
            .map(|(name, p)| ((*name).to_owned(), percentiles(Some(p))))
            .collect(),
    })
}

/// How long the connections made so far took until they were ready, and in each phase of that.
#[derive(Default)]
struct Made(Mutex<(Option<Percentiles>, BTreeMap<&'static str, Percentiles>)>);

impl Made {
    fn record(&self, ready: Duration, phases: &[(&'static str, Duration)]) {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if made.0.is_none() {
            made.0 = Percentiles::new();
        }
        if let Some(percentiles) = &mut made.0 {
            percentiles.record(ready);
        }
        for (phase, time) in phases {
            if !made.1.contains_key(phase)
                && let Some(empty) = Percentiles::new()
            {
                made.1.insert(phase, empty);
            }
            if let Some(percentiles) = made.1.get_mut(phase) {
                percentiles.record(*time);
            }
        }
    }
}

async fn make<N: Node>(
    node: &N,
    config: &Config,
    address: &str,
    count: u64,
    made: &Made,
) -> Result<(), Failure> {
    let begun = AtomicU64::new(0);
    let one_after_the_other = || async {
        loop {
            let this = begun.fetch_add(1, Relaxed) + 1;
            if this > count {
                return Ok::<_, Failure>(());
            }
            let start = Instant::now();
            let connection = connect(node, config, address).await.map_err(|failure| {
                let message = format!("handshake {this} of {count}: {failure}");
                Failure { message, ..failure }
            })?;
            made.record(start.elapsed(), &connection.details().phases);
            close([connection]).await;
        }
    };
    try_join_all((0..config.load.connections).map(|_| one_after_the_other())).await?;
    Ok(())
}

fn percentiles(of: Option<&Percentiles>) -> HandshakePercentiles {
    let at = |p| of.and_then(|percentiles| percentiles.at_ms(p)).map(round);
    HandshakePercentiles { p50: at(0.5), p90: at(0.9), p99: at(0.99) }
}
