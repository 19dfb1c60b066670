//! The coordinator's framing: the same requests, and the same complaint, however the bytes are cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use perf_coordinator::{Limits, fuzzing};

fuzz_target!(|pieces: Vec<&[u8]>| {
    let limits = Limits { max_request: 512, max_args: 16, ..Limits::default() };
    let whole = pieces.concat();
    let (cut, complaint) = fuzzing::requests(pieces.iter().copied(), &limits);
    let (all, about_all) = fuzzing::requests([whole.as_slice()], &limits);
    assert_eq!(cut, all);
    assert_eq!(complaint, about_all);
});
