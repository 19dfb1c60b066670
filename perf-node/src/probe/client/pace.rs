//! A rate that bytes keep to.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The largest piece moved at once. At a rate it is at most [`PIECE`] worth of it, so that a
/// download is spread over its time, and an upload's sender is let in as steadily.
const MAX_PIECE: usize = 64 * 1024;
const MIN_PIECE: usize = 1024;
const PIECE: Duration = Duration::from_millis(4);

/// A schedule: from its start so many bytes a second, or as fast as they come.
///
/// A byte that was late is made up for, so that the mean is the rate however coarse the clock and
/// however busy the machine; none is early.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    start: Instant,
    bytes_per_second: Option<f64>,
}

impl Pace {
    /// A schedule that starts now.
    pub(super) fn start(bytes_per_second: Option<f64>) -> Self {
        Self { start: Instant::now(), bytes_per_second }
    }

    /// How many bytes to move at once.
    pub(super) fn piece(&self) -> usize {
        match self.bytes_per_second {
            Some(rate) => ((rate * PIECE.as_secs_f64()) as usize).clamp(MIN_PIECE, MAX_PIECE),
            None => MAX_PIECE,
        }
    }

    /// Waits until `bytes` in all are due.
    pub(super) async fn until_due(&self, bytes: u64) {
        if let Some(rate) = self.bytes_per_second {
            sleep_until(self.start + Duration::from_secs_f64(bytes as f64 / rate)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_mean_is_the_rate_however_late_a_piece_was() {
        let start = Instant::now();
        let pace = Pace::start(Some(1e6));
        pace.until_due(500_000).await;
        assert_eq!(start.elapsed().as_millis(), 500);
        tokio::time::sleep(Duration::from_millis(300)).await;
        pace.until_due(700_000).await;
        assert_eq!(start.elapsed().as_millis(), 800);
        pace.until_due(1_000_000).await;
        assert_eq!(start.elapsed().as_millis(), 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_nothing_waits() {
        let start = Instant::now();
        Pace::start(None).until_due(u64::MAX).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[test]
    fn pieces_are_small_at_a_low_rate_and_bounded_at_a_high_one() {
        let piece = |rate| Pace { start: Instant::now(), bytes_per_second: rate }.piece();
        assert_eq!(
            [Some(1.0), Some(1.25e6), Some(1e9), None].map(piece),
            [1024, 5000, 65536, 65536]
        );
    }
}
