//! Listeners that do not keep to the protocol. The dialer tells by the count, or by the silence.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures::future::{BoxFuture, join_all, pending};
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt};
use harness_sdk::{Class, Muxer, Phase, Stack};
use libp2p::Stream;
use perf_protocol::{ReadBuffer, serve};

use crate::support::{NONE, Peer, Sections, dial, each_stack, stacks};

/// Two iterations of everything: each misdeed is done in the second of a section.
const PLAN: Sections = [2, 2, 2];
const SIZE: u64 = 1_000_000;

/// More than any stack takes before its peer has read it: an upload of it has to wait.
const LARGE: u64 = 48 << 20;

/// One way to answer a stream wrongly.
struct Misdeed {
    name: &'static str,
    does: fn(Stream) -> BoxFuture<'static, ()>,
    /// How the failure may be told: muxers differ in how they say that a stream was reset.
    told: &'static [&'static str],
}

const STALLED: &[&str] = &["stalled: no byte moved for 2 s"];
const TOO_MUCH: &[&str] = &["sent more than the 1000000 bytes asked for"];
const RESET: &[&str] = &["reset", "ended"];

/// libp2p-mplex leaves a reset in its buffer until it has something else to send: a peer that keeps
/// silent then is told by that.
fn told(stack: &Stack, misdeed: &Misdeed) -> &'static [&'static str] {
    match stack.muxer {
        Some(Muxer::Mplex) if misdeed.told == RESET => STALLED,
        _ => misdeed.told,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_an_upload() {
    all(
        Phase::Upload,
        [
            Misdeed {
                name: "answers before the request has ended",
                does: |stream| answer_early(stream, 1).boxed(),
                told: &["answered before the request had ended"],
            },
            Misdeed {
                name: "ends before the request has ended",
                does: |stream| answer_early(stream, 0).boxed(),
                told: &["before the request had ended"],
            },
            Misdeed {
                name: "answers an upload with a byte",
                does: |stream| answer(stream, 1, End::Close).boxed(),
                told: &["sent more than the 0 bytes asked for"],
            },
            Misdeed {
                name: "stops reading",
                does: |stream| stop_reading(stream).boxed(),
                told: STALLED,
            },
            Misdeed {
                name: "never says that it has read all",
                does: |stream| answer(stream, 0, End::Never).boxed(),
                told: STALLED,
            },
            Misdeed {
                name: "resets the stream after the first bytes",
                does: |stream| reset_after_the_header(stream).boxed(),
                told: RESET,
            },
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_download() {
    all(
        Phase::Download,
        [
            Misdeed {
                name: "sends a byte too few",
                does: |stream| answer(stream, SIZE - 1, End::Close).boxed(),
                told: &["ended its answer after 999999 of 1000000 bytes"],
            },
            Misdeed {
                name: "sends a byte too many",
                does: |stream| answer(stream, SIZE + 1, End::Close).boxed(),
                told: TOO_MUCH,
            },
            Misdeed {
                name: "never stops sending",
                does: |stream| answer(stream, u64::MAX, End::Close).boxed(),
                told: TOO_MUCH,
            },
            Misdeed {
                name: "never half-closes",
                does: |stream| answer(stream, SIZE, End::Never).boxed(),
                told: STALLED,
            },
            Misdeed {
                name: "never answers",
                does: |stream| answer(stream, 0, End::Never).boxed(),
                told: STALLED,
            },
            Misdeed {
                name: "resets the stream half way",
                does: |stream| answer(stream, SIZE / 2, End::Reset).boxed(),
                told: RESET,
            },
            Misdeed {
                name: "resets the stream in place of its end",
                does: |stream| answer(stream, SIZE - 1, End::Reset).boxed(),
                told: RESET,
            },
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_latency_exchange() {
    all(
        Phase::Latency,
        [
            Misdeed {
                name: "sends nothing back",
                does: |stream| answer(stream, 0, End::Close).boxed(),
                told: &["ended its answer after 0 of 1 bytes"],
            },
            Misdeed {
                name: "sends a byte too many",
                does: |stream| answer(stream, 2, End::Close).boxed(),
                told: &["sent more than the 1 bytes asked for"],
            },
            Misdeed {
                name: "never answers",
                does: |stream| answer(stream, 0, End::Never).boxed(),
                told: STALLED,
            },
            Misdeed {
                name: "never half-closes",
                does: |stream| answer(stream, 1, End::Never).boxed(),
                told: STALLED,
            },
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_speak_the_protocol_is_not_connected_to() {
    each_stack(async |stack| {
        let peer = Peer::without_perf(&stack).await;
        let ended = dial(&stack, &peer.address).measuring(PLAN, SIZE).run().await;
        let failure = ended.failed(Class::Connect, NONE);
        assert!(failure.message.contains("does not speak /perf/1.0.0"), "{failure:?}");
    })
    .await;
}

/// Has each misdeed done in the second iteration of `phase`, on every stack.
async fn all(phase: Phase, misdeeds: impl IntoIterator<Item = Misdeed>) {
    for misdeed in misdeeds {
        join_all(stacks().map(|stack| suffer(stack, phase, &misdeed))).await;
    }
}

async fn suffer(stack: Stack, phase: Phase, misdeed: &Misdeed) {
    let (at, whole) = match phase {
        Phase::Upload => (2, NONE),
        Phase::Download => (4, [2, 0, 0]),
        _ => (6, [2, 2, 0]),
    };
    let (exchanges, does) = (AtomicU64::new(0), misdeed.does);
    let peer = Peer::answering(&stack, move |stream| {
        let exchange = exchanges.fetch_add(1, Relaxed) + 1;
        if exchange == at { does(stream) } else { serve_well(stream).boxed() }
    })
    .await;
    let told = told(&stack, misdeed);
    // Only where silence is expected is little of it allowed: the machine may be slow.
    let (stall, upload_size) = match phase {
        _ if told == STALLED => ("2", SIZE),
        Phase::Upload => ("30", LARGE),
        _ => ("30", SIZE),
    };
    let ended = dial(&stack, &peer.address)
        .measuring(PLAN, SIZE)
        .var("UPLOAD_BYTES", upload_size.to_string())
        .var("PERF_STALL_SECS", stall)
        .run()
        .await;

    let case = format!("{stack} {}\n{}", misdeed.name, ended.everything());
    let failure = ended.failed(Class::Transfer, whole);
    let partial = ended.broken(&failure, phase);
    assert_eq!(partial.samples.len(), 1, "{case}");
    assert!(told.iter().any(|told| failure.message.contains(told)), "{case}");
    assert!(partial.bytes_sent <= upload_size, "{case}");
}

async fn serve_well(stream: Stream) {
    // What goes wrong is the dialer's to tell.
    let _ = serve(stream, &(), &mut ReadBuffer::new()).await;
}

/// How an answer ends.
#[derive(Clone, Copy)]
enum End {
    Close,
    Reset,
    Never,
}

/// Reads the request to its end and answers with `bytes`, whatever was asked for.
async fn answer(mut stream: Stream, bytes: u64, end: End) {
    let mut request = vec![0; 65_536];
    while stream.read(&mut request).await.is_ok_and(|read| read > 0) {}
    send(&mut stream, bytes, end).await;
}

/// Reads the header, and no more, and answers with `bytes`.
async fn answer_early(mut stream: Stream, bytes: u64) {
    read_header(&mut stream).await;
    send(&mut stream, bytes, End::Close).await;
    pending().await
}

async fn send(stream: &mut Stream, bytes: u64, end: End) {
    let block = [7; 16_384];
    let mut left = bytes;
    while left > 0 {
        let size = block.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        match stream.write(&block[..size]).await {
            Ok(sent) => left -= sent as u64,
            // The dialer has had enough.
            Err(_) => return,
        }
    }
    let _ = stream.flush().await;
    match end {
        End::Close => drop(stream.close().await),
        // Dropping it is resetting it. What was sent before should be read before.
        End::Reset => tokio::time::sleep(Duration::from_millis(50)).await,
        End::Never => pending().await,
    }
}

async fn stop_reading(mut stream: Stream) {
    read_header(&mut stream).await;
    pending().await
}

async fn reset_after_the_header(mut stream: Stream) {
    read_header(&mut stream).await;
}

async fn read_header(stream: &mut Stream) {
    stream.read_exact(&mut [0; 8]).await.unwrap();
}
