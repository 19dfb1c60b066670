//! The node as a matrix runs it: real processes that meet at the embedded coordinator; and
//! listeners that lie, die and fall silent.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod lying;
#[path = "../../../../../harness-sdk/tests/support/mod.rs"]
mod support;

use std::time::Duration;

use harness_sdk::{Class, Phase, Transport};
use lying::{Answer, Lying};
use nix::sys::signal::Signal;
use support::{Backend, Launch, NONE, Process, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const VERSIONS: [&str; 2] = ["1.1", "2"];
const KEY: &str = "listener_multiaddr";

fn node(store: &Store, dialer: &str) -> Launch {
    Launch::new(env!("CARGO_BIN_EXE_https-perf")).var("PERF_HTTP_VERSION", "null").vars([
        ("IS_DIALER", dialer),
        ("TRANSPORT", "https"),
        ("REDIS_ADDR", &store.addr()),
    ])
}

fn dialer(store: &Store, http: &str) -> Launch {
    node(store, "true").var("PERF_HTTP_VERSION", http)
}

async fn listening(store: &Store) -> (Process, String) {
    let listening = node(store, "false").var("PERF_STALL_SECS", "1").spawn();
    (listening, store.published(KEY).await)
}

#[tokio::test]
async fn both_versions_are_measured_by_one_dialer_after_another() {
    let store = Backend::Embedded.start().await;
    let (listening, _) = listening(&store).await;
    for http in VERSIONS {
        for (sections, bytes) in [([2, 2, 20], 3_000_001), ([1, 1, 1], 1)] {
            let ended = dialer(&store, http).measuring(sections, bytes).run().await;
            let told = ended.measured(sections).node.unwrap();
            let info = told.stack.unwrap();
            assert_eq!(told.name, "https-perf");
            assert_eq!(info.stack.transport, Transport::Https);
            assert_eq!(info.extra["http"], http);
            assert!(info.extra["cipher_suite"].starts_with("TLS13_"), "{info:?}");
            let phases: Vec<_> = told.phases_ms.connection.keys().collect();
            assert_eq!(phases, ["dial", "security"]);
        }
    }
    let ended = listening.stop(Signal::SIGTERM).await;
    assert_eq!(ended.stdout, "");
}

#[tokio::test]
async fn a_duration_is_filled_with_whole_requests() {
    let store = Backend::Embedded.start().await;
    let (_listening, _) = listening(&store).await;
    let vars = [("DURATION", "0.3s"), ("UPLOAD_BYTES", "0"), ("DOWNLOAD_BYTES", "null")];
    let dialer = dialer(&store, "2").measuring([1, 1, 0], 1).vars(vars).run().await;
    dialer.measured([1, 1, 0]);
}

#[tokio::test]
async fn without_a_setting_it_is_http_1_1_and_others_are_refused() {
    let store = Backend::Embedded.start().await;
    let (_listening, _) = listening(&store).await;
    let ended = node(&store, "true").measuring([0, 0, 1], 1).run().await;
    assert_eq!(ended.measured([0, 0, 1]).node.unwrap().stack.unwrap().extra["http"], "1.1");
    let refused = dialer(&store, "3").run().await.failed(Class::Usage, NONE);
    assert_eq!(refused.message, "PERF_HTTP_VERSION: \"3\" is not accepted; it takes 1.1 or 2");
    let listener = node(&store, "false").var("PERF_HTTP_VERSION", "h2").run().await;
    assert!(listener.failed_silently(Class::Usage).contains("PERF_HTTP_VERSION: \"h2\""));
    for (name, value) in [("TRANSPORT", "raw-tcp"), ("PERF_PROFILE", "tuned")] {
        dialer(&store, "2").var(name, value).run().await.failed(Class::Unsupported, NONE);
    }
}

#[tokio::test]
async fn the_address_names_the_certificate_that_is_trusted() {
    let store = Backend::Embedded.start().await;
    let (_listening, address) = listening(&store).await;
    let (bare, hash) = address.split_once("/certhash/u").unwrap();
    let port = bare.strip_prefix("/ip4/127.0.0.1/tcp/").unwrap().strip_suffix("/tls/http");
    assert!(port.unwrap().parse::<u16>().unwrap() > 0);
    // A listener of whose certificate nothing is said is measured, whoever it is.
    store.publish(KEY, bare).await;
    dialer(&store, "1.1").measuring([1, 1, 1], 1000).run().await.measured([1, 1, 1]);
    let mut other: Vec<_> = hash.chars().collect();
    other[10] = if other[10] == 'A' { 'B' } else { 'A' };
    let other: String = other.into_iter().collect();
    for (hash, message) in [
        (other.as_str(), "the peer's certificate is not the one whose hash the address names"),
        ("AAAA", "\"uAAAA\" is not a SHA-256 multihash"),
    ] {
        let told = failed_dial(&store, &format!("{bare}/certhash/u{hash}")).await;
        assert!(told.contains(message), "{told}");
    }
}

/// What a dialer says of an address that nobody serves as it says.
async fn failed_dial(store: &Store, address: &str) -> String {
    store.publish(KEY, address).await;
    let mut dialing = dialer(store, "2").var("DEBUG", "true").spawn();
    // It would wait for another listener; that one comes, and is refused at once.
    let told = dialing.wait_for_stderr("waiting for another").await;
    dialing.kill().await;
    told
}

#[tokio::test]
async fn nobody_and_no_http_are_failures_to_connect() {
    let store = Backend::Embedded.start().await;
    let (listening, address) = listening(&store).await;
    listening.kill().await;
    let told = failed_dial(&store, &address).await;
    assert!(told.contains("(TCP); offered HTTP/2 alone, on TLS 1.3"), "{told}");
    store.publish(KEY, &address).await;
    let ended = dialer(&store, "1.1").measuring([1, 0, 0], 1).run().await;
    assert_eq!(ended.failed(Class::Connect, NONE).phase, Phase::Dial);
    assert!(ended.lived < Duration::from_secs(25), "{:?}", ended.lived);
}

#[tokio::test]
async fn a_listener_that_lies_is_found_out() {
    use Phase::{Download, Latency, Upload};
    let cases = [
        (Upload, Answer::Says("999999"), "says that \"999999\" bytes arrived; 1000000 were sent"),
        (Upload, Answer::Says("all of them"), "says that \"all of them\" bytes arrived"),
        (Upload, Answer::Fails, "the listener answered 503 Service Unavailable: busy"),
        (Download, Answer::Sends(999_999), "ended its answer after 999999 of 1000000 bytes"),
        (Download, Answer::Sends(1_000_001), "sent more than the 1000000 bytes asked for"),
        (Download, Answer::Sends(u64::MAX), "sent more than the 1000000 bytes asked for"),
        (Latency, Answer::Sends(0), "ended its answer after 0 of 1 bytes"),
        (Latency, Answer::Sends(2), "sent more than the 1 bytes asked for"),
    ];
    let store = Backend::Embedded.start().await;
    for http in VERSIONS {
        for (phase, answer, message) in cases {
            let lying = Lying::start(answer).await;
            store.publish(KEY, &lying.address).await;
            let failure = lied_to(&store, http, phase, 1_000_000).await;
            assert!(failure.contains(message), "HTTP/{http}, {phase}, {answer:?}: {failure}");
        }
        // Far more than a window holds. What fits into one is sent by the time that the answer is
        // read, and nobody can tell.
        let lying = Lying::start(Answer::Early("50000000")).await;
        store.publish(KEY, &lying.address).await;
        lied_to(&store, http, Upload, 50_000_000).await;
    }
}

/// What a dialer says of a listener that breaks the first iteration of `phase`.
async fn lied_to(store: &Store, http: &str, phase: Phase, bytes: u64) -> String {
    let sections =
        [Phase::Upload, Phase::Download, Phase::Latency].map(|p| usize::from(p == phase));
    let dialer = dialer(store, http).var("PERF_STALL_SECS", "2");
    let ended = dialer.measuring(sections, bytes).run().await;
    let failure = ended.failed(Class::Transfer, NONE);
    ended.broken(&failure, phase);
    failure.message
}

#[tokio::test]
async fn a_listener_that_falls_silent_is_a_stall() {
    let store = Backend::Embedded.start().await;
    for http in VERSIONS {
        let lying = Lying::start(Answer::Nothing).await;
        store.publish(KEY, &lying.address).await;
        for phase in [Phase::Upload, Phase::Download, Phase::Latency] {
            let told = lied_to(&store, http, phase, 1_000_000).await;
            assert!(
                told.contains("stalled: no byte moved for 2 s"),
                "HTTP/{http}, {phase}: {told}"
            );
        }
    }
}

#[tokio::test]
async fn a_listener_that_dies_breaks_the_transfer() {
    let store = Backend::Embedded.start().await;
    for http in VERSIONS {
        store.run(&["DEL", KEY]).await;
        let (listening, _) = listening(&store).await;
        let mut dialing = dialer(&store, http).measuring([2, 1_000_000, 1], 10_000_000).spawn();
        dialing.wait_for_stderr("download 2/").await;
        listening.kill().await;
        let ended = dialing.ended().await;
        let failure = ended.failed(Class::Transfer, [2, 0, 0]);
        ended.broken(&failure, Phase::Download);
    }
}

#[tokio::test]
async fn nothing_a_dialer_does_ends_a_listener() {
    let store = Backend::Embedded.start().await;
    let (listening, address) = listening(&store).await;
    let peer = harness_sdk::address::socket_addr(&address).unwrap();
    // One that says nothing, one that speaks no TLS, one that is killed while it is served.
    let mut silent = TcpStream::connect(peer).await.unwrap();
    let mut plain = TcpStream::connect(peer).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut dialing = dialer(&store, "2").measuring([0, 1_000_000, 0], 100_000_000).spawn();
    dialing.wait_for_stderr("download 2/").await;
    dialing.kill().await;
    dialer(&store, "1.1").measuring([1, 1, 1], 1000).run().await.measured([1, 1, 1]);
    // The silent one is given up after PERF_STALL_SECS: its connection ends.
    let ended = tokio::time::timeout(Duration::from_secs(10), silent.read_u8());
    assert_eq!(ended.await.unwrap().unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    listening.stop(Signal::SIGINT).await;
}
