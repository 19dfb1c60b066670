//! The certificates of a listener, and how a dialer checks one.
//!
//! Nobody signs them: a dialer knows their hashes from the address it dials, and the Noise handshake
//! proves that the peer it meets behind them vouches for them.

mod hash;
mod issue;
mod schedule;
mod verify;

pub(crate) use hash::CertHash;
pub(crate) use schedule::Certificates;
pub use verify::CertificateError;
pub(crate) use verify::{Failure, HashVerifier};

use std::time::Duration;

/// The longest that browsers let a certificate be valid that is known by its hash.
pub(crate) const MAX_VALIDITY: Duration = Duration::from_secs(14 * 86_400);

/// A quarter of that: more would leave no time to use a certificate in.
pub(crate) const MAX_CLOCK_SKEW: Duration = Duration::from_secs(14 * 86_400 / 4);
