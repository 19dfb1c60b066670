//! WebTransport's header blocks: each is a request or a response, or is refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use libp2p_webtransport_native::wire::headers::{Request, read_status};

fuzz_target!(|block: &[u8]| {
    if let Ok(request) = Request::decode(block, 1024) {
        let _ = request.verdict();
    }
    let _ = read_status(block, 1024);
});
