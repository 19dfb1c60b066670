//! Exchanges can be spawned on a multi-threaded runtime.

use futures::{executor::block_on, io::Cursor};
use perf_protocol::{Error, ReadBuffer, encode_header, request, serve};

/// Fails to compile where it would have to.
fn spawnable<F: Future + Send>(exchange: F) -> F::Output {
    block_on(exchange)
}

#[test]
fn futures_are_send() {
    let mut buffer = ReadBuffer::new();
    // A cursor reads nothing beyond what is written: an end, before the request has ended.
    let asked = spawnable(request(Cursor::new(Vec::new()), 0, 0, &(), &mut buffer));
    assert!(matches!(asked, Err(Error::EarlyEnd { sent: 0 })));
    let served = spawnable(serve(Cursor::new(Vec::from(encode_header(0))), &(), &mut buffer));
    assert!(served.is_ok());
}
