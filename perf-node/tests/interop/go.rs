//! WebTransport with go-libp2p 0.45, both ways: the Go node of `impls/go/v0.45`. `make full`: it is built
//! with the go command.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use nix::sys::signal::Signal;
use support::{Backend, Launch, dialer, listener, stack};

/// Dials one after the other: what fails once in a while has its chance.
const DIALS: usize = 40;

/// Built once for the tests of this process.
fn go_node() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(build)
}

/// The toolchain is the one that `impls.yaml` names: with Go 1.26 this version's listener panics.
fn build() -> PathBuf {
    let binary = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("go-v0.45/perf-node");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../impls/go/v0.45");
    let status = Command::new("go")
        .args(["build", "-trimpath", "-buildvcs=false", "-o"])
        .arg(&binary)
        .arg(".")
        .current_dir(source)
        .env("GOTOOLCHAIN", "go1.25.5")
        .env("CGO_ENABLED", "0")
        .status()
        .unwrap();
    assert!(status.success(), "the Go node does not build");
    binary
}

/// The Go node in contract mode.
fn go(role: &str, redis: &str) -> Launch {
    Launch::new(go_node())
        .var("IS_DIALER", role)
        .var("REDIS_ADDR", redis)
        .var("TRANSPORT", "webtransport")
}

/// Short dials, then 64 MiB each way.
async fn measure(dialer: impl Fn() -> Launch) {
    for _ in 0..DIALS {
        dialer().measuring([1, 1, 1], 1_000).run().await.measured([1, 1, 1]);
    }
    dialer().measuring([1, 1, 20], 64 << 20).run().await.measured([1, 1, 20]);
}

#[tokio::test]
#[ignore = "make full: builds a Go node"]
async fn go_dials_us() {
    let store = Backend::Redis.start().await;
    let ours =
        listener(&stack("webtransport"), &store.addr()).var("LISTENER_IP", "127.0.0.1").spawn();
    measure(|| go("true", &store.addr())).await;
    ours.stop(Signal::SIGTERM).await;
}

#[tokio::test]
#[ignore = "make full: builds a Go node"]
async fn we_dial_go() {
    let store = Backend::Redis.start().await;
    let theirs = go("false", &store.addr()).var("LISTENER_IP", "127.0.0.1").spawn();
    measure(|| dialer(&stack("webtransport"), &store.addr())).await;
    theirs.stop(Signal::SIGTERM).await;
}
