//! The link's own count of what passed, beside the node's.

use harness_sdk::Stack;

use super::framing;
use super::iperf::Direction;
use super::support::is_over_tcp;

/// What a formula may leave out, as a share: handshakes, segments that are not full, what is sent again. QUIC also
/// finds its packet's size first, sends probes for that, and acknowledges in the payload's direction.
const MORE: f64 = 0.005;
const MORE_QUIC: f64 = 0.02;

/// What it may have counted in vain: messages and packet numbers that were shorter than it has them.
const LESS: f64 = 0.001;

/// What a node says it moved, and what the kernel says it sent for that.
pub(crate) struct Wire {
    /// Bytes of payload, by the document.
    pub(crate) payload: u64,
    /// Bytes sent on the link in the payload's direction, by its token bucket.
    pub(crate) sent: u64,
}

/// Bytes on the wire for one of payload.
pub(crate) fn by_formula(stack: &Stack, direction: Direction) -> f64 {
    1.0 / framing::share(stack, direction)
}

impl Wire {
    pub(crate) fn ratio(&self) -> f64 {
        self.sent as f64 / self.payload as f64
    }

    /// The two counts agree.
    pub(crate) fn check(&self, stack: &Stack, direction: Direction) -> Result<(), String> {
        let (ratio, expected) = (self.ratio(), by_formula(stack, direction));
        let more = if is_over_tcp(stack) { MORE } else { MORE_QUIC };
        if (expected * (1.0 - LESS)..=expected * (1.0 + more)).contains(&ratio) {
            return Ok(());
        }
        let Self { payload, sent } = self;
        Err(format!(
            "{payload} bytes reported, {sent} bytes on the wire: {ratio:.4} a byte, where the formula has {expected:.4}"
        ))
    }
}
