//! The protocol by hand, for peers that break it.

use futures::{AsyncReadExt, AsyncWriteExt};
use perf_protocol::encode_header;

use super::pipe::End;

/// Reads the next `count` bytes, which have to come.
pub(crate) async fn read_exactly(stream: &mut End, count: u64) {
    let mut bytes = zeros(count);
    let read = stream.read_exact(&mut bytes).await;
    assert!(read.is_ok(), "{read:?}");
}

/// Reads to the end, which has to come.
pub(crate) async fn read_to_end(stream: &mut End) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes).await;
    assert!(read.is_ok(), "{read:?}");
    bytes
}

/// Writes and closes. The peer may be gone: it has then seen enough.
pub(crate) async fn write_and_close(stream: &mut End, bytes: &[u8]) {
    if stream.write_all(bytes).await.is_ok() {
        let _gone = stream.close().await;
    }
}

/// The request of a client that uploads zeros.
pub(crate) fn raw_request(download: u64, upload: u64) -> Vec<u8> {
    let mut wire = Vec::from(encode_header(download));
    wire.extend(zeros(upload));
    wire
}

pub(crate) fn zeros(count: u64) -> Vec<u8> {
    vec![0; count as usize]
}
