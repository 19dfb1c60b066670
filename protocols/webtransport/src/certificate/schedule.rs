//! Which certificate is used when.
//!
//! Time is cut into windows of 14 days, each of which begins two clock skews before the one before it
//! ends. A certificate is used from one skew after its window begins to one skew before it ends, so it
//! is valid by the clock of every dialer that is off by no more than that. Which windows there are
//! follows from the secret alone: a restart changes nothing, and not all nodes rotate at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};

use super::issue::{IssueError, Issued, issue};
use super::{CertHash, MAX_VALIDITY};
use crate::clock::{Clock, unix_seconds};

/// The certificates of all listeners of a transport.
#[derive(Debug)]
pub(crate) struct Certificates {
    secret: [u8; 32],
    windows: Windows,
    clock: Arc<dyn Clock>,
    held: Mutex<Arc<Held>>,
}

/// The certificates at one time.
#[derive(Debug)]
pub(crate) struct Held {
    window: i64,
    /// Still vouched for: a dialer may know its hash and the current one's.
    previous: Issued,
    current: Issued,
    /// Advertised beside the current one, so that an address is good past the next rotation.
    next: Issued,
}

impl Held {
    /// What addresses carry.
    pub(crate) fn advertised(&self) -> [CertHash; 2] {
        [self.current.hash, self.next.hash]
    }

    /// What the Noise handshake vouches for: whatever an address may hold that leads here now.
    pub(crate) fn vouched_for(&self) -> [CertHash; 3] {
        [self.previous.hash, self.current.hash, self.next.hash]
    }
}

impl Certificates {
    /// For clocks that are off by `skew`, of at most [`MAX_CLOCK_SKEW`](super::MAX_CLOCK_SKEW).
    pub(crate) fn new(
        secret: [u8; 32],
        skew: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IssueError> {
        let windows = Windows::new(&secret, skew);
        let held = hold(&secret, windows, windows.at(clock.now()))?;
        Ok(Self { secret, windows, clock, held: Mutex::new(Arc::new(held)) })
    }

    /// The certificates of this moment.
    pub(crate) fn now(&self) -> Arc<Held> {
        let window = self.windows.at(self.clock.now());
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.window != window {
            match hold(&self.secret, self.windows, window) {
                Ok(renewed) => *held = Arc::new(renewed),
                // The old ones may still be good, and the next call tries again.
                Err(error) => tracing::warn!("cannot renew the WebTransport certificate: {error}"),
            }
        }
        Arc::clone(&held)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.now().current.key))
    }
}

fn hold(secret: &[u8; 32], windows: Windows, window: i64) -> Result<Held, IssueError> {
    let issue = |window| {
        let start = windows.start(window);
        issue(secret, start, start + MAX_VALIDITY.as_secs() as i64)
    };
    Ok(Held {
        window,
        previous: issue(window - 1)?,
        current: issue(window)?,
        next: issue(window + 1)?,
    })
}

/// In seconds.
#[derive(Clone, Copy, Debug)]
struct Windows {
    /// From the beginning of one window to that of the next.
    stride: i64,
    skew: i64,
    /// Where window 0 begins, in Unix time.
    offset: i64,
}

impl Windows {
    fn new(secret: &[u8; 32], skew: Duration) -> Self {
        let skew = skew.as_secs() as i64;
        let stride = MAX_VALIDITY.as_secs() as i64 - 2 * skew;
        let digest = Sha256::new().chain_update(secret).chain_update(b"offset").finalize();
        let offset = i64::from(u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]));
        Self { stride, skew, offset: offset % stride }
    }

    /// The window whose certificate is used at `time`.
    fn at(self, time: SystemTime) -> i64 {
        (unix_seconds(time) - self.skew - self.offset).div_euclid(self.stride)
    }

    /// When `window` begins, in Unix time.
    fn start(self, window: i64) -> i64 {
        self.offset + window * self.stride
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SKEW: Duration = Duration::from_secs(3600);

    proptest! {
        #[test]
        fn what_is_used_is_valid_for_every_clock_within_the_skew(secret: [u8; 32], seconds in 0_u64..1 << 33) {
            let windows = Windows::new(&secret, SKEW);
            let window = windows.at(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
            let (seconds, skew) = (seconds as i64, SKEW.as_secs() as i64);
            let start = windows.start(window);
            prop_assert!(start + skew <= seconds);
            prop_assert!(seconds < start + MAX_VALIDITY.as_secs() as i64 - skew);
            // The next one begins before this one ends.
            let overlap = start + MAX_VALIDITY.as_secs() as i64 - windows.start(window + 1);
            prop_assert_eq!(overlap, 2 * skew);
        }
    }

    #[derive(Debug)]
    struct Set(Mutex<SystemTime>);

    impl Clock for Set {
        fn now(&self) -> SystemTime {
            *self.0.lock().unwrap()
        }
    }

    #[test]
    fn what_was_next_is_current_after_a_rotation_and_a_restart_changes_nothing() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let clock = Arc::new(Set(Mutex::new(start)));
        let make = || Certificates::new([1; 32], SKEW, clock.clone()).unwrap();
        let certificates = make();
        let before = certificates.now();
        assert_eq!(make().now().advertised(), before.advertised());

        *clock.0.lock().unwrap() += MAX_VALIDITY - 2 * SKEW;
        let after = certificates.now();
        assert_eq!(after.advertised()[0], before.advertised()[1]);
        assert!(after.vouched_for().starts_with(&before.advertised()));
        assert_eq!(make().now().vouched_for(), after.vouched_for());
    }
}
