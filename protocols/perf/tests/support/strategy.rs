//! What the properties are tried on.

use std::num::NonZeroUsize;

use perf_protocol::{BLOCK_LEN, ReadBuffer, WRITE_LEN};
use proptest::{collection::vec, prelude::*};

use super::choppy::Step;

/// The sizes of an exchange, in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    pub(crate) upload: u64,
    pub(crate) download: u64,
    /// What the pipe holds, each way.
    pub(crate) capacity: usize,
    /// The client's read buffer, and the server's.
    pub(crate) buffers: (usize, usize),
}

/// Few bytes through narrow places, or many through wide ones: many through narrow ones take
/// minutes.
pub(crate) fn sizes() -> impl Strategy<Value = Sizes> {
    prop_oneof![exchange(short_len, || 1..64_usize), exchange(len, || 1000..300_000_usize)]
}

fn exchange<L, W>(len: impl Fn() -> L, width: impl Fn() -> W) -> impl Strategy<Value = Sizes>
where
    L: Strategy<Value = u64>,
    W: Strategy<Value = usize>,
{
    (len(), len(), width(), (width(), width())).prop_map(|(upload, download, capacity, buffers)| {
        Sizes { upload, download, capacity, buffers }
    })
}

/// Payload lengths: none, one, few, about a write, about a block, a few MiB.
pub(crate) fn len() -> impl Strategy<Value = u64> {
    let about = |len: usize| len as u64 - 20..len as u64 + 20;
    prop_oneof![
        short_len(),
        about(1024),
        about(WRITE_LEN),
        about(BLOCK_LEN),
        about(BLOCK_LEN + WRITE_LEN),
        0..3_u64 << 20,
    ]
}

/// Payload lengths that take few polls however narrow the pipe.
pub(crate) fn short_len() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0_u64), Just(1_u64), 2..5000_u64]
}

/// By how much a count can be wrong: often by one.
pub(crate) fn few() -> impl Strategy<Value = u64> {
    prop_oneof![Just(1_u64), 2..3000_u64]
}

/// What the pipe holds, where little goes through it.
pub(crate) fn capacity() -> impl Strategy<Value = usize> {
    prop_oneof![1..64_usize, 1000..300_000_usize]
}

/// Ends in a large step, so that no script takes for ever.
pub(crate) fn script() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        Just(Step::Pause),
        (1..16_usize).prop_map(Step::AtMost),
        (1000..100_000_usize).prop_map(Step::AtMost),
    ];
    vec(step, 0..24).prop_map(|mut steps| {
        steps.push(Step::AtMost(usize::MAX));
        steps
    })
}

/// A buffer of `len` bytes, or of one.
pub(crate) fn buffer(len: usize) -> ReadBuffer {
    ReadBuffer::with_len(NonZeroUsize::new(len).unwrap_or(NonZeroUsize::MIN))
}
