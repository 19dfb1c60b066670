//! A stream that keeps to a listener's limits, whatever its client sends: what a stream may not move is refused before
//! any of it is answered, what it may is served as without limits, and neither goes faster than the rate.

#![no_main]

use std::io::ErrorKind;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use perf_fuzz::{Scripted, Step};
use perf_node::limits::Limits;
use perf_protocol::{Error, HEADER_LEN, ReadBuffer, Served, serve};
use tokio::runtime::Builder;
use tokio::time::Instant;

/// What a client takes before it goes away.
const ROOM: u64 = 64 << 10;

/// What may pass ahead of the rate: a pause's savings, and a last piece that nothing comes after.
const AHEAD: Duration = Duration::from_millis(100);

fuzz_target!(|input: (Option<u16>, Option<u16>, Vec<Step>, Vec<u8>)| {
    let (most, rate, steps, request) = input;
    let most = most.map(u64::from);
    // Slow enough to wait, and fast enough to come to an end.
    let rate = rate.map(|rate| 1_000 * (1 + u64::from(rate)));
    let gate = Limits { bytes: most, rate, ..Limits::default() }.gate();
    let header = request.first_chunk::<HEADER_LEN>().map(|bytes| u64::from_be_bytes(*bytes));
    let uploaded = request.len().saturating_sub(HEADER_LEN) as u64;
    let too_much = |bytes: u64| most.is_some_and(|most| bytes > most);
    let mut stream = Scripted::new(request, steps, ROOM);
    let time =
        Builder::new_current_thread().enable_time().start_paused(true).build().expect("time");
    let (served, lasted) = time.block_on(async {
        let begun = Instant::now();
        let served = serve(gate.limit(&mut stream), &(), &mut ReadBuffer::new()).await;
        (served, begun.elapsed())
    });
    match (served, header) {
        (Ok(Served { received, sent }), Some(asked)) => {
            assert_eq!((received, sent, stream.written), (uploaded, asked, asked));
            assert!(!too_much(asked) && !too_much(uploaded) && !stream.broken);
        }
        (Err(Error::TruncatedHeader { .. }), None) => assert_eq!(stream.written, 0),
        (Err(Error::Io(error)), Some(asked)) if error.kind() == ErrorKind::PermissionDenied => {
            assert!(too_much(asked) || too_much(uploaded));
            assert_eq!(stream.written, 0);
        }
        (Err(Error::Reset(_) | Error::Io(_)), _) => assert!(stream.broken),
        (other, header) => panic!("{other:?}, asked for {header:?}"),
    }
    if let Some(rate) = rate {
        let moved = (stream.read() + stream.written) as f64;
        assert!((lasted + AHEAD).as_secs_f64() * rate as f64 >= moved, "{moved} in {lasted:?}");
    }
});
