//! Contract mode as a test matrix runs it, over both backends: what is published, what is printed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use harness_sdk::{Stack, Transport};
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use nix::sys::signal::Signal;
use perf_protocol::{Progress, ReadBuffer, serve};
use redis::Value;
use support::{
    Backend, Listening, Peer, Store, dialer, each_stack, keys, listener, on_both_backends, stack,
    stacks,
};

on_both_backends!(
    every_stack_is_measured_by_one_dialer_after_another,
    what_is_published_can_be_dialed_and_lives_an_hour,
    whatever_stood_at_the_key_is_replaced,
    an_older_images_list_is_read,
    a_section_of_no_iterations_is_left_out,
    warm_up_is_run_and_not_reported,
    a_duration_is_filled_with_whole_requests,
    a_size_wins_over_a_duration,
);

async fn every_stack_is_measured_by_one_dialer_after_another(backend: Backend) {
    let store = backend.start().await;
    each_stack(async |stack| {
        let (test_key, _) = keys(&stack);
        let listening = listener(&stack, &store.addr()).var("TEST_KEY", &test_key).spawn();
        for sections in [[3, 2, 20], [1, 1, 1]] {
            let dialer = dialer(&stack, &store.addr()).var("TEST_KEY", &test_key);
            let document = dialer.measuring(sections, 1_000_001).run().await.measured(sections);
            let told = document.node.unwrap();
            assert_eq!(told.stack.unwrap().stack, stack);
            assert_eq!(told.name, "perf-node");
        }
        let ended = listening.stop(Signal::SIGTERM).await;
        assert_eq!(ended.stdout, "", "{}", ended.everything());
    })
    .await;
}

async fn what_is_published_can_be_dialed_and_lives_an_hour(backend: Backend) {
    let store = backend.start().await;
    // Without TEST_KEY, and with the address left to the node; then told which.
    for stack in stacks() {
        assert_published(&store, &stack, &[], "listener_multiaddr", "127.0.0.1").await;
    }
    for (stack, ip) in [
        (stack("tcp noise yamux"), "::1"),
        (stack("ws tls yamux"), "::1"),
        (stack("quic-v1"), "::1"),
        (stack("webtransport"), "::1"),
    ] {
        let (test_key, key) = keys(&stack);
        let vars = [("TEST_KEY", test_key.as_str()), ("LISTENER_IP", ip)];
        assert_published(&store, &stack, &vars, &key, ip).await;
    }
}

/// Starts a listener, looks at what it publishes, and dials that.
async fn assert_published(
    store: &Store,
    stack: &Stack,
    vars: &[(&str, &str)],
    key: &str,
    ip: &str,
) {
    store.run(&["DEL", key]).await;
    let listening = listener(stack, &store.addr()).vars(vars.iter().copied()).spawn();
    let published = store.published(key).await;
    assert_eq!(store.run(&["TYPE", key]).await, Value::SimpleString("string".to_owned()));
    let Value::Int(life) = store.run(&["TTL", key]).await else { panic!("no TTL") };
    assert!((3501..=3600).contains(&life), "{life}");

    let address: Multiaddr = published.parse().unwrap();
    let parts: Vec<_> = address.iter().collect();
    assert_eq!(parts[0], Protocol::from(ip.parse::<std::net::IpAddr>().unwrap()), "{address}");
    match (stack.secure_channel, &parts[1..]) {
        (Some(_), [Protocol::Tcp(1..), Protocol::P2p(_)]) if stack.transport == Transport::Tcp => {}
        (Some(_), [Protocol::Tcp(1..), Protocol::Ws(path), Protocol::P2p(_)])
            if stack.transport == Transport::Ws && path == "/" => {}
        (None, [Protocol::Udp(1..), Protocol::QuicV1, Protocol::P2p(_)])
        | (
            None,
            [
                Protocol::Udp(1..),
                Protocol::QuicV1,
                Protocol::WebTransport,
                Protocol::Certhash(_),
                Protocol::Certhash(_),
                Protocol::P2p(_),
            ],
        ) => {}
        _ => panic!("{address}"),
    }
    let dialer = dialer(stack, &store.addr()).vars(vars.iter().copied()).measuring([1, 1, 1], 1000);
    dialer.run().await.measured([1, 1, 1]);
    listening.stop(Signal::SIGINT).await;
}

async fn whatever_stood_at_the_key_is_replaced(backend: Backend) {
    let store = backend.start().await;
    let stack = stack("tcp noise yamux");
    let (test_key, key) = keys(&stack);
    store.run(&["RPUSH", &key, "/ip4/192.0.2.1/tcp/1"]).await;
    let listening = listener(&stack, &store.addr()).var("TEST_KEY", &test_key).spawn();
    // A dialer that read the list before it was replaced goes on to what replaces it.
    let dialer =
        dialer(&stack, &store.addr()).var("TEST_KEY", &test_key).measuring([1, 0, 0], 1000);
    dialer.run().await.measured([1, 0, 0]);
    assert_eq!(store.run(&["TYPE", &key]).await, Value::SimpleString("string".to_owned()));
    listening.stop(Signal::SIGTERM).await;
}

