//! `perf-node listen` and `perf-node dial` as two processes, the way iperf3 is used.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod limits;
mod load;
mod progress;
mod schema;
#[path = "../support/mod.rs"]
mod support;
mod tools;

use std::net::{IpAddr, Ipv4Addr};

use futures::future::join_all;
use harness_sdk::{Class, Document, SocketBuffers, Stack, Transport, route};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use nix::sys::signal::Signal;
use support::{
    Listening, NONE, all_stacks, dial, each_libp2p_stack, each_stack, node, stack, stacks,
};

/// Enough to cross every buffer's first fill, and quick.
const SIZES: [&str; 10] = [
    "--upload-bytes",
    "1M",
    "--download-bytes",
    "1000001",
    "--upload-iterations",
    "3",
    "--download-iterations",
    "2",
    "--latency-iterations",
    "20",
];
const SECTIONS: [usize; 3] = [3, 2, 20];

/// What connecting consists of, sorted.
fn phases_of(stack: &Stack) -> &'static [&'static str] {
    match stack.transport {
        Transport::Tcp | Transport::Ws => &["dial", "muxer", "security"],
        Transport::RawTcp => &["dial"],
        Transport::RawTls | Transport::RawNoise => &["dial", "security"],
        _ => &["handshake"],
    }
}

/// The document is about this stack.
#[track_caller]
fn assert_stack(document: &Document, stack: &Stack) {
    let told = document.node.as_ref().unwrap();
    assert_eq!(told.stack.as_ref().unwrap().stack, *stack);
    let phases: Vec<_> = told.phases_ms.connection.keys().map(String::as_str).collect();
    assert_eq!(phases, phases_of(stack));
    let (opening, exchange) = (told.phases_ms.stream_open, told.phases_ms.exchange);
    assert!(opening.is_some_and(|ms| ms.p50.is_some()), "{:?}", told.phases_ms);
    assert!(exchange.is_some_and(|ms| ms.p50.is_some()), "{:?}", told.phases_ms);
}

/// What the transport did is told by everything but libp2p-quic, and is of this run.
#[track_caller]
fn assert_transport(document: &Document, stack: &Stack) {
    let told = document.node.as_ref().unwrap();
    let (uploaded, downloaded) = (3 << 20, 2 * 1_000_001);
    match (stack.transport, told.transport) {
        (Transport::QuicV1, None) => {}
        (Transport::Webtransport | Transport::RawQuic, Some(info)) => {
            let quic = info.quic.unwrap();
            assert!(quic.sent_bytes > uploaded && quic.received_bytes > downloaded, "{quic:?}");
            assert!(quic.sent_packets * quic.mtu_bytes > uploaded, "{quic:?}");
            assert!(quic.rtt_ms > 0.0 && quic.datagrams_per_send >= 1.0, "{quic:?}");
            assert!(is_granted(info.socket), "{info:?}");
        }
        (_, Some(info)) => {
            assert!(is_granted(info.socket), "{info:?}");
            let tcp = info.tcp.unwrap();
            assert!(tcp.rtt_ms > 0.0 && tcp.cwnd_bytes >= tcp.mss_bytes, "{tcp:?}");
            assert!(tcp.sent_bytes > uploaded && tcp.received_bytes > downloaded, "{tcp:?}");
            // Counted in ticks of the kernel's: a quick upload may have none.
            assert!(tcp.busy_ms >= tcp.receiver_limited_ms + tcp.send_buffer_limited_ms, "{tcp:?}");
        }
        (_, None) => panic!("{stack}: {told:?}"),
    }
    let cost = told.cpu_seconds_per_gb.unwrap();
    assert!(cost.upload.unwrap() > 0.0 && cost.download.unwrap() > 0.0, "{cost:?}");
}

/// Whether there are buffers, of a size that some system may give them.
fn is_granted(socket: Option<SocketBuffers>) -> bool {
    socket.is_some_and(|it| it.send_buffer_bytes > 1000 && it.receive_buffer_bytes > 1000)
}

