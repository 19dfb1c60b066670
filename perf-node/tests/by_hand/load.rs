//! Many streams and connections, both directions, time instead of size, latency under load and
//! handshakes, on every stack: what was served is what was counted.

use std::collections::HashSet;

use harness_sdk::document::{HandshakePercentiles, LoadInfo, StreamsInfo, TailPercentiles};
use harness_sdk::{Class, Document};
use nix::sys::signal::Signal;

use crate::phases_of;
use crate::support::{
    Listening, NONE, beside_exchanges, dial, each_stack, each_stack_with_streams, stack,
};

fn load(document: &Document) -> &LoadInfo {
    document.node.as_ref().unwrap().load.as_ref().unwrap()
}

/// Each stream has a rate, and each of the iterations an index that can be one.
#[track_caller]
fn assert_streams(of: Option<&StreamsInfo>, streams: usize, iterations: usize) {
    let StreamsInfo { stream_gbps, fairness } = of.unwrap();
    assert_eq!((stream_gbps.len(), fairness.len()), (streams, iterations));
    assert!(stream_gbps.iter().all(|gbps| *gbps > 0.0), "{stream_gbps:?}");
    let least = 1.0 / streams as f64;
    assert!(fairness.iter().all(|index| (least..=1.0).contains(index)), "{fairness:?}");
}

#[tokio::test]
async fn each_stream_of_each_connection_moves_its_bytes() {
    each_stack_with_streams(async |stack| {
        let listening = Listening::start(&stack, &["--debug"]).await;
        let flags = ["--streams", "3", "--connections", "2", "--warmup", "1"];
        let ended = dial(&stack, &listening.address).measuring([2, 1, 3], 200_001).args(flags);
        let document = ended.run().await.measured([2, 1, 3]);
        let load = load(&document);
        assert_eq!((load.connections, load.streams, load.bidirectional), (2, 3, false));
        assert_streams(load.upload.as_ref(), 6, 2);
        assert_streams(load.download.as_ref(), 6, 1);
        let served = listening.process.stop(Signal::SIGTERM).await.stderr;
        // Two iterations and a warm-up; one and a warm-up; three exchanges and a warm-up.
        for (what, times) in [
            ("received: 200001, sent: 0 ", 6 * 3),
            ("received: 0, sent: 200001 ", 6 * 2),
            ("received: 1, sent: 1 ", 4),
        ] {
            assert_eq!(served.matches(what).count(), times, "{stack}: {what}\n{served}");
        }
    })
    .await;
}

#[tokio::test]
async fn both_directions_at_once_are_two_sections() {
    each_stack_with_streams(async |stack| {
        let listening = Listening::start(&stack, &[]).await;
        let launch = dial(&stack, &listening.address).measuring([3, 3, 0], 1_000_000);
        let document = launch.arg("--bidirectional").run().await.measured([3, 3, 0]);
        let load = load(&document);
        assert!(load.bidirectional && load.upload.is_none() && load.download.is_none(), "{load:?}");
    })
    .await;
}

#[tokio::test]
async fn latency_under_load_stands_beside_the_latency_section() {
    each_stack_with_streams(async |stack| {
        let listening = Listening::start(&stack, &[]).await;
        for &beside in beside_exchanges(&stack) {
            let launch = dial(&stack, &listening.address).measuring([0, 0, 20], 0);
            let flags = ["--latency-under-load", beside];
            let document = launch.args(flags).run().await.measured([0, 0, 20]);
            let node = document.node.unwrap();
            let measured = node.latency_under_load.unwrap();
            assert_eq!((measured.beside.as_str(), measured.exchanges), (beside, 20));
            let TailPercentiles { p50, p99, p99_9 } = measured.percentiles_ms;
            assert!(p50.is_some_and(|ms| ms > 0.0), "{measured:?}");
            assert_eq!((p99, p99_9), (None, None), "of twenty exchanges");
            let reached = [measured.upload_gbps, measured.download_gbps];
            let there = reached.map(|gbps| gbps.is_some_and(|gbps| gbps > 0.0));
            assert_eq!(there, [beside != "download", beside != "upload"], "{measured:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn handshakes_are_fresh_connections_and_nothing_else() {
    each_stack(async |stack| {
        let listening = Listening::start(&stack, &["--debug"]).await;
        let flags = ["--handshakes", "25", "--connections", "3"];
        let document = dial(&stack, &listening.address).args(flags).run().await.measured(NONE);
        let node = document.node.unwrap();
        assert_eq!(node.load, None, "nothing was moved on several connections");
        let made = node.handshakes.unwrap();
        assert_eq!((made.completed, made.at_once), (25, 3));
        assert!((made.per_second * made.seconds / 25.0 - 1.0).abs() < 1e-4, "{made:?}");
        let HandshakePercentiles { p50, p90, p99 } = made.ready_ms;
        assert!(p50.is_some() && p90.is_none() && p99.is_none(), "{made:?}");
        let phases: Vec<_> = made.phases_ms.keys().map(String::as_str).collect();
        assert_eq!(phases, phases_of(&stack));
        let told = listening.process.stop(Signal::SIGTERM).await.stderr;
        let from: Vec<_> =
            told.lines().filter_map(|line| line.split_once(" connected from ")).collect();
        // And the one that the document tells of.
        assert_eq!(from.len(), 26, "{stack}\n{told}");
        // Of one peer, where it says who it is.
        let who: HashSet<_> = from.iter().map(|(before, _)| before.rsplit(' ').next()).collect();
        assert_eq!(who.len(), 1, "{stack}\n{told}");
    })
    .await;
}

#[tokio::test]
async fn a_listener_that_goes_ends_handshakes_and_says_at_which() {
    let stack = stack("tcp noise yamux");
    let listening = Listening::start(&stack, &[]).await;
    let dialer = dial(&stack, &listening.address).args(["--handshakes", "1000000"]).spawn();
    // Until it is under way.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    listening.process.kill().await;
    let failure = dialer.ended().await.failed(Class::Connect, NONE);
    assert!(failure.message.contains(" of 1000000: "), "{failure:?}");
}

#[tokio::test]
async fn one_stream_that_breaks_breaks_the_iteration() {
    for stack in [stack("tcp noise yamux"), stack("quic-v1")] {
        // Of two streams at once one is refused, mid-upload.
        let listening = Listening::start(&stack, &["--max-streams", "1"]).await;
        let launch = dial(&stack, &listening.address).measuring([1, 2, 0], 30_000_000);
        let ended = launch.args(["--streams", "2"]).run().await;
        let failure = ended.failed(Class::Transfer, NONE);
        assert_eq!((failure.phase, failure.iteration), (harness_sdk::Phase::Upload, Some(1)));
        assert!(failure.partial.unwrap().samples.is_empty());
    }
}
