//! What only the raw baselines have: addresses of their own, a connection without streams; and, with webtransport,
//! ciphers. What they share with libp2p's stacks is in the suites that run over every stack.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::io::Write;
use std::net::TcpStream;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::poll;
use harness_sdk::{
    Class, Config, Connection, Document, Failure, Meter, Node, Phase, Role, Settings, Stack,
    Transport,
};
use nix::sys::signal::Signal;
use perf_node::PerfNode;
use support::{LIMIT, Listening, NONE, dial, listener, node, probe_server, raw_stacks, stack};
use tokio::net::UdpSocket;
use tokio::time::timeout;

const CIPHERS: [(&str, &str); 3] = [
    ("aes-128-gcm", "TLS13_AES_128_GCM_SHA256"),
    ("aes-256-gcm", "TLS13_AES_256_GCM_SHA384"),
    ("chacha20-poly1305", "TLS13_CHACHA20_POLY1305_SHA256"),
];

/// What the document says of the stack beside its name.
fn told(document: &Document, name: &str) -> Option<String> {
    document.node.as_ref().unwrap().stack.as_ref().unwrap().extra.get(name).cloned()
}

#[tokio::test]
async fn an_address_says_what_stands_on_it() {
    let shapes = [("tcp", ""), ("tcp", "/tls"), ("tcp", "/noise/p2p/12D3"), ("udp", "/quic")];
    for (stack, (protocol, behind)) in raw_stacks().into_iter().zip(shapes) {
        let listening = Listening::start(&stack, &[]).await;
        let port = listening.address.strip_prefix(&format!("/ip4/127.0.0.1/{protocol}/")).unwrap();
        let port = port.trim_start_matches(|c: char| c.is_ascii_digit());
        assert!(port.starts_with(behind) && port.is_empty() == behind.is_empty(), "{port}");
        let document = dial(&stack, &listening.address).measuring([1, 1, 1], 1000).run().await;
        let document = document.measured([1, 1, 1]);
        let dialect = if protocol == "tcp" { "raw/1" } else { "/perf/1.0.0" };
        assert_eq!(told(&document, "exchange").as_deref(), Some(dialect));
        let info = document.node.as_ref().unwrap().stack.as_ref().unwrap();
        assert_eq!(info.negotiation.as_deref(), Some("none"));
        let unverified = document.node.as_ref().unwrap().extra.get("certificate").cloned();
        let has_certificate = ["raw-tls", "raw-quic"].contains(&stack.transport.as_str());
        assert_eq!(unverified.as_deref(), has_certificate.then_some("not verified"));
        // Each is dialed under its own name alone.
        for other in raw_stacks().into_iter().filter(|other| *other != stack) {
            let ended = dial(&other, &listening.address).run().await;
            assert!(ended.failed(Class::Usage, NONE).message.contains(&listening.address));
        }
    }
}

#[tokio::test]
async fn the_dialer_chooses_the_cipher_unless_the_listener_has() {
    join_all(["raw-tls", "raw-quic", "webtransport"].map(stack).map(async |stack| {
        let run = async |address: &str, flags: &[&str]| {
            let dial = dial(&stack, address).measuring([1, 1, 1], 100_000);
            dial.args(flags.iter().copied()).run().await
        };
        let any = Listening::start(&stack, &[]).await;
        let default = run(&any.address, &[]).await.measured([1, 1, 1]);
        // A dialer of webtransport offers all three, and does not know which one was agreed on.
        let alone = (stack.transport != Transport::Webtransport).then_some(CIPHERS[0].1);
        assert_eq!(told(&default, "cipher_suite").as_deref(), alone);
        for (cipher, suite) in CIPHERS {
            let document = run(&any.address, &["--cipher", cipher]).await.measured([1, 1, 1]);
            assert_eq!(told(&document, "cipher_suite").as_deref(), Some(suite));

            let mut only = Listening::start(&stack, &["--cipher", cipher]).await;
            let hint = only.process.wait_for_stderr("dial it with: ").await;
            assert!(hint.ends_with(&format!(" --cipher {cipher}")), "{hint}");
            run(&only.address, &["--cipher", cipher]).await.measured([1, 1, 1]);
            let other = CIPHERS.iter().find(|(other, _)| *other != cipher).unwrap().0;
            run(&only.address, &["--cipher", other]).await.failed(Class::Connect, NONE);
            run(&only.address, &["--cipher", cipher]).await.measured([1, 1, 1]);
        }
    }))
    .await;
}

