//! The perf protocol's server, whatever its client sends and however the stream behaves: it answers a whole request
//! with exactly what was asked for, and nothing else.

#![no_main]

use futures::executor::block_on;
use libfuzzer_sys::fuzz_target;
use perf_fuzz::{Scripted, Step};
use perf_protocol::{Error, HEADER_LEN, ReadBuffer, Served, serve};

/// What a client takes before it goes away: a header may ask for 2^64 bytes.
const ROOM: u64 = 4 << 20;

fuzz_target!(|input: (Vec<u8>, Vec<Step>)| {
    let (request, steps) = input;
    let header = request.first_chunk::<HEADER_LEN>().map(|bytes| u64::from_be_bytes(*bytes));
    let uploaded = request.len().saturating_sub(HEADER_LEN) as u64;
    let mut stream = Scripted::new(request, steps, ROOM);
    let served = block_on(serve(&mut stream, &(), &mut ReadBuffer::new()));
    match (served, header) {
        (Ok(Served { received, sent }), Some(requested)) => {
            assert_eq!((received, sent, stream.written), (uploaded, requested, requested));
            assert!(stream.closed && !stream.broken);
        }
        (Err(Error::TruncatedHeader { received }), None) => {
            assert_eq!((received as u64, stream.written), (received as u64, 0));
        }
        (Err(Error::Reset(_) | Error::Io(_)), _) => assert!(stream.broken),
        (other, header) => panic!("{other:?}, asked for {header:?}"),
    }
});
