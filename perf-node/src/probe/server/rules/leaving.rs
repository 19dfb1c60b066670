//! Dialers that leave in the middle.

use futures::AsyncWriteExt;
use perf_protocol::block;

use crate::probe::server::finding::{Broken, Verdict};
use crate::probe::server::target::{Target, read_and_drop};

/// More than a node has read when its dialer is gone.
const UPLOADED: usize = 200_000;

/// Nobody sends so much.
const HUGE: u64 = 1 << 63;

/// How much of it is read.
const READ: u64 = 1_000_000;

pub(super) async fn early_close(target: Target) -> Result<Verdict, Broken> {
    let link = target.connect().await?;
    for _ in 0..3 {
        let mut stream = link.ask(1000).await?;
        link.note("uploading");
        stream.write_all(&block()[..UPLOADED]).await?;
        stream.flush().await?;
        drop(stream);
        link.exchange(1000, 1000)
            .await
            .map_err(|broken| format!("the stream after a dropped one: {broken}"))?;
    }
    let mut stream = link.ask(1000).await?;
    link.note("uploading");
    stream.write_all(&block()[..UPLOADED]).await?;
    stream.flush().await?;
    drop(link);
    let next = target.connect().await?;
    next.exchange(1000, 1000)
        .await
        .map_err(|broken| format!("the connection after a dropped one: {broken}"))?;
    Ok(Verdict::pass(match target.is_quic() {
        // libp2p-quic ends what it drops: the node sees a request that is shorter, and whole.
        true => "the next stream and connection were served (over QUIC a dropped stream ends)",
        false => "the next stream and connection were served",
    }))
}

pub(super) async fn huge_request_then_reset(target: Target) -> Result<Verdict, Broken> {
    let link = target.connect().await?;
    let mut stream = link.ask(HUGE).await?;
    stream.close().await?;
    link.note("reading the answer to a request for 2^63 bytes");
    read_and_drop(stream, READ).await.map_err(|broken| format!("of 2^63 bytes: {broken}"))?;
    // Once its own side is closed rust-libp2p resets nothing that it drops. QUIC tells the node to stop;
    // with yamux it runs out of window; with mplex nothing stops it but the end of the connection.
    let (link, how) = match (target.is_mplex(), target.tells_to_stop()) {
        (true, _) => {
            drop(link);
            (target.connect().await?, "its connection was closed, and the next one was served")
        }
        (_, true) => (link, "it was told to stop, and the next stream was served"),
        _ => (link, "it was left without window, and the next stream was served"),
    };
    link.exchange(1000, 1000)
        .await
        .map_err(|broken| format!("after a huge request was left: {broken}"))?;
    Ok(Verdict::pass(format!("after the first {READ} bytes {how}")))
}
