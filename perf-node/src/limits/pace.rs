//! A rate that all streams of a listener keep together.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How much may pass at once after a pause, in time at the rate.
const BURST: Duration = Duration::from_millis(50);

/// Most bytes that pass in one piece: where many streams share a low rate, each of them still moves.
const LARGEST_PIECE: u64 = 64 * 1024;

/// A token bucket kept as the moment at which it is even: the generic cell rate algorithm (ITU-T I.371).
/// Whoever has moved bytes waits until they are paid for; turns are taken in the order of moving.
#[derive(Debug)]
pub(super) struct Pace {
    bytes_per_second: u64,
    even: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second, even: Mutex::new(Instant::now()) }
    }

    /// Most bytes to move before the next [`spend`](Self::spend).
    pub(super) fn piece(&self) -> usize {
        let piece = (self.bytes_per_second / 20).clamp(1, LARGEST_PIECE);
        usize::try_from(piece).unwrap_or(usize::MAX)
    }

    /// `bytes` were moved: when those that come after them may be.
    pub(super) fn spend(&self, bytes: u64) -> Instant {
        let cost = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        let now = Instant::now();
        let mut even = self.even.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        *even = (*even).max(earliest) + cost;
        *even
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep_until;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn several_streams_share_the_rate_evenly() {
        let pace = Pace::new(1_000_000);
        let begun = Instant::now();
        let stream = async || {
            let mut moved = 0u64;
            while moved < 1_000_000 {
                let piece = pace.piece() as u64;
                moved += piece;
                sleep_until(pace.spend(piece)).await;
            }
            begun.elapsed().as_secs_f64()
        };
        let ends = tokio::join!(stream(), stream(), stream());
        for end in [ends.0, ends.1, ends.2] {
            assert!((2.8..3.1).contains(&end), "{ends:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_saves_up_no_more_than_a_burst() {
        let pace = Pace::new(1_000_000);
        tokio::time::sleep(Duration::from_secs(100)).await;
        let begun = Instant::now();
        for _ in 0..100 {
            sleep_until(pace.spend(10_000)).await;
        }
        assert!((0.94..1.01).contains(&begun.elapsed().as_secs_f64()), "{:?}", begun.elapsed());
    }

    #[test]
    fn pieces_are_small_where_the_rate_is() {
        let rates = [1, 100, 1 << 20, 1 << 40];
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(
            async { assert_eq!(rates.map(|rate| Pace::new(rate).piece()), [1, 5, 52_428, 65_536]) },
        );
    }
}
