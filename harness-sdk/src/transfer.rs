//! What one stream at a time does: a request, timed, watched and checked; or many, back to back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::failure::{Class, Failure, Phase};
use crate::meter::{Meter, Moved};
use crate::node::Connection;
use crate::plan::Amount;
use crate::stall;

/// Where one stream after another runs, for whoever watches from outside: what was moved, and what the
/// request under way has.
///
/// A clone is another handle. Its lock is taken between requests and by whoever watches, never within
/// a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lane(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    /// Payload bytes sent and received by requests that are over.
    before: (u64, u64),
    /// Counts the request under way, or the latest.
    meter: Option<Meter>,
}

impl Lane {
    /// Payload bytes handed to the streams and read from them, by all requests so far.
    pub(crate) fn moved(&self) -> (u64, u64) {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (sent, received) = of_meter(counts.meter.as_ref());
        (counts.before.0 + sent, counts.before.1 + received)
    }

    /// The same by the latest request alone.
    pub(crate) fn latest(&self) -> (u64, u64) {
        of_meter(self.0.lock().unwrap_or_else(PoisonError::into_inner).meter.as_ref())
    }

    fn next(&self, meter: Meter) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (sent, received) = of_meter(counts.meter.as_ref());
        counts.before = (counts.before.0 + sent, counts.before.1 + received);
        counts.meter = Some(meter);
    }
}

fn of_meter(meter: Option<&Meter>) -> (u64, u64) {
    meter.map_or((0, 0), |meter| (meter.bytes_sent(), meter.bytes_received()))
}

/// What a lane's requests moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) moved: Moved,
    /// How long opening the (last) stream took, where the node says so.
    pub(crate) opening: Option<Duration>,
}

/// One lane's share of an iteration.
#[derive(Debug)]
pub(crate) struct Transfer<'a, C> {
    pub(crate) connection: &'a C,
    /// No byte for this long breaks it.
    pub(crate) stall: Duration,
    pub(crate) phase: Phase,
    pub(crate) lane: &'a Lane,
    /// What each of several back-to-back requests is at least: see [`smallest_request`].
    pub(crate) smallest: u64,
}

impl<C: Connection> Transfer<'_, C> {
    /// Moves `amount`. `after`: what the lane did just before, which tells how large back-to-back requests may be.
    pub(crate) async fn run(&self, amount: Amount, after: Option<Moved>) -> Result<Done, Failure> {
        match amount {
            Amount::Bytes(bytes) => self.request(bytes).await,
            Amount::Duration(duration) => self.requests_for(duration, after).await,
        }
    }

    /// Back-to-back requests for about `duration`: how many bytes, in what time.
    async fn requests_for(
        &self,
        duration: Duration,
        after: Option<Moved>,
    ) -> Result<Done, Failure> {
        let start = Instant::now();
        let (mut total, mut in_requests) = (0, Duration::ZERO);
        let mut size = after.map_or(self.smallest, |Moved { bytes, time }| {
            next_request(self.smallest, bytes, bytes, time, duration)
        });
        loop {
            let Done { moved: Moved { bytes, time }, opening } = self.request(size).await?;
            (total, in_requests) = (total + bytes, in_requests + time);
            let elapsed = start.elapsed();
            if elapsed >= duration {
                // What passes between our own requests counts; what a foreign tool spends around
                // its measurement is not part of it.
                let foreign = self.connection.details().foreign_clock.is_some();
                let time = if foreign { in_requests } else { elapsed };
                return Ok(Done { moved: Moved { bytes: total, time }, opening });
            }
            size = next_request(self.smallest, size, total, elapsed, duration - elapsed);
        }
    }

    /// One request: timed around the call, watched for stalls, its count checked.
    pub(crate) async fn request(&self, bytes: u64) -> Result<Done, Failure> {
        let meter = Meter::waiting();
        self.lane.next(meter.clone());
        meter.begin();
        let (connection, counted) = (self.connection, &meter);
        // On the heap: an implementer's future may hold a large buffer, and this one holds three.
        let request = Box::pin(async {
            let result = match self.phase {
                Phase::Upload => connection.upload(bytes, counted).await,
                Phase::Download => connection.download(bytes, counted).await,
                _ => connection.latency(counted).await,
            };
            (result, counted.elapsed())
        });
        let (result, time) = stall::guard(counted, self.stall, request)
            .await
            .map_err(|stalled| Failure::new(Class::Transfer, self.phase, stalled.to_string()))?;
        result.map_err(|error| Failure::from_error(self.phase, error))?;
        let moved = match meter.elsewhere() {
            Some(moved) => self.believe(moved)?,
            None => {
                check_counts(self.phase, bytes, &meter)?;
                Moved { bytes, time }
            }
        };
        Ok(Done { moved, opening: meter.time_to_open() })
    }

    /// What a foreign tool measured, if the document will say whose word it is.
    fn believe(&self, moved: Moved) -> Result<Moved, Failure> {
        if self.connection.details().foreign_clock.is_some() {
            return Ok(moved);
        }
        let message = "a measurement that is not the SDK's, and no `foreign_clock` to name its own";
        Err(Failure::new(Class::Internal, self.phase, message))
    }
}

