//! Where reads land.

use std::num::NonZeroUsize;

/// How many bytes a [`ReadBuffer`] holds unless told: 256 KiB.
///
/// More than a stream mostly has ready at once (yamux frames are 16 KiB, noise messages 64 KiB),
/// and all that a bare TCP socket can give in one call without leaving a core's second-level cache.
/// `benches/pipe.rs` compares sizes.
pub const READ_BUFFER_LEN: usize = 256 * 1024;

/// The one place that all payload is read into, zeroed once and overwritten from then on.
///
/// Allocate one per stream, or keep one for all the streams that follow each other; what is left in
/// it means nothing.
#[derive(Debug)]
pub struct ReadBuffer(Box<[u8]>);

impl ReadBuffer {
    /// A buffer of [`READ_BUFFER_LEN`] bytes.
    #[must_use]
    pub fn new() -> Self {
        Self(vec![0; READ_BUFFER_LEN].into_boxed_slice())
    }

    /// A buffer of `len` bytes. Not zero: a read into no room looks like the end of the stream.
    #[must_use]
    pub fn with_len(len: NonZeroUsize) -> Self {
        Self(vec![0; len.get()].into_boxed_slice())
    }

    /// All of it, for a dialect of the exchange that reads for itself.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Default for ReadBuffer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_as_long_as_asked() {
        assert_eq!(ReadBuffer::new().as_mut_slice().len(), READ_BUFFER_LEN);
        assert_eq!(ReadBuffer::default().as_mut_slice().len(), READ_BUFFER_LEN);
        assert_eq!(ReadBuffer::with_len(NonZeroUsize::MIN).as_mut_slice().len(), 1);
    }
}