#[tokio::test]
async fn in_contract_mode_a_variable_has_the_cipher() {
    let redis = "127.0.0.1:1";
    for (transport, cipher, named) in [
        ("raw-tls", "rot13", "PERF_CIPHER: \"rot13\" is not accepted"),
        ("raw-tcp", "aes-128-gcm", "PERF_CIPHER: \"aes-128-gcm\" means nothing to raw-tcp"),
        ("quic-v1", "aes-128-gcm", "PERF_CIPHER: \"aes-128-gcm\" means nothing to quic-v1"),
    ] {
        let ended = listener(&stack(transport), redis).var("PERF_CIPHER", cipher).run().await;
        assert!(ended.failed_silently(Class::Usage).starts_with(named), "{}", ended.everything());
    }
}

#[tokio::test]
async fn another_peer_than_the_address_says_is_refused() {
    let noise = stack("raw-noise");
    let [listening, other] =
        [Listening::start(&noise, &[]).await, Listening::start(&noise, &[]).await];
    let (place, _) = listening.address.rsplit_once('/').unwrap();
    let (_, id) = other.address.rsplit_once('/').unwrap();
    let run = async |address: &str| dial(&noise, address).measuring([1, 0, 1], 10).run().await;
    let failure = run(&format!("{place}/{id}")).await.failed(Class::Connect, NONE);
    assert!(failure.message.contains("another peer answered"), "{failure:?}");
    run(place.strip_suffix("/p2p").unwrap()).await.measured([1, 0, 1]);
}

#[tokio::test]
async fn the_probe_has_no_rules_for_them() {
    let listening = Listening::start(&stack("raw-tcp"), &[]).await;
    let probe = probe_server(&stack("tcp noise yamux"), &listening.address);
    // As libp2p's TCP it is somebody who does not speak it.
    probe.run().await.failed_silently(Class::Connect);
    for role in [&["server", "/ip4/127.0.0.1/tcp/1"][..], &["client", "--behaviour", "exact"]] {
        let probe = node().arg("probe").args(role.iter().copied());
        let ended = probe.args(["--transport", "raw-tcp"]).run().await;
        assert!(ended.failed_silently(Class::Unsupported).contains("raw-tcp"));
    }
}

