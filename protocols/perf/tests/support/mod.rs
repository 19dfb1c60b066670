//! What the tests run the protocol over, and against.

pub(crate) mod choppy;
pub(crate) mod pipe;
pub(crate) mod raw;
pub(crate) mod strategy;
pub(crate) mod tally;
