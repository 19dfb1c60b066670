//! Read buffers that wait for the next stream.

use std::sync::{Arc, Mutex, PoisonError};

use perf_protocol::ReadBuffer;

/// As many are kept: a one-byte exchange must not wait for one to be made. Those of more streams at once
/// are freed after use.
const KEPT: usize = 4;

/// Buffers of streams that have ended. A clone shares them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buffers(Arc<Mutex<Vec<ReadBuffer>>>);

impl Buffers {
    /// One of them, or a new one.
    pub(crate) fn take(&self) -> ReadBuffer {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Keeps `buffer` for the next.
    pub(crate) fn keep(&self, buffer: ReadBuffer) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(buffer);
        }
    }
}
