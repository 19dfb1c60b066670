//! What a run that is ended leaves: nothing, at the latest when the next one begins.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use perf_compose::results::Status;

use crate::bench::{Bench, committed, docker};

/// A cell that takes minutes.
const LONG: &[&str] =
    &["--impl-select", "rust-v0.56", "--test-select", "quic-v1", "--duration", "100"];
const SHORT: &[&str] = &[
    "--impl-select",
    "rust-v0.56",
    "--test-select",
    "quic-v1",
    "--upload-bytes",
    "1M",
    "--download-bytes",
    "1M",
];

/// A run whose dialer is there.
fn under_way(bench: &Bench) -> Child {
    // The image is built before the clock runs.
    assert_eq!(bench.run(&committed(), SHORT).status, 0);
    let child = bench.spawn(&committed(), LONG);
    let deadline = Instant::now() + Duration::from_secs(60);
    while !bench.left().iter().any(|name| name.ends_with("-dialer")) {
        assert!(Instant::now() < deadline, "the cell did not begin: {:?}", bench.left());
        sleep(Duration::from_millis(50));
    }
    sleep(Duration::from_millis(500));
    child
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next() {
    let bench = Bench::new();
    let mut child = under_way(&bench);
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    assert!(bench.left().len() >= 4, "{:?}", bench.left());
    assert_eq!(bench.run(&committed(), SHORT).status, 0);
    assert_eq!(bench.left(), Vec::<String>::new());
}

#[test]
fn an_interrupted_run_leaves_nothing() {
    let bench = Bench::new();
    let mut child = under_way(&bench);
    let other = bench.run(&committed(), SHORT);
    assert_eq!(other.status, 0, "{other:?}");
    assert!(bench.left().len() >= 4, "a living run was swept away: {:?}", bench.left());
    signal(&child, Signal::SIGINT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(bench.left(), Vec::<String>::new());
}

#[test]
fn a_check_that_is_interrupted_while_its_image_is_built_leaves_nothing() {
    let bench = Bench::new();
    let write = |name: &str, text: &str| fs::write(bench.path().join(name), text).unwrap();
    write("Dockerfile", "FROM debian:bookworm-slim\nRUN sleep 100\n");
    write(".dockerignore", "*\n");
    write(
        "impls.yaml",
        "implementations: [{id: slow, transports: [https], source: {dockerfile: Dockerfile}}]",
    );
    let cache = bench.path().join("cache");
    fs::create_dir(&cache).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_perf-compose"));
    command.args(["check", "slow", "--engine", "docker", "--impls"]);
    command.arg(bench.path().join("impls.yaml"));
    // What a check locks lies among temporary files, by which `left` knows whose a network is.
    command.env("TMPDIR", &cache).env("XDG_CACHE_HOME", &cache).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while bench.left().is_empty() {
        assert!(Instant::now() < deadline, "no network was made");
        sleep(Duration::from_millis(50));
    }
    sleep(Duration::from_secs(1));
    signal(&child, Signal::SIGINT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(bench.left(), Vec::<String>::new());
}

#[test]
fn a_redis_that_dies_costs_no_cell_but_its_own() {
    let bench = Bench::new();
    let five = ["--impl-select", "rust-v0.56", "--upload-bytes", "1M", "--download-bytes", "1M"];
    let mut child = bench.spawn(&committed(), &five);
    let deadline = Instant::now() + Duration::from_secs(900);
    let redis = loop {
        assert!(Instant::now() < deadline, "no cell began");
        // `left` looks into the cache, which the run makes.
        let left = if bench.path().join("cache").exists() { bench.left() } else { Vec::new() };
        if left.iter().any(|name| name.ends_with("-dialer")) {
            break left.into_iter().find(|name| name.ends_with("-redis")).unwrap();
        }
        sleep(Duration::from_millis(20));
    };
    docker(&["rm", "--force", &redis]);
    child.wait().unwrap();
    let tests = bench.results().tests;
    let passed = tests.iter().filter(|test| test.status == Status::Pass).count();
    assert!(tests.len() == 5 && passed >= 4, "{tests:?}");
    let failed = tests.iter().find(|test| test.status != Status::Pass);
    assert!(failed.is_none_or(|test| test.class.is_some()), "{failed:?}");
    assert_eq!(bench.left(), Vec::<String>::new());
}