#[tokio::test]
async fn every_stack_is_measured_over_ipv4_and_ipv6() {
    each_stack(async |stack| {
        for ip in ["127.0.0.1", "::1"] {
            let listening = Listening::start_on(ip, &stack, &[]).await;
            let bound = listening.address.parse::<Multiaddr>().unwrap();
            assert_eq!(bound.iter().next(), Some(Protocol::from(ip.parse::<IpAddr>().unwrap())));
            let document =
                dial(&stack, &listening.address).args(SIZES).run().await.measured(SECTIONS);
            assert_stack(&document, &stack);
            assert_transport(&document, &stack);
            let ended = listening.process.stop(Signal::SIGTERM).await;
            assert_eq!(ended.stdout, format!("{bound}\n"), "{}", ended.everything());
        }
    })
    .await;
}

#[tokio::test]
async fn listen_says_what_to_type_on_the_other_machine() {
    each_stack(async |stack| {
        let mut listening = Listening::start(&stack, &[]).await;
        let hint = listening.process.wait_for_stderr("dial it with: ").await;
        let command = hint.strip_prefix("dial it with: perf-node ").unwrap();
        let ended = node().args(command.split(' ')).args(SIZES).run().await;
        assert_stack(&ended.measured(SECTIONS), &stack);
    })
    .await;
}

#[tokio::test]
async fn on_0_0_0_0_one_dialable_address_a_line_is_printed_for_each_of_the_machines() {
    for stack in ["tcp noise yamux", "quic-v1", "webtransport", "raw-tls", "raw-quic"].map(stack) {
        let ips = route::usable_ips(Ipv4Addr::UNSPECIFIED.into());
        assert!(ips.contains(&Ipv4Addr::LOCALHOST.into()), "{ips:?}");
        let mut process = node().args(["listen", "--transport", stack.transport.as_str()]).spawn();
        let addresses = process.wait_for_stdout(ips.len()).await;
        let hosts: Vec<_> = addresses
            .iter()
            .map(|address| address.parse::<Multiaddr>().unwrap().iter().next().unwrap().acquire())
            .collect();
        assert_eq!(hosts, ips.into_iter().map(Protocol::from).collect::<Vec<_>>());
        for address in &addresses {
            dial(&stack, address).measuring([1, 0, 0], 1000).run().await.measured([1, 0, 0]);
        }
        let ended = process.stop(Signal::SIGINT).await;
        assert_eq!(ended.stdout.lines().collect::<Vec<_>>(), addresses);
    }
}

#[tokio::test]
async fn json_is_the_same_document_as_yaml() {
    for stack in [stack("tcp tls mplex"), stack("quic-v1")] {
        let listening = Listening::start(&stack, &[]).await;
        // So many latencies that some percentiles are numbers; p99 is null.
        let run = async |format| {
            dial(&stack, &listening.address)
                .measuring([2, 2, 250], 10_000)
                .args(["--format", format])
                .run()
                .await
        };
        let yaml = run("yaml").await;
        let json = run("json").await;
        let measured = yaml.measured([2, 2, 250]);
        let read = json.measured([2, 2, 250]);
        // Each read and written the other way loses nothing.
        assert_eq!(generic(&measured.to_json().unwrap()), generic(&yaml.stdout));
        assert_eq!(generic(&read.to_yaml()), generic(&json.stdout));
        serde_json::from_str::<serde_json::Value>(&json.stdout).unwrap();
        assert_eq!(keys(&generic(&yaml.stdout)), keys(&generic(&json.stdout)));
        assert_stack(&read, &stack);
    }
}

#[tokio::test]
async fn what_libc_was_told_is_in_the_document() {
    for stack in [stack("tcp noise yamux"), stack("raw-tls")] {
        let listening = Listening::start(&stack, &[]).await;
        for told in ["", "glibc.cpu.x86_rep_movsb_threshold=1000000000"] {
            let dialing = dial(&stack, &listening.address).var("GLIBC_TUNABLES", told);
            let document = dialing.measuring([0, 0, 1], 1).run().await.measured([0, 0, 1]);
            let extra = document.node.unwrap().extra;
            assert_eq!(extra.get("glibc_tunables").map_or("", String::as_str), told);
            assert_eq!(extra["allocator"], "system");
        }
    }
}

/// YAML or JSON as a tree of values.
fn generic(text: &str) -> serde_yaml::Value {
    serde_yaml::from_str(text).unwrap()
}

