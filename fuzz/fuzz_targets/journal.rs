//! A run's journal, as far as it was written when the run was killed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use perf_compose::journal::Past;

fuzz_target!(|text: &[u8]| {
    if let Ok(past) = Past::parse(text) {
        assert!(past.whole <= text.len() as u64);
    }
});
