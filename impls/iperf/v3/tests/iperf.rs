//! The node as a matrix runs it: real processes, a real iperf3 under each.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "../../../../harness-sdk/tests/support/mod.rs"]
mod support;

use std::time::Duration;

use harness_sdk::{Class, Phase};
use nix::sys::signal::Signal;
use support::{Backend, Launch, NONE, Process, Store};
use tokio::net::{TcpListener, TcpStream};

const KEY: &str = "listener_multiaddr";

fn node(store: &Store, dialer: &str) -> Launch {
    Launch::new(env!("CARGO_BIN_EXE_iperf-perf")).vars([
        ("IS_DIALER", dialer),
        ("TRANSPORT", "raw-tcp"),
        ("REDIS_ADDR", &store.addr()),
    ])
}

async fn listening(store: &Store) -> (Process, String) {
    let listening = node(store, "false").var("PERF_STALL_SECS", "2").spawn();
    (listening, store.published(KEY).await)
}

#[tokio::test]
async fn it_measures_one_dialer_after_another_by_the_tools_own_clock() {
    let store = Backend::Embedded.start().await;
    let (listening, _) = listening(&store).await;
    for sections in [[2, 2, 0], [0, 1, 0]] {
        let ended = node(&store, "true").measuring(sections, 20_000_000).run().await;
        let told = ended.measured(sections).node.unwrap();
        assert_eq!(told.name, "iperf-perf");
        assert!(told.clock.unwrap().starts_with("iperf 3."));
    }
    let ended = listening.stop(Signal::SIGTERM).await;
    assert_eq!(ended.stdout, "");
}

#[tokio::test]
async fn a_duration_is_one_test_of_that_length() {
    let store = Backend::Embedded.start().await;
    let (_listening, _) = listening(&store).await;
    let vars = [("DURATION", "1"), ("UPLOAD_BYTES", "0"), ("DOWNLOAD_BYTES", "0")];
    let ended = node(&store, "true").measuring([1, 0, 0], 0).vars(vars).run().await;
    ended.measured([1, 0, 0]);
    assert!(ended.lived >= Duration::from_secs(1) && ended.lived < Duration::from_secs(20));
}

#[tokio::test]
async fn latency_is_nothing_that_it_measures() {
    let store = Backend::Embedded.start().await;
    let (_listening, _) = listening(&store).await;
    let failure = node(&store, "true").measuring([1, 1, 1], 1000).run().await;
    let failure = failure.failed(Class::Unsupported, NONE);
    assert!(failure.message.contains("set LATENCY_ITERATIONS to 0"), "{failure:?}");
    let other = node(&store, "true").var("TRANSPORT", "https").run().await;
    other.failed(Class::Unsupported, NONE);
}

#[tokio::test]
async fn without_the_program_the_machine_is_to_blame() {
    let store = Backend::Embedded.start().await;
    store.publish(KEY, "/ip4/127.0.0.1/tcp/9").await;
    let dialer = node(&store, "true").measuring([1, 1, 0], 1000).var("PATH", "/nonexistent");
    let failure = dialer.run().await.failed(Class::Environment, NONE);
    assert!(failure.message.contains("install the package iperf3"), "{failure:?}");
    let listener = node(&store, "false").var("PATH", "/nonexistent").run().await;
    assert!(listener.failed_silently(Class::Environment).contains("install the package iperf3"));
}

#[tokio::test]
async fn a_listener_that_dies_or_never_was_one_is_a_failure() {
    let store = Backend::Embedded.start().await;
    let (listening, _) = listening(&store).await;
    let mut dialing = node(&store, "true").measuring([2, 1_000_000, 0], 50_000_000).spawn();
    dialing.wait_for_stderr("download 2/").await;
    listening.stop(Signal::SIGTERM).await;
    let ended = dialing.ended().await;
    let failure = ended.failed(Class::Transfer, [2, 0, 0]);
    ended.broken(&failure, Phase::Download);
    // One that takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    store.publish(KEY, &format!("/ip4/127.0.0.1/tcp/{port}")).await;
    let dialing = node(&store, "true").measuring([1, 0, 0], 1000).var("PERF_TIMEOUT_SECS", "2");
    dialing.run().await.failed(Class::Transfer, NONE);
}

#[tokio::test]
async fn a_taken_port_is_the_environments_fault_and_a_stranger_ends_nothing() {
    let store = Backend::Embedded.start().await;
    let (listening, address) = listening(&store).await;
    let port = address.strip_prefix("/ip4/127.0.0.1/tcp/").unwrap();
    let second = node(&store, "false").var("PERF_LISTENER_PORT", port).run().await;
    second.failed_silently(Class::Environment);
    // More of these than iperf3 lets pass before it ends.
    for _ in 0..8 {
        drop(TcpStream::connect(format!("127.0.0.1:{port}")).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Of a few bytes iperf3's receiver may have counted none when the sender is done.
    node(&store, "true").measuring([1, 1, 0], 10_000_000).run().await.measured([1, 1, 0]);
    listening.stop(Signal::SIGINT).await;
}
