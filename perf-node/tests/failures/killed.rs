//! A listener that dies in the middle.

use harness_sdk::{Class, Phase};

use crate::support::{Backend, NONE, dialer, each_stack, keys, listener, on_both_backends};

on_both_backends!(in_an_upload, in_a_download);

const SIZE: u64 = 8 << 20;

async fn in_an_upload(backend: Backend) {
    killed_in(backend, Phase::Upload).await;
}

async fn in_a_download(backend: Backend) {
    killed_in(backend, Phase::Download).await;
}

/// Kills a listener in the third iteration or soon after.
async fn killed_in(backend: Backend, phase: Phase) {
    let (plan, whole) = match phase {
        Phase::Upload => ([100_000, 1, 1], NONE),
        _ => ([2, 100_000, 1], [2, 0, 0]),
    };
    let store = backend.start().await;
    each_stack(async |stack| {
        let (test_key, _) = keys(&stack);
        let listening = listener(&stack, &store.addr()).var("TEST_KEY", &test_key).spawn();
        let dialer = dialer(&stack, &store.addr()).var("TEST_KEY", &test_key);
        // What QUIC's peer does not say any more is seen by its silence.
        let mut dialing = dialer.measuring(plan, SIZE).var("PERF_STALL_SECS", "2").spawn();
        dialing.wait_for_stderr(&format!("{phase} 2/")).await;
        listening.kill().await;

        let ended = dialing.ended().await;
        let failure = ended.failed(Class::Transfer, whole);
        let partial = ended.broken(&failure, phase);
        assert!(partial.samples.len() >= 2, "{failure:?}");
        assert_eq!(partial.unit, "Gbps");
        let (moved, other) = match phase {
            Phase::Upload => (partial.bytes_sent, partial.bytes_received),
            _ => (partial.bytes_received, partial.bytes_sent),
        };
        assert!(moved <= SIZE && other == 0, "{failure:?}");
    })
    .await;
}
