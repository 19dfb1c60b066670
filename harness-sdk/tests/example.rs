//! The node that people copy, as they will run it: listener and dialer as processes, over both
//! backends.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use harness_sdk::{Class, Phase, Transport};
use nix::sys::signal::Signal;
use redis::Value;
use support::{Backend, Launch, NONE, Store, on_both_backends};
use tokio::time::sleep;

on_both_backends!(
    it_measures_one_dialer_after_another,
    its_address_lives_an_hour_in_one_string,
    a_listener_that_comes_later_is_waited_for,
    a_list_is_read,
    a_stopped_dialer_keeps_what_it_measured,
);

const SOURCE: &str = include_str!("../../impls/template/src/main.rs");

#[test]
fn it_stays_short() {
    let lines = SOURCE.lines().count();
    assert!(lines < 100, "{lines} lines");
}

/// The built example: `cargo test` builds it along with the tests, and puts it beside them.
fn tcp_perf() -> Launch {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).map(PathBuf::from).unwrap();
    let example = profile.join("examples/tcp_perf");
    assert!(example.is_file(), "no {}: cargo build --examples", example.display());
    Launch::new(example)
}

fn listener(store: &Store) -> Launch {
    tcp_perf().vars([
        ("IS_DIALER", "false"),
        ("TRANSPORT", "raw-tcp"),
        ("REDIS_ADDR", &store.addr()),
    ])
}

fn dialer(store: &Store) -> Launch {
    listener(store).var("IS_DIALER", "true")
}

async fn it_measures_one_dialer_after_another(backend: Backend) {
    let store = backend.start().await;
    let listening = listener(&store).spawn();
    for sections in [[3, 2, 100], [1, 0, 1]] {
        let ended = dialer(&store).measuring(sections, 1_000_001).run().await;
        let told = ended.measured(sections).node.unwrap();
        assert_eq!(told.name, "tcp-perf");
        assert_eq!(told.stack.unwrap().stack.transport, Transport::RawTcp);
        assert!(told.phases_ms.stream_open.is_some() && told.phases_ms.exchange.is_some());
    }
    let ended = listening.stop(Signal::SIGTERM).await;
    assert_eq!(ended.stdout, "");
}

async fn its_address_lives_an_hour_in_one_string(backend: Backend) {
    let store = backend.start().await;
    let keys = [("abc.1-2_3", "abc.1-2_3_listener_multiaddr"), ("null", "listener_multiaddr")];
    for (test_key, key) in keys {
        // Whatever stood there is replaced.
        store.run(&["RPUSH", key, "/ip4/192.0.2.1/tcp/1"]).await;
        let mut listening = listener(&store).var("TEST_KEY", test_key).spawn();
        listening.wait_for_stderr("listening on ").await;
        let published = store.published(key).await;
        let port = published.strip_prefix("/ip4/127.0.0.1/tcp/").unwrap();
        assert!(port.parse::<u16>().unwrap() > 0);
        let Value::Int(life) = store.run(&["TTL", key]).await else { panic!("no TTL") };
        assert!((3501..=3600).contains(&life), "{life}");
        listening.stop(Signal::SIGINT).await;
    }
}

async fn a_listener_that_comes_later_is_waited_for(backend: Backend) {
    let store = backend.start().await;
    let dialing = dialer(&store).measuring([1, 1, 1], 1000).spawn();
    sleep(Duration::from_secs(2)).await;
    let published = Instant::now();
    let listening = listener(&store).spawn();
    dialing.ended().await.measured([1, 1, 1]);
    // It is asked for every half second.
    assert!(published.elapsed() < Duration::from_secs(5));
    listening.stop(Signal::SIGTERM).await;
}

async fn a_list_is_read(backend: Backend) {
    let store = backend.start().await;
    let listening = listener(&store).spawn();
    let address = store.published("listener_multiaddr").await;
    store.run(&["RPUSH", "old_listener_multiaddr", &address, "/ip4/192.0.2.1/tcp/1"]).await;
    let dialer = dialer(&store).var("TEST_KEY", "old").measuring([1, 1, 1], 1000);
    dialer.run().await.measured([1, 1, 1]);
    listening.stop(Signal::SIGTERM).await;
}

async fn a_stopped_dialer_keeps_what_it_measured(backend: Backend) {
    let store = backend.start().await;
    let listening = listener(&store).spawn();
    for (signal, class) in
        [(Signal::SIGINT, Class::Interrupted), (Signal::SIGTERM, Class::Transfer)]
    {
        let mut dialing = dialer(&store).measuring([2, 1_000_000, 1], 1_000_000).spawn();
        dialing.wait_for_stderr("download 2/").await;
        dialing.signal(signal);
        let ended = dialing.ended().await;
        let failure = ended.failed(class, [2, 0, 0]);
        assert!(ended.broken(&failure, Phase::Download).samples.len() >= 2);
    }
    listening.kill().await;
    // Nobody is there any more; the key is.
    let dialing = dialer(&store).measuring([1, 1, 1], 1000).var("PERF_TIMEOUT_SECS", "1");
    dialing.run().await.failed(Class::Transfer, NONE);
}

/// The embedded coordinator holds strings and lists alone.
#[tokio::test]
async fn a_key_of_a_wrong_type_is_named() {
    let store = Backend::Redis.start().await;
    store.run(&["HSET", "odd_listener_multiaddr", "field", "value"]).await;
    let failure =
        dialer(&store).var("TEST_KEY", "odd").run().await.failed(Class::Environment, NONE);
    assert_eq!(failure.phase, Phase::Coordination);
    assert!(failure.message.contains("key odd_listener_multiaddr "), "{failure:?}");
    assert!(failure.message.contains("is a hash"), "{failure:?}");
}

#[tokio::test]
async fn another_stack_than_its_own_is_unsupported() {
    let tcp = [("TRANSPORT", "tcp"), ("SECURE_CHANNEL", "noise"), ("MUXER", "yamux")];
    let dialing = tcp_perf().var("IS_DIALER", "true").vars(tcp).run().await;
    let failure = dialing.failed(Class::Unsupported, NONE);
    assert!(failure.message.contains("only raw-tcp"), "{failure:?}");
    let listening = tcp_perf().var("IS_DIALER", "false").vars(tcp).run().await;
    assert_eq!(listening.failed_silently(Class::Unsupported), failure.message);
}