async fn an_older_images_list_is_read(backend: Backend) {
    let store = backend.start().await;
    each_stack(async |stack| {
        let (test_key, key) = keys(&stack);
        let listening = Listening::start(&stack, &[]).await;
        store.run(&["RPUSH", &key, &listening.address, "/ip4/192.0.2.1/tcp/1"]).await;
        let dialer = dialer(&stack, &store.addr()).var("TEST_KEY", &test_key);
        dialer.measuring([1, 1, 1], 1000).run().await.measured([1, 1, 1]);
    })
    .await;
}

async fn a_section_of_no_iterations_is_left_out(backend: Backend) {
    let store = backend.start().await;
    let stack = stack("tcp tls yamux");
    let _listening = listener(&stack, &store.addr()).spawn();
    for sections in [[0, 2, 2], [2, 0, 2], [2, 2, 0], [0, 0, 0]] {
        dialer(&stack, &store.addr()).measuring(sections, 1000).run().await.measured(sections);
    }
    // Without iterations, no size is needed.
    let vars = [("UPLOAD_ITERATIONS", "0"), ("UPLOAD_BYTES", "0"), ("DOWNLOAD_ITERATIONS", "null")];
    let dialer = dialer(&stack, &store.addr()).measuring([2, 10, 2], 1000).vars(vars);
    // `null` and an empty value mean absent: the default holds.
    dialer.var("PERF_WARMUP", "").run().await.measured([0, 10, 2]);
}

/// What a peer in the test's process was asked for.
#[derive(Default)]
struct Asked {
    requests: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
}

impl Progress for Asked {
    fn opened(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    fn sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Relaxed);
    }

    fn received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Relaxed);
    }
}

impl Asked {
    fn total(&self) -> [u64; 3] {
        [&self.requests, &self.received, &self.sent].map(|count| count.load(Relaxed))
    }
}

/// A well-behaved peer, published at the un-namespaced key, that counts.
async fn counting_peer(stack: &Stack, store: &Store) -> (Peer, Arc<Asked>) {
    let asked = Arc::new(Asked::default());
    let counting = Arc::clone(&asked);
    let peer = Peer::answering(stack, move |stream| {
        let counting = Arc::clone(&counting);
        async move {
            // A dialer that ends in the middle is seen by its own status.
            let _ = serve(stream, counting.as_ref(), &mut ReadBuffer::new()).await;
        }
    })
    .await;
    store.publish("listener_multiaddr", &peer.address).await;
    (peer, asked)
}

async fn warm_up_is_run_and_not_reported(backend: Backend) {
    let store = backend.start().await;
    for stack in [stack("tcp noise mplex"), stack("quic-v1")] {
        let (_peer, asked) = counting_peer(&stack, &store).await;
        let dialer =
            dialer(&stack, &store.addr()).measuring([2, 3, 0], 1000).var("PERF_WARMUP", "4");
        dialer.run().await.measured([2, 3, 0]);
        // No section, no warm-up.
        assert_eq!(asked.total(), [4 + 2 + 4 + 3, 6 * 1000, 7 * 1000], "{stack}");
    }
}

async fn a_duration_is_filled_with_whole_requests(backend: Backend) {
    let store = backend.start().await;
    let stack = stack("tcp tls mplex");
    let (_peer, asked) = counting_peer(&stack, &store).await;
    let started = Instant::now();
    let dialer = dialer(&stack, &store.addr())
        .vars([("UPLOAD_ITERATIONS", "2"), ("DOWNLOAD_ITERATIONS", "1")])
        .vars([("LATENCY_ITERATIONS", "1"), ("DURATION", "0.5s"), ("DOWNLOAD_BYTES", "0")]);
    let document = dialer.run().await.measured([2, 1, 1]);
    assert!(started.elapsed() >= Duration::from_millis(1500));
    // What was moved in those times is what was reported: whole requests, of at least a MiB each.
    let [_, received, sent] = asked.total();
    let gbps = |bytes: u64, seconds: f64| bytes as f64 * 8.0 / 1e9 / seconds;
    let uploads = document.upload.unwrap().samples;
    assert!(received > 1 << 20 && uploads.iter().sum::<f64>() / 2.0 <= gbps(received, 1.0));
    assert!(sent > 1 << 20 && document.download.unwrap().samples[0] <= gbps(sent, 0.5));
}

async fn a_size_wins_over_a_duration(backend: Backend) {
    let store = backend.start().await;
    let stack = stack("quic-v1");
    let (_peer, asked) = counting_peer(&stack, &store).await;
    let dialer = dialer(&stack, &store.addr()).measuring([3, 2, 1], 10_000).var("DURATION", "600");
    dialer.run().await.measured([3, 2, 1]);
    assert_eq!(asked.total(), [6, 3 * 10_000 + 1, 2 * 10_000 + 1]);
}
