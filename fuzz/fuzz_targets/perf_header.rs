//! The perf protocol's header, cut anywhere: reads the same as in one piece, and leaves the payload alone.

#![no_main]

use libfuzzer_sys::fuzz_target;
use perf_protocol::{Decoded, HEADER_LEN, HeaderDecoder, encode_header};

fuzz_target!(|pieces: Vec<Vec<u8>>| {
    let whole: Vec<u8> = pieces.concat();
    let (mut decoder, mut consumed_in_all, mut told) = (HeaderDecoder::new(), 0, None);
    for piece in &pieces {
        match decoder.decode(piece) {
            Decoded::Incomplete => {
                assert!(told.is_none(), "incomplete after it was complete");
                consumed_in_all += piece.len();
            }
            Decoded::Complete { requested, consumed } => {
                assert!(consumed <= piece.len());
                assert!(told.is_none_or(|before| before == requested && consumed == 0));
                consumed_in_all += consumed;
                told = Some(requested);
            }
        }
    }
    assert_eq!(consumed_in_all, whole.len().min(HEADER_LEN));
    assert_eq!(decoder.finish().ok(), told);
    if let Some(requested) = told {
        assert_eq!(encode_header(requested), whole[..HEADER_LEN]);
    }
});
