//! What `iperf3 --json` prints: read or refused; what it says was received is more than nothing, in more than no time.

#![no_main]

use libfuzzer_sys::fuzz_target;
use report::Report;

// The node is a binary, and has no library to depend on.
#[path = "../../impls/iperf/v3/src/report.rs"]
mod report;

fuzz_target!(|text: &[u8]| {
    let Ok(report) = Report::parse(text) else { return };
    if let Some((bytes, time)) = report.received() {
        assert!(bytes > 0 && !time.is_zero());
    }
    // An error is no reason to doubt the rest: it has to be readable as well.
    let _ = (report.version(), report.error.as_deref());
});
