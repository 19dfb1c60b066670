//! The coordinator's commands, replies and store, under small limits: no panic, and its own bounds kept.

#![no_main]

use libfuzzer_sys::fuzz_target;
use perf_coordinator::{Limits, fuzzing};

fuzz_target!(|input: &[u8]| {
    let limits = Limits { max_memory: 4096, max_reply: 4096, ..Limits::default() };
    fuzzing::converse(input, &limits);
});