/// A request that says it succeeded must have moved exactly what was asked of it.
fn check_counts(phase: Phase, bytes: u64, meter: &Meter) -> Result<(), Failure> {
    let (sent, received) = match phase {
        Phase::Upload => (bytes, 0),
        Phase::Download => (0, bytes),
        _ => (bytes, bytes),
    };
    let counted = (meter.bytes_sent(), meter.bytes_received());
    if counted == (sent, received) {
        return Ok(());
    }
    let message = format!(
        "asked to send {sent} bytes and receive {received}, counted {} and {}",
        counted.0, counted.1
    );
    Err(Failure::new(Class::Transfer, phase, message))
}

/// What back-to-back requests of one stream begin with where nothing is known of the rate.
const SMALLEST_REQUEST: u64 = 1 << 20;
/// The same of each of many streams.
const SMALLEST_SHARE: u64 = 64 << 10;
const LARGEST_REQUEST: u64 = 1 << 30;

/// A burst, of a bucket or of buffers, may let a small request through at a rate that the next never sees.
const LARGEST_GROWTH: u64 = 8;

/// What back-to-back requests begin with, and are at least, on each of `streams` that share the way: as much
/// together as one stream alone, so that a hundred on a slow link do not take a hundred times as long.
pub(crate) fn smallest_request(streams: usize) -> u64 {
    (SMALLEST_REQUEST / streams.max(1) as u64).max(SMALLEST_SHARE)
}

/// How large the next of several back-to-back requests is: what the rate so far moves in a
/// second, or in what remains, whichever is shorter; and not much more than the one before.
pub(crate) fn next_request(
    smallest: u64,
    before: u64,
    total: u64,
    elapsed: Duration,
    remaining: Duration,
) -> u64 {
    let rate = total as f64 / elapsed.as_secs_f64().max(1e-9);
    let bytes = rate * remaining.min(Duration::from_secs(1)).as_secs_f64();
    let most = before.saturating_mul(LARGEST_GROWTH).clamp(smallest, LARGEST_REQUEST);
    (bytes as u64).clamp(smallest, most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::BoxError;

    #[test]
    fn requests_stay_bounded() {
        let second = Duration::from_secs(1);
        let next = |before, total, elapsed, remaining| {
            next_request(smallest_request(1), before, total, elapsed, remaining)
        };
        assert_eq!(next(1 << 20, 1 << 20, second * 100, second), SMALLEST_REQUEST);
        assert_eq!(next(1 << 29, u64::MAX / 2, second, second * 100), LARGEST_REQUEST);
        assert_eq!(next(1 << 20, u64::MAX / 2, second, second * 100), 8 << 20);
    }

    #[test]
    fn many_streams_begin_as_one_does_together() {
        let sizes = [1, 4, 16, 25_600].map(smallest_request);
        assert_eq!(sizes, [1 << 20, 1 << 18, 1 << 16, 1 << 16]);
    }

    /// The first two megabytes are in the bucket; then a megabyte a second passes.
    struct Bucket;

    impl Connection for Bucket {
        async fn upload(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
            let waits = bytes.saturating_sub(2_000_000);
            tokio::time::sleep(Duration::from_secs_f64(waits as f64 / 1e6 + 1e-3)).await;
            meter.sent(bytes);
            Ok(())
        }
        async fn download(&self, _: u64, _: &Meter) -> Result<(), BoxError> {
            Err("not asked for".into())
        }
        async fn latency(&self, _: &Meter) -> Result<(), BoxError> {
            Err("not asked for".into())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_does_not_stretch_an_iteration() {
        let lane = Lane::default();
        let stall = Duration::from_secs(3600);
        let (phase, smallest) = (Phase::Upload, smallest_request(1));
        let transfer = Transfer { connection: &Bucket, stall, phase, lane: &lane, smallest };
        let ten = Amount::Duration(Duration::from_secs(10));
        let lasted = transfer.run(ten, None).await.unwrap().moved.time.as_secs_f64();
        assert!((10.0..12.0).contains(&lasted), "{lasted}");
    }

    #[test]
    fn a_lane_remembers_what_passed_before_the_request_under_way() {
        let lane = Lane::default();
        assert_eq!((lane.moved(), lane.latest()), ((0, 0), (0, 0)));
        for bytes in [3, 4] {
            let meter = Meter::start();
            lane.next(meter.clone());
            meter.sent(bytes);
            meter.received(1);
        }
        assert_eq!((lane.moved(), lane.latest()), ((7, 2), (4, 1)));
    }
}
