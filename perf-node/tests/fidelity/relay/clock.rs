//! Waiting until a moment, and not much longer.

use std::time::{Duration, Instant};

/// What the system's timer may be late by without it being our error: that much before the moment we stop sleeping,
/// and look at the clock instead.
const EARLY: Duration = Duration::from_micros(150);

/// Returns at `due`, or at once where that has passed.
pub(super) fn wait_until(due: Instant) {
    let left = due.saturating_duration_since(Instant::now());
    if left > EARLY {
        std::thread::sleep(left - EARLY);
    }
    while Instant::now() < due {
        std::thread::yield_now();
    }
}