/// The paths of all keys, sorted.
fn keys(value: &serde_yaml::Value) -> Vec<String> {
    let Some(mapping) = value.as_mapping() else { return vec![String::new()] };
    let mut paths: Vec<_> = mapping
        .iter()
        .flat_map(|(key, value)| {
            let key = key.as_str().unwrap();
            keys(value).into_iter().map(move |rest| format!("{key}/{rest}"))
        })
        .collect();
    paths.sort();
    paths
}

#[tokio::test]
async fn a_one_off_listener_ends_with_its_dialer_however_many_connections_it_makes() {
    each_stack(async |stack| {
        for more in [&[][..], &["--connections", "2"], &["--handshakes", "5"]] {
            let listening = Listening::start(&stack, &["--one-off"]).await;
            let launch = dial(&stack, &listening.address).args(SIZES).args(more.iter().copied());
            launch.run().await.measured(SECTIONS);
            listening.process.ended().await.assert_status(0);
        }
    })
    .await;
}

#[tokio::test]
async fn help_and_version_are_for_stdout() {
    let cases: [(&[&str], &[&str]); 4] = [
        (&["--help"], &["listen", "dial", "Exit status", "IS_DIALER", "127"]),
        (&["listen", "--help"], &["--one-off", "--identity", "--port", "--secure-channel"]),
        (&["dial", "--help"], &["--upload-bytes", "--format", "--stall-secs", "MULTIADDR"]),
        (&["--version"], &[concat!("perf-node ", env!("CARGO_PKG_VERSION"), "\n")]),
    ];
    for (arguments, expected) in cases {
        let ended = node().args(arguments.iter().copied()).run().await;
        ended.assert_status(0);
        for text in expected {
            assert!(ended.stdout.contains(text), "{text}\n{}", ended.everything());
        }
        assert_eq!(ended.stderr, "");
    }
}

#[tokio::test]
async fn a_bad_command_line_is_a_usage_failure_that_names_it() {
    let quic = "/ip4/127.0.0.1/udp/1/quic-v1";
    let tcp = "/ip4/127.0.0.1/tcp/1";
    let cases: [(&[&str], &[&str]); 19] = [
        (&["fly"], &["fly"]),
        (&["dial"], &["MULTIADDR"]),
        (&["listen", "--port", "70000"], &["--port", "70000", "0 to 65535"]),
        (&["listen", "--wings", "2"], &["--wings"]),
        (
            &["listen", "--transport", "quic-v1", "--muxer", "yamux"],
            &["--muxer", "quic-v1", "leave it out"],
        ),
        (&["dial", "127.0.0.1:4001"], &["127.0.0.1:4001", "multiaddr"]),
        (&["dial", quic, "--transport", "tcp"], &["--transport", "tcp", "quic-v1"]),
        (&["dial", tcp, "--upload-bytes", "1T"], &["--upload-bytes", "1T", "K, M or G"]),
        (&["dial", tcp, "--stall-secs", "0"], &["--stall-secs", "\"0\"", "above 0"]),
        (&["dial", tcp, "--streams", "0"], &["--streams", "\"0\"", "1 to 100"]),
        (&["dial", tcp, "--omit", "1"], &["--omit", "--duration"]),
        (&["dial", tcp, "--handshakes", "0"], &["nothing would be measured", "--handshakes"]),
        (&["dial", tcp, "--handshakes", "9", "--streams", "4"], &["--streams", "there are none"]),
        (
            &["dial", tcp, "--connections", "4", "--handshakes", "0", "--latency-iterations", "1"],
            &["--connections", "there are none"],
        ),
        (
            &["dial", tcp, "--bidirectional", "--upload-iterations", "3"],
            &["--bidirectional", "3 uploads and 10 downloads"],
        ),
        (
            &["dial", tcp, "--latency-under-load", "both", "--latency-iterations", "0"],
            &["--latency-under-load", "--latency-iterations"],
        ),
        (&["dial", tcp, "--progress", "json", "--debug"], &["--progress", "--debug"]),
        (&["listen", "--max-bytes", "lots"], &["--max-bytes", "\"lots\"", "K, M or G"]),
        (&["listen", "--allow-peer", "me"], &["--allow-peer", "\"me\"", "12D3KooW"]),
    ];
    for (arguments, expected) in cases {
        let ended = node().args(arguments.iter().copied()).run().await;
        ended.assert_status(2);
        let told = ended.last_line();
        assert_eq!(told.class, Class::Usage);
        // What clap says of a command line that it cannot read at all goes on above the last line.
        let said = if ended.stderr.lines().count() > 1 { &ended.stderr } else { &told.message };
        for text in expected {
            assert!(said.contains(text), "{text}\n{}", ended.everything());
        }
    }
}

