//! A header that does not arrive as one piece of eight bytes.

use std::time::Duration;

use futures::AsyncWriteExt;
use libp2p::Stream;
use perf_protocol::{HEADER_LEN, encode_header};
use tokio::time::sleep;

use crate::probe::server::finding::{Broken, Verdict};
use crate::probe::server::target::{Target, answered, beside_exchanges, drain};

/// Asked for where the count does not matter: every byte of its header but the last two is 0.
const ASKED: u64 = 1234;

/// A server that sees what comes together in a wrong order may yet do so by chance only.
const TOGETHER: u64 = 20;

/// Between pieces of a header, so that each is a packet of its own.
const BETWEEN: Duration = Duration::from_millis(10);

pub(super) async fn split(target: Target) -> Result<Verdict, Broken> {
    let link = target.connect().await?;
    // Where the pieces end; what follows the header is upload.
    let cuts: [&[usize]; 3] = [&[1, 2, 3, 4, 5, 6, 7, 8, 18], &[3, 18], &[7, 9, 18]];
    let request: Vec<u8> = encode_header(ASKED).into_iter().chain([7; 10]).collect();
    for ends in cuts {
        let what = format!("a request whose pieces end after bytes {ends:?}");
        link.note(format!("waiting for the answer to {what}"));
        let mut stream = link.open().await?;
        let mut start = 0;
        for &end in ends {
            stream.write_all(&request[start..end]).await?;
            stream.flush().await?;
            sleep(BETWEEN).await;
            start = end;
        }
        stream.close().await?;
        answered(&mut stream, ASKED).await.map_err(|broken| format!("{what}: {broken}"))?;
    }
    Ok(Verdict::pass("answered exactly, however it was split"))
}

pub(super) async fn with_fin(target: Target) -> Result<Verdict, Broken> {
    for (link, what) in [
        (target.connect().await?, "header and end together"),
        (target.connect_lazily().await?, "the protocol's name, header and end together"),
    ] {
        for number in 1..=TOGETHER {
            let mut stream = link.open().await?;
            link.note(format!("waiting for the answer to {what}"));
            ask_and_close(&mut stream)
                .await
                .map_err(|broken| format!("{what}, stream {number} of {TOGETHER}: {broken}"))?;
        }
    }
    Ok(Verdict::pass("answered exactly, both ways"))
}

/// Writes the header and closes, with no flush between.
async fn ask_and_close(stream: &mut Stream) -> Result<(), Broken> {
    stream.write_all(&encode_header(ASKED)).await?;
    stream.close().await?;
    answered(stream, ASKED).await
}

pub(super) async fn short(target: Target) -> Result<Verdict, Broken> {
    let link = target.connect().await?;
    for length in 1..HEADER_LEN {
        let mut stream = link.open().await?;
        stream.write_all(&encode_header(u64::MAX)[..length]).await?;
        stream.flush().await?;
        stream.close().await?;
        let ended = beside_exchanges(&link, drain(&mut stream)).await;
        link.note(format!("waiting for the end of a stream with {length} bytes of header"));
        match ended.map_err(|broken| format!("after {length} bytes of header: {broken}"))? {
            0 => {}
            received => {
                return Err(format!("{length} bytes of header: {received} bytes of answer").into());
            }
        }
    }
    link.exchange(1000, 1000).await?;
    Ok(Verdict::pass("closed or reset without an answer; the next stream was served"))
}
