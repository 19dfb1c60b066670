//! raw/1's dialer, whatever the listener answers: it succeeds where exactly as many bytes came back as were asked for,
//! and the end behind them, after all of the request was sent, and never else.

#![no_main]

use futures::executor::block_on;
use libfuzzer_sys::fuzz_target;
use perf_fuzz::{Scripted, Step, Tally};
use perf_node::baselines::fuzzing::{Requested, request};

const HEADER: u64 = 16;
const END: u8 = 4;

fuzz_target!(|input: (u32, u16, bool, Vec<Step>, Vec<u8>)| {
    let (upload, download, well, steps, mut answer) = input;
    let (upload, download) = (u64::from(upload % (1 << 20)), u64::from(download));
    if well {
        answer = [vec![7; download as usize], vec![END]].concat();
    }
    let (end, length) = (answer.get(download as usize).copied(), answer.len() as u64);
    let mut stream = Scripted::new(answer, steps, u64::MAX);
    let tally = Tally::default();
    match block_on(request(&mut stream, (upload, download), &tally)) {
        Requested::Answered => {
            assert_eq!((tally.sent.get(), tally.received.get()), (upload, download));
            assert_eq!((stream.written, end), (HEADER + upload, Some(END)));
            assert!(!stream.broken);
        }
        Requested::Short(received) => {
            assert_eq!((received, tally.received.get()), (length, length));
            assert!(length <= download);
        }
        Requested::Endless => assert!(end.is_some_and(|end| end != END || length > download + 1)),
        Requested::Broken => assert!(stream.broken),
    }
});