/// A dialer within the test.
async fn connect(stack: &Stack, address: &str) -> impl Connection {
    let config = Config::by_hand(Role::Dialer, Settings::default()).unwrap();
    let config = Config { stack: *stack, ..config };
    timeout(LIMIT, PerfNode::default().dial(&config, address)).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_second_request_at_once_is_refused_and_one_given_up_ends_the_connection() {
    for stack in ["raw-tcp", "raw-tls", "raw-noise"].map(stack) {
        let mut listening = Listening::start(&stack, &["--debug"]).await;
        let connection = connect(&stack, &listening.address).await;
        let [first, second] = [Meter::start(), Meter::start()];
        let (moved, refused) =
            futures::join!(connection.upload(1 << 20, &first), connection.latency(&second));
        moved.unwrap();
        let refused = refused.unwrap_err().downcast::<Failure>().unwrap();
        assert_eq!((refused.class, refused.phase), (Class::Unsupported, Phase::Latency));
        assert!(refused.message.contains("one request at a time"), "{refused}");
        connection.latency(&Meter::start()).await.unwrap();

        let endless = connection.download(u64::MAX, &first);
        assert!(timeout(Duration::from_millis(50), endless).await.is_err(), "{stack}");
        let ended = connection.latency(&Meter::start()).await.unwrap_err();
        assert!(ended.to_string().contains("earlier request"), "{ended}");
        // The listener knows at once, and what the transport did is known still.
        listening.process.wait_for_stderr("a connection broke").await;
        assert!(connection.transport().unwrap().socket.is_some());
        dial(&stack, &listening.address).measuring([1, 1, 1], 10).run().await.measured([1, 1, 1]);
    }
}

#[tokio::test]
async fn a_load_that_they_do_not_carry_is_refused_before_anything_is_dialed() {
    for stack in raw_stacks() {
        let listening = Listening::start(&stack, &[]).await;
        let run = async |flags: &[&str]| {
            let dial = dial(&stack, &listening.address).measuring([1, 1, 1], 100_000);
            dial.args(flags.iter().copied()).run().await
        };
        run(&["--connections", "2"]).await.measured([1, 1, 1]);
        let beside = ["--latency-under-load", "upload"];
        for flags in [&["--streams", "2"][..], &["--bidirectional"], &beside] {
            let ended = run(flags).await;
            if stack.transport.as_str() == "raw-quic" {
                ended.measured([1, 1, 1]);
            } else {
                let failure = ended.failed(Class::Usage, NONE);
                assert!(failure.message.contains("at most 1 stream"), "{failure:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_identity_that_nobody_would_be_shown_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    let flags = ["--identity", key.to_str().unwrap()];
    for stack in raw_stacks() {
        if stack.transport == Transport::RawNoise {
            let listening = Listening::start(&stack, &flags).await;
            let launch = dial(&stack, &listening.address).measuring([1, 1, 1], 10);
            launch.args(flags).run().await.measured([1, 1, 1]);
            continue;
        }
        let name = stack.transport.as_str();
        let listener = node().args(["listen", "--transport", name]).args(flags).run().await;
        assert!(listener.failed_silently(Class::Usage).contains(name), "{}", listener.everything());
        let listening = Listening::start(&stack, &[]).await;
        let dialer = dial(&stack, &listening.address).args(flags).run().await;
        let failure = dialer.failed(Class::Usage, NONE);
        assert!(failure.message.starts_with("--identity"), "{failure:?}");
    }
}

#[tokio::test]
async fn quic_carries_several_requests_at_once() {
    let quic = stack("raw-quic");
    let listening = Listening::start(&quic, &[]).await;
    let connection = connect(&quic, &listening.address).await;
    let meters: Vec<_> = (0..8).map(|_| Meter::start()).collect();
    let requests = meters.iter().map(|meter| connection.download(1 << 20, meter));
    for moved in timeout(LIMIT, join_all(requests)).await.unwrap() {
        moved.unwrap();
    }
    assert!(meters.iter().all(|meter| meter.bytes_received() == 1 << 20));
}

/// Its place among the handshakes under way is another's then. quinn itself waits for three times as long.
#[tokio::test]
async fn a_quic_handshake_that_goes_no_further_is_given_up() {
    let quic = stack("raw-quic");
    let mut listening = Listening::start(&quic, &[]).await;
    // A dialer's first datagram, sent on by a socket that has no second.
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("/ip4/127.0.0.1/udp/{}/quic", socket.local_addr().unwrap().port());
    let dialing = dial(&quic, &nobody).measuring([1, 0, 0], 1000).spawn();
    let mut first = [0; 1500];
    let (len, _) = timeout(LIMIT, socket.recv_from(&mut first)).await.unwrap().unwrap();
    dialing.kill().await;
    socket.send_to(&first[..len], ("127.0.0.1", listening.port())).await.unwrap();
    let sent = Instant::now();
    listening.process.wait_for_stderr("no handshake in time").await;
    let waited = sent.elapsed().as_secs_f64();
    assert!((9.0..25.0).contains(&waited), "given up after {waited} s");
    let next = dial(&quic, &listening.address).measuring([1, 1, 1], 1000).run().await;
    next.measured([1, 1, 1]);
}

#[tokio::test]
async fn closing_waits_for_nothing_and_tells_the_listener() {
    for stack in raw_stacks() {
        let mut listening = Listening::start(&stack, &["--debug"]).await;
        let mut close = pin!(connect(&stack, &listening.address).await.close());
        // One turn for whoever sends it, and no timer.
        assert!(poll!(&mut close).is_ready() || poll!(&mut close).is_ready(), "{stack}");
        listening.process.wait_for_stderr("is gone").await;
    }
}

#[tokio::test]
async fn a_listener_survives_every_dialer() {
    join_all(raw_stacks().map(async |stack| {
        let listening = Listening::start(&stack, &["--stall-secs", "1", "--debug"]).await;
        let serves = async || {
            let good = dial(&stack, &listening.address).measuring([1, 1, 5], 100_000);
            good.run().await.measured([1, 1, 5]);
        };
        serves().await;
        if stack.transport.as_str() != "raw-quic" {
            let raw = || TcpStream::connect(("127.0.0.1", listening.port())).unwrap();
            // To raw-tcp a header that announces more than ever comes; to the others nothing at all.
            let mut garbage = raw();
            garbage.write_all(&[0x7f; 100]).unwrap();
            let silent = raw();
            raw().write_all(&[1, 2, 3]).unwrap();
            serves().await;
            drop((garbage, silent));
        }
        let mut killed =
            dial(&stack, &listening.address).measuring([100_000, 0, 0], 1_000_000).spawn();
        killed.wait_for_stderr("upload 2/").await;
        killed.kill().await;
        serves().await;

        let ended = listening.process.stop(Signal::SIGTERM).await;
        let served = |what: &str| ended.stderr.matches(what).count();
        // Each of the good dialers, to the byte.
        let good = if stack.transport.as_str() == "raw-quic" { 2 } else { 3 };
        assert_eq!(served("Served { received: 100000, sent: 0 }"), good, "{}", ended.everything());
        assert_eq!(served("Served { received: 0, sent: 100000 }"), good, "{}", ended.everything());
        assert_eq!(served("Served { received: 1, sent: 1 }"), 5 * good, "{}", ended.everything());
    }))
    .await;
}
