//! A stream that should move and does not.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use crate::meter::Meter;
use crate::watched::Watched;

/// No byte moved for as long as the stall limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stalled: no byte moved for {} s, after {sent} bytes sent and {received} received", limit.as_secs_f64())]
pub struct Stalled {
    limit: Duration,
    sent: u64,
    received: u64,
}

/// Runs `transfer` as long as `meter` sees something happen at least every `limit`.
///
/// The meter is looked at ten times per limit (once a second at most often), so a stall is
/// noticed at most a tenth late, and costs the transfer nothing.
pub async fn guard<T>(
    meter: &Meter,
    limit: Duration,
    transfer: impl Future<Output = T>,
) -> Result<T, Stalled> {
    let mut transfer = pin!(transfer);
    let mut ticks =
        tokio::time::interval((limit / 10).clamp(Duration::from_millis(1), Duration::from_secs(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = meter.activity();
    let mut since = Instant::now();
    loop {
        tokio::select! {
            biased;
            result = &mut transfer => return Ok(result),
            now = ticks.tick() => {
                let activity = meter.activity();
                if activity != seen {
                    (seen, since) = (activity, now);
                } else if now.duration_since(since) >= limit {
                    return Err(Stalled {
                        limit,
                        sent: meter.bytes_sent(),
                        received: meter.bytes_received(),
                    });
                }
            }
        }
    }
}

/// Serves `stream` as long as a byte moves on it, either way, at least every `limit`: for a listener,
/// whose peer may be gone without a word. Where none does, the stream is dropped.
pub async fn until_silent<S, F: Future>(
    stream: S,
    limit: Duration,
    serve: impl FnOnce(Watched<S>) -> F,
) -> Result<F::Output, Stalled> {
    let meter = Meter::start();
    guard(&meter, limit, serve(Watched::new(stream, meter.clone()))).await
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_slow_transfer_is_not_a_stalled_one() {
        let meter = Meter::start();
        let transfer = async {
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_secs(29)).await;
                meter.received(1);
            }
        };
        assert_eq!(guard(&meter, LIMIT, transfer).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_it_in_time() {
        let meter = Meter::start();
        let start = Instant::now();
        let transfer = async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            meter.sent(5);
            std::future::pending::<()>().await;
        };
        let stalled = guard(&meter, LIMIT, transfer).await.unwrap_err();
        assert_eq!(stalled, Stalled { limit: LIMIT, sent: 5, received: 0 });
        let elapsed = start.elapsed();
        assert!(
            elapsed >= LIMIT + Duration::from_secs(10)
                && elapsed <= LIMIT + Duration::from_secs(13)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_served_until_it_is_silent() {
        let (mut peer, stream) = tokio::io::duplex(4);
        let serving = until_silent(stream, LIMIT, async |mut stream| {
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
        });
        let talking = async {
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_secs(29)).await;
                peer.write_all(b"word").await.unwrap();
            }
            std::future::pending::<()>().await;
        };
        let stalled = tokio::select! {
            served = serving => served.unwrap_err(),
            () = talking => unreachable!(),
        };
        assert_eq!(stalled, Stalled { limit: LIMIT, sent: 0, received: 12 });
    }
}
