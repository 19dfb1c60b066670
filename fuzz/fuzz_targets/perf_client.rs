//! The perf protocol's client, whatever the server answers: it succeeds where exactly as many bytes came back as were
//! asked for, after all of the request was sent, and never else.

#![no_main]

use futures::executor::block_on;
use libfuzzer_sys::fuzz_target;
use perf_fuzz::{Scripted, Step, Tally};
use perf_protocol::{Error, HEADER_LEN, ReadBuffer, request};

fuzz_target!(|input: (u32, u16, Vec<u8>, bool, Vec<Step>)| {
    let (upload, download, answer, polite, steps) = input;
    let (upload, download, answered) =
        (u64::from(upload % (1 << 20)), u64::from(download), answer.len() as u64);
    let mut stream = Scripted::new(answer, steps, u64::MAX);
    stream.answers_after_close = polite;
    let tally = Tally::default();
    let result = block_on(request(&mut stream, upload, download, &tally, &mut ReadBuffer::new()));
    match result {
        Ok(()) => {
            assert_eq!((tally.sent.get(), tally.received.get()), (upload, download));
            assert_eq!(stream.written, HEADER_LEN as u64 + upload);
            assert!(answered == download && stream.closed && !stream.broken);
        }
        Err(Error::ShortAnswer { expected, received }) => {
            assert_eq!((expected, received), (download, answered));
            assert!(answered < download);
        }
        Err(Error::LongAnswer { .. }) => assert!(answered > download),
        Err(Error::EarlyAnswer { .. } | Error::EarlyEnd { .. }) => assert!(!polite),
        Err(Error::Reset(_) | Error::Io(_)) => assert!(stream.broken),
        Err(other) => panic!("{other}"),
    }
});