#[tokio::test]
async fn names_are_resolved() {
    for stack in ["tcp noise yamux", "quic-v1", "webtransport", "raw-noise", "raw-quic"].map(stack)
    {
        let listening = Listening::start(&stack, &[]).await;
        let named = |name| listening.address.replace("ip4/127.0.0.1", name);
        let run = |name| dial(&stack, &named(name)).measuring([1, 1, 1], 1000).run();
        run("dns4/localhost").await.measured([1, 1, 1]);
        // Of localhost's addresses the listener has one, whichever the resolver names first.
        run("dns/localhost").await.measured([1, 1, 1]);
        let failure = run("dns4/no-such-host.invalid").await.failed(Class::Connect, NONE);
        assert!(failure.message.contains("no-such-host.invalid"), "{failure:?}");
    }
}

#[tokio::test]
async fn another_peer_than_the_address_says_is_refused() {
    each_libp2p_stack(async |stack| {
        let listening = Listening::start(&stack, &[]).await;
        let (place, id) = listening.address.rsplit_once('/').unwrap();
        let wrong = format!("{place}/{}", PeerId::random());
        let failure = dial(&stack, &wrong).args(SIZES).run().await.failed(Class::Connect, NONE);
        assert!(failure.message.contains(id), "{failure:?}");
        // Without one, whoever answers is measured.
        let anyone = place.strip_suffix("/p2p").unwrap();
        dial(&stack, anyone).args(SIZES).run().await.measured(SECTIONS);
        dial(&stack, &listening.address).args(SIZES).run().await.measured(SECTIONS);
    })
    .await;
}

#[tokio::test]
async fn an_identity_is_kept_in_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let file = file.to_str().unwrap();
    // The peer id, and the hashes of webtransport's certificates.
    let shown = async |stack: Stack, flags: &[&str]| {
        let listening = Listening::start(&stack, flags).await;
        dial(&stack, &listening.address).measuring([1, 0, 0], 1).run().await.measured([1, 0, 0]);
        let address: Multiaddr = listening.address.parse().unwrap();
        let shown = |part: &Protocol<'_>| matches!(part, Protocol::P2p(_) | Protocol::Certhash(_));
        address.iter().filter(shown).map(Protocol::acquire).collect::<Vec<_>>()
    };
    let kept = ["--identity", file];
    let first = shown(stacks()[0], &kept).await;
    for stack in stacks() {
        let again = shown(stack, &kept).await;
        assert_eq!(again.last(), first.last(), "{stack}");
        let certificates = if stack.transport == Transport::Webtransport { 2 } else { 0 };
        assert_eq!(again.len(), certificates + 1, "{stack}: {again:?}");
        assert_eq!(shown(stack, &kept).await, again, "{stack}");
    }
    assert_ne!(shown(stacks()[0], &[]).await, first);
}

#[tokio::test]
async fn a_signal_ends_a_listener_within_a_second_whatever_it_does() {
    let cases = all_stacks().flat_map(|stack| {
        [Signal::SIGTERM, Signal::SIGINT].into_iter().map(move |signal| (stack, signal))
    });
    join_all(cases.map(async |(stack, signal)| {
        let idle = Listening::start(&stack, &[]).await;
        idle.process.stop(signal).await;

        let busy = Listening::start(&stack, &[]).await;
        let mut dialer = dial(&stack, &busy.address).measuring([100_000, 0, 0], 1_000_000).spawn();
        dialer.wait_for_stderr("upload 1/").await;
        busy.process.stop(signal).await;
    }))
    .await;
}
