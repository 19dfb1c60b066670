//! Dialers that are stopped: by a user, by a runner, by their own deadline.

use std::time::Duration;

use futures::future::join_all;
use harness_sdk::{Class, Phase};
use nix::sys::signal::Signal;
use tokio::time::sleep;

use crate::support::{
    Backend, NONE, Peer, dial, dialer, each_libp2p_stack, each_stack, keys, listener,
    on_both_backends, stack,
};

on_both_backends!(in_the_middle_of_a_run, while_waiting_for_a_listener);

const STOPS: [(Signal, Class, &str); 2] = [
    (Signal::SIGINT, Class::Interrupted, "interrupted by SIGINT"),
    (Signal::SIGTERM, Class::Transfer, "ended by SIGTERM before all was measured"),
];

/// A dialer that is told to stop has this long: the listener is told, the document written.
const SOON: Duration = Duration::from_secs(5);

async fn in_the_middle_of_a_run(backend: Backend) {
    let store = backend.start().await;
    each_stack(async |stack| {
        let (test_key, _) = keys(&stack);
        let listening = listener(&stack, &store.addr()).var("TEST_KEY", &test_key).spawn();
        let dialer = || dialer(&stack, &store.addr()).var("TEST_KEY", &test_key);
        for (signal, class, message) in STOPS {
            let mut dialing = dialer().measuring([3, 100_000, 1], 1_000_000).spawn();
            dialing.wait_for_stderr("download 2/").await;
            dialing.signal(signal);
            let ended = dialing.ended_within(SOON).await;
            let failure = ended.failed(class, [3, 0, 0]);
            assert_eq!(failure.message, message);
            assert!(ended.broken(&failure, Phase::Download).samples.len() >= 2);
        }
        let limited = dialer().measuring([2, 1_000_000, 1], 1000).var("PERF_TIMEOUT_SECS", "3");
        let ended = limited.run().await;
        let failure = ended.failed(Class::Transfer, [2, 0, 0]);
        assert_eq!(failure.message, "not done within PERF_TIMEOUT_SECS, 3 s");
        ended.broken(&failure, Phase::Download);
        assert!((3.0..3.0 + SOON.as_secs_f64()).contains(&ended.lived.as_secs_f64()));

        dialer().measuring([1, 1, 1], 1000).run().await.measured([1, 1, 1]);
        listening.stop(Signal::SIGTERM).await;
    })
    .await;
}

async fn while_waiting_for_a_listener(backend: Backend) {
    let store = backend.start().await;
    let stack = stack("tcp noise yamux");
    for (signal, class, message) in STOPS {
        let dialing = dialer(&stack, &store.addr()).spawn();
        sleep(Duration::from_secs(1)).await;
        dialing.signal(signal);
        let failure = dialing.ended_within(SOON).await.failed(class, NONE);
        assert_eq!(failure.message, message);
        assert_eq!((failure.iteration, failure.partial), (None, None));
    }
    let limited = dialer(&stack, &store.addr()).var("PERF_TIMEOUT_SECS", "0.5").run().await;
    let failure = limited.failed(Class::Transfer, NONE);
    assert_eq!(failure.message, "not done within PERF_TIMEOUT_SECS, 0.5 s");
    assert!(limited.lived < SOON);
}

/// What is under way when a section's first iteration, or its warm-up, is stopped is no sample.
#[tokio::test]
async fn before_the_first_sample() {
    each_libp2p_stack(async |stack| {
        let mute = Peer::answering(&stack, |_stream| std::future::pending()).await;
        join_all([("0", Some(1)), ("1", None)].map(async |(warmup, iteration)| {
            let dialing = dial(&stack, &mute.address)
                .measuring([0, 0, 100], 1000)
                .vars([("PERF_WARMUP", warmup), ("PERF_TIMEOUT_SECS", "2")]);
            let failure = dialing.run().await.failed(Class::Transfer, NONE);
            assert_eq!(failure.phase, Phase::Latency);
            assert_eq!(failure.iteration, iteration);
            assert!(failure.partial.unwrap().samples.is_empty());
        }))
        .await;
    })
    .await;
}
