//! A node made by someone else, both ways: the binary of rust-libp2p's own libp2p-perf crate, which
//! speaks tcp with TLS and yamux, and quic-v1. `make full`: it is a second build of libp2p.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use nix::sys::signal::Signal;
use serde_json::Value;
use support::{Launch, Listening, dial, stack};

/// What its command line calls a transport is what this stack is here.
const STACKS: [(&str, &str); 2] = [("tcp", "tcp tls yamux"), ("quic-v1", "quic-v1")];

/// The released binary, built once where cargo keeps what tests make.
fn binary() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(build)
}

/// Not with `--locked`: the lockfile it was published with holds a `time` that no current compiler
/// takes. Its own version is exact.
fn build() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("libp2p-perf");
    let status = Command::new(env!("CARGO"))
        .args(["install", "libp2p-perf", "--version", "=0.3.0", "--quiet", "--root"])
        .arg(&root)
        .arg("--target-dir")
        .arg(root.join("target"))
        .status()
        .unwrap();
    assert!(status.success(), "libp2p-perf 0.3.0 does not build");
    root.join("bin/perf")
}

#[tokio::test]
#[ignore = "make full: builds a second libp2p"]
async fn it_dials_us() {
    let binary = binary();
    for (transport, name) in STACKS {
        let listening = Listening::start(&stack(name), &[]).await;
        let server = socket(&listening.address);
        for (up, down) in [(0, 1), (1, 0), (10_000_000, 0), (0, 10_000_001), (3_000_000, 5_000_000)]
        {
            let ended = Launch::new(binary)
                .args(["--server-address", &server.to_string(), "--transport", transport])
                .args(["--upload-bytes", &up.to_string(), "--download-bytes", &down.to_string()])
                .run()
                .await;
            ended.assert_status(0);
            let last = ended.stdout.lines().last().unwrap_or_default();
            let told: Value = serde_json::from_str(last).unwrap();
            assert_eq!(told["type"], "final", "{}", ended.everything());
            assert_eq!((&told["uploadBytes"], &told["downloadBytes"]), (&up.into(), &down.into()));
        }
        // It was no trouble to the listener.
        let ours = dial(&stack(name), &listening.address).measuring([1, 1, 1], 1000).run().await;
        ours.measured([1, 1, 1]);
        listening.process.stop(Signal::SIGTERM).await.assert_status(0);
    }
}

#[tokio::test]
#[ignore = "make full: builds a second libp2p"]
async fn we_dial_it() {
    let server = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let foreign = Launch::new(binary())
        .args(["--server-address", &server.to_string(), "--run-server"])
        .spawn();
    for (transport, name) in STACKS {
        let address = match transport {
            "tcp" => format!("/ip4/{}/tcp/{}", server.ip(), server.port()),
            _ => format!("/ip4/{}/udp/{}/quic-v1", server.ip(), server.port()),
        };
        let measure = || dial(&stack(name), &address).measuring([3, 2, 20], 5_000_001).run();
        let mut ended = measure().await;
        // It does not say when it is bound.
        for _ in 0..20 {
            if ended.status != 4 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
            ended = measure().await;
        }
        ended.measured([3, 2, 20]);
    }
    foreign.kill().await;
}

fn socket(address: &str) -> SocketAddr {
    let address: Multiaddr = address.parse().unwrap();
    let port = address.iter().find_map(|protocol| match protocol {
        Protocol::Tcp(port) | Protocol::Udp(port) => Some(port),
        _ => None,
    });
    SocketAddr::from(([127, 0, 0, 1], port.unwrap()))
}

/// One that is free for TCP and for UDP: the binary serves both on the same.
fn free_port() -> u16 {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
