//! WebTransport's frames: however input is cut, the same come out, and DATA of the same bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use libp2p_webtransport_native::wire::frame::{Frame, FrameDecoder, FrameError};

fuzz_target!(|input: (u8, &[u8])| {
    let (cut, bytes) = input;
    assert_eq!(decode(bytes, usize::from(cut) + 1), decode(bytes, bytes.len().max(1)));
});

fn decode(bytes: &[u8], cut: usize) -> (Vec<Frame>, Option<FrameError>) {
    let mut decoder = FrameDecoder::new(64);
    let mut frames = Vec::new();
    for piece in bytes.chunks(cut) {
        decoder.push(piece);
        loop {
            match (decoder.next(), frames.last_mut()) {
                (Ok(None), _) => break,
                (Ok(Some(Frame::Data(more))), Some(Frame::Data(before))) => {
                    *before = [&before[..], &more[..]].concat().into();
                }
                (Ok(Some(frame)), _) => frames.push(frame),
                (Err(error), _) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}
