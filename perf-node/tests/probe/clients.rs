//! Our own node, dialing each behaviour: what it comes to, and what the probe saw of it.

use harness_sdk::{Class, Stack};

use crate::seen::{Seen, StreamSeen, seen};
use crate::support::{Listening, NONE, Sections, dial, each_libp2p_stack, stack};

/// More than any stack takes before its peer has read it: an upload of it has to wait.
const LARGE: u64 = 48 << 20;

#[tokio::test]
async fn a_good_one_sees_what_the_dialer_says_it_did() {
    each_libp2p_stack(async |stack| {
        let probe = Listening::probe(&stack, "exact", &[]).await;
        dial(&stack, &probe.address).measuring([3, 2, 5], 100_000).run().await.measured([3, 2, 5]);
        let seen = seen(probe).await;
        assert_eq!((seen.connections, seen.opened), (1, 10), "{seen:?}");
        let moved: Vec<_> = seen.streams.iter().map(|s| (s.asked, s.received, s.sent)).collect();
        let expected = [vec![(Some(0), 100_000, 0); 3], vec![(Some(100_000), 0, 100_000); 2]];
        let latencies = vec![(Some(1), 1, 1); 5];
        assert_eq!(moved, [expected.concat(), latencies].concat());
        assert!(seen.streams.iter().all(|s| s.half_closed && !s.reset), "{seen:?}");
        // Each follows the end of the one before.
        for pair in seen.streams.windows(2) {
            let end = pair[0].open_ms / 1e3 + pair[0].seconds;
            assert!(pair[1].open_ms / 1e3 + 0.001 >= end, "{pair:?}");
        }
    })
    .await;
}

/// What the dialer measured, at most one iteration, and the only stream that the probe saw.
async fn breaks(stack: &Stack, behaviour: &str, sections: Sections, bytes: u64) -> StreamSeen {
    let probe = Listening::probe(stack, behaviour, &[]).await;
    let stalls = dial(stack, &probe.address).args(["--stall-secs", "2"]);
    let ended = stalls.measuring(sections, bytes).run().await;
    ended.failed(Class::Transfer, NONE);
    let Seen { connections: 1, opened: 1, streams } = seen(probe).await else {
        panic!("{stack}, {behaviour}: {}", ended.everything())
    };
    streams[0]
}

const UPLOAD: Sections = [1, 0, 0];
const DOWNLOAD: Sections = [0, 1, 0];

#[tokio::test]
async fn one_that_counts_wrongly() {
    each_libp2p_stack(async |stack| {
        for (behaviour, sections, bytes, sent) in [
            ("too-little", DOWNLOAD, 100_000, 99_999),
            ("too-much", DOWNLOAD, 100_000, 100_001),
            ("too-much", UPLOAD, 100_000, 1),
        ] {
            let stream = breaks(&stack, behaviour, sections, bytes).await;
            assert_eq!(stream.sent, sent, "{stack}, {behaviour}: {stream:?}");
            assert!(stream.half_closed, "{stack}, {behaviour}: {stream:?}");
        }
        let stream = breaks(&stack, "endless", DOWNLOAD, 100_000).await;
        assert!(stream.sent > 100_000, "{stack}: {stream:?}");
    })
    .await;
}

#[tokio::test]
async fn one_that_does_not_wait_for_the_end() {
    each_libp2p_stack(async |stack| {
        for (behaviour, sent) in [("early-answer", 1), ("early-eof", 0)] {
            let stream = breaks(&stack, behaviour, UPLOAD, LARGE).await;
            assert_eq!((stream.asked, stream.sent), (Some(0), sent), "{stack}: {stream:?}");
            assert!(!stream.half_closed, "{stack}, {behaviour}: {stream:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn one_that_stalls() {
    each_libp2p_stack(async |stack| {
        for (behaviour, sections, sent) in [
            ("stops-reading", UPLOAD, 0),
            ("never-answers", UPLOAD, 0),
            ("never-answers", DOWNLOAD, 0),
            ("never-closes", DOWNLOAD, 100_000),
        ] {
            let stream = breaks(&stack, behaviour, sections, 100_000).await;
            assert_eq!(stream.sent, sent, "{stack}, {behaviour}: {stream:?}");
            assert_eq!(stream.half_closed, behaviour != "stops-reading", "{stack}: {stream:?}");
            // The node looked at its clock a little before the peer did.
            assert!(stream.seconds >= 1.9, "{stack}, {behaviour}: {stream:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn one_that_resets() {
    each_libp2p_stack(async |stack| {
        for (behaviour, sent) in [("reset", 50_000), ("late-reset", 99_999)] {
            let stream = breaks(&stack, behaviour, DOWNLOAD, 100_000).await;
            assert_eq!(stream.sent, sent, "{stack}, {behaviour}: {stream:?}");
        }
        let stream = breaks(&stack, "reset-upload", UPLOAD, LARGE).await;
        assert_eq!((stream.received, stream.sent), (0, 0), "{stack}: {stream:?}");
    })
    .await;
}

#[tokio::test]
async fn one_that_does_not_speak_perf() {
    each_libp2p_stack(async |stack| {
        let probe = Listening::probe(&stack, "no-perf", &[]).await;
        let ended = dial(&stack, &probe.address).measuring([1, 1, 1], 1000).run().await;
        ended.failed(Class::Connect, NONE);
        let seen = seen(probe).await;
        assert_eq!((seen.connections, seen.opened), (1, 0), "{seen:?}");
    })
    .await;
}

/// A dialer that is given up by its stall while the probe waits to read.
#[tokio::test]
async fn what_the_dialer_leaves_is_seen() {
    let stack = stack("tcp noise yamux");
    let probe = Listening::probe(&stack, "late-reader", &["--delay-ms", "2000"]).await;
    let stalls = dial(&stack, &probe.address).args(["--stall-secs", "0.5"]);
    stalls.measuring(UPLOAD, 100).run().await.failed(Class::Transfer, NONE);
    let seen = seen(probe).await;
    assert_eq!((seen.streams[0].asked, seen.streams[0].half_closed), (None, false), "{seen:?}");
}
