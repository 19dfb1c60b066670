//! Listeners that do not keep to the protocol. The dialer tells by the count, or by the silence.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures::AsyncReadExt;
use futures::future::join_all;
use harness_sdk::{Class, Muxer, Phase, Stack};
use perf_node::probe::client::{Behaviour, Conduct, StreamSeen};
use perf_node::swarm::hold;
use scopeguard::guard;

use crate::support::{NONE, Peer, Sections, dial, each_libp2p_stack, stacks};

/// Two iterations of everything: each misdeed is done in the second of a section.
const PLAN: Sections = [2, 2, 2];
const SIZE: u64 = 1_000_000;

/// More than any stack takes before its peer has read it: an upload of it has to wait.
const LARGE: u64 = 48 << 20;

/// One way to answer a stream wrongly.
struct Misdeed {
    name: &'static str,
    does: Behaviour,
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
                does: Behaviour::EarlyAnswer,
                told: &["answered before the request had ended"],
            },
            Misdeed {
                name: "ends before the request has ended",
                does: Behaviour::EarlyEof,
                told: &["before the request had ended"],
            },
            Misdeed {
                name: "answers an upload with a byte",
                does: Behaviour::TooMuch,
                told: &["sent more than the 0 bytes asked for"],
            },
            Misdeed { name: "stops reading", does: Behaviour::StopsReading, told: STALLED },
            Misdeed {
                name: "never says that it has read all",
                does: Behaviour::NeverAnswers,
                told: STALLED,
            },
            Misdeed {
                name: "resets the stream after the first bytes",
                does: Behaviour::ResetUpload,
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
                does: Behaviour::TooLittle,
                told: &["ended its answer after 999999 of 1000000 bytes"],
            },
            Misdeed { name: "sends a byte too many", does: Behaviour::TooMuch, told: TOO_MUCH },
            Misdeed { name: "never stops sending", does: Behaviour::Endless, told: TOO_MUCH },
            Misdeed { name: "never half-closes", does: Behaviour::NeverCloses, told: STALLED },
            Misdeed { name: "never answers", does: Behaviour::NeverAnswers, told: STALLED },
            Misdeed { name: "resets the stream half way", does: Behaviour::Reset, told: RESET },
            Misdeed {
                name: "resets the stream in place of its end",
                does: Behaviour::LateReset,
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
                does: Behaviour::TooLittle,
                told: &["ended its answer after 0 of 1 bytes"],
            },
            Misdeed {
                name: "sends a byte too many",
                does: Behaviour::TooMuch,
                told: &["sent more than the 1 bytes asked for"],
            },
            Misdeed { name: "never answers", does: Behaviour::NeverAnswers, told: STALLED },
            Misdeed { name: "never half-closes", does: Behaviour::NeverCloses, told: STALLED },
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_speak_the_protocol_is_not_connected_to() {
    each_libp2p_stack(async |stack| {
        let peer = Peer::without_perf(&stack).await;
        let ended = dial(&stack, &peer.address).measuring(PLAN, SIZE).run().await;
        let failure = ended.failed(Class::Connect, NONE);
        assert!(failure.message.contains("does not speak /perf/1.0.0"), "{failure:?}");
    })
    .await;
}

/// The answer is a defect of the node's own; what it leaves behind must not be a receipt.
#[tokio::test(flavor = "multi_thread")]
async fn one_whose_answer_panics_has_not_received() {
    each_libp2p_stack(async |stack| {
        let peer = Peer::answering(&stack, async |stream| {
            let mut stream = guard(stream, hold);
            stream.read_exact(&mut [0; 8]).await.unwrap();
            panic!("as this test has it");
        })
        .await;
        let ended = dial(&stack, &peer.address).measuring([1, 0, 0], 1000).run().await;
        ended.failed(Class::Transfer, NONE);
        assert!(ended.lived < Duration::from_secs(20), "{}", ended.everything());
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
        let conduct = Conduct::from(if exchange == at { does } else { Behaviour::Exact });
        async move { conduct.serve(stream, &StreamSeen::default()).await }
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
