//! As many bytes as asked for, on one stream and on many.

use futures::AsyncWriteExt;
use futures::future::try_join_all;
use perf_protocol::{WRITE_LEN, block, encode_header};
use tokio::sync::Barrier;

use crate::probe::server::finding::{Broken, Verdict};
use crate::probe::server::target::{Link, Target, answered};

/// Around the sizes at which writers and muxers cut, and some that fit nothing.
const COUNTS: [(u64, u64); 9] = [
    (0, 13),
    (13, 0),
    (1000, 1),
    (1, 1000),
    (8 * 1024, 16 * 1024),
    (65_535, 65_537),
    (0, 1_000_003),
    (1_000_003, 0),
    (300_007, 700_001),
];

const SEQUENTIAL: u64 = 100;
const CONCURRENT: u64 = 10;

pub(super) async fn zero_bytes(target: Target) -> Result<Verdict, Broken> {
    let link = target.connect().await?;
    link.exchange(0, 0).await?;
    Ok(Verdict::pass("the end, and nothing else"))
}

pub(super) async fn one_byte(target: Target) -> Result<Verdict, Broken> {
    let link = target.connect().await?;
    for (up, down) in [(1, 0), (0, 1), (1, 1)] {
        link.exchange(up, down).await?;
    }
    Ok(Verdict::pass("as many"))
}

pub(super) async fn exact_bytes(target: Target) -> Result<Verdict, Broken> {
    let link = target.connect().await?;
    for (up, down) in COUNTS {
        link.exchange(up, down).await?;
    }
    let (most_up, most_down) =
        COUNTS.iter().fold((0, 0), |(up, down), counts| (up.max(counts.0), down.max(counts.1)));
    Ok(Verdict::pass(format!(
        "as many, in {} exchanges of up to {most_up} bytes up and {most_down} down",
        COUNTS.len()
    )))
}

pub(super) async fn sequential_streams(target: Target) -> Result<Verdict, Broken> {
    let link = target.connect().await?;
    for number in 1..=SEQUENTIAL {
        let exchanged = link.exchange(number, 1000 + number).await;
        exchanged.map_err(|broken| format!("stream {number} of {SEQUENTIAL}: {broken}"))?;
    }
    Ok(Verdict::pass(format!("all {SEQUENTIAL} were served")))
}

pub(super) async fn concurrent_streams(target: Target) -> Result<Verdict, Broken> {
    let link = target.connect().await?;
    // None ends its request before all have begun theirs.
    let begun = Barrier::new(CONCURRENT as usize);
    try_join_all((1..=CONCURRENT).map(async |number| {
        one_of_many(&link, &begun, number)
            .await
            .map_err(|broken| Broken::from(format!("stream {number} of {CONCURRENT}: {broken}")))
    }))
    .await?;
    Ok(Verdict::pass(format!("all {CONCURRENT} were served")))
}

/// Asks for a count of its own, with half of the upload before all have begun.
async fn one_of_many(link: &Link, begun: &Barrier, number: u64) -> Result<(), Broken> {
    let bytes = 50_000 + number;
    let mut stream = link.open().await?;
    link.note(format!("exchanging on {CONCURRENT} streams at once"));
    let half = &block()[..WRITE_LEN / 4];
    stream.write_all(&encode_header(bytes)).await?;
    stream.write_all(half).await?;
    stream.flush().await?;
    begun.wait().await;
    stream.write_all(half).await?;
    stream.flush().await?;
    stream.close().await?;
    answered(&mut stream, bytes).await
}
