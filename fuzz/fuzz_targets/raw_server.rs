//! raw/1's listener, whatever its dialer sends and however the connection behaves: it answers each whole request with
//! what was asked for and an end, and nothing else.

#![no_main]

use std::io::ErrorKind;

use futures::executor::block_on;
use libfuzzer_sys::fuzz_target;
use perf_fuzz::{Scripted, Step};
use perf_node::baselines::fuzzing::serve;
use perf_protocol::Served;

/// What a dialer takes before it goes away: a header may ask for 2^64 bytes.
const ROOM: u64 = 1 << 20;

fuzz_target!(|input: (Vec<(u16, u16)>, Vec<Step>, Vec<u8>)| {
    let (requests, steps, rest) = input;
    let mut sent = Vec::new();
    for (upload, download) in requests {
        sent.extend(u64::from(upload).to_be_bytes());
        sent.extend(u64::from(download).to_be_bytes());
        sent.resize(sent.len() + usize::from(upload), 7);
    }
    sent.extend(rest);
    let (whole, is_all) = requests_of(&sent);
    let mut stream = Scripted::new(sent, steps, ROOM);
    let (served, ended) = block_on(serve(&mut stream));
    assert!(whole.starts_with(&served));
    let answered: u64 = served.iter().map(|one| one.sent + 1).sum();
    match ended {
        Ok(()) => assert!(is_all && !stream.broken),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            assert!(!is_all && !stream.broken)
        }
        Err(error) => {
            assert!(stream.broken, "{error}");
            return;
        }
    }
    assert_eq!(served, whole);
    assert_eq!(stream.written, answered);
});

/// The whole requests that `bytes` begin with, and whether there is nothing behind them.
fn requests_of(mut bytes: &[u8]) -> (Vec<Served>, bool) {
    let mut whole = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<16>() {
        let both = u128::from_be_bytes(*header);
        let (upload, download) = ((both >> 64) as u64, both as u64);
        let Some(behind) = usize::try_from(upload).ok().and_then(|upload| rest.get(upload..))
        else {
            break;
        };
        whole.push(Served { received: upload, sent: download });
        bytes = behind;
    }
    (whole, bytes.is_empty())
}
