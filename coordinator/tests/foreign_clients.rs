//! Client libraries of other languages, which nodes of other implementations use: go-redis, ioredis, node-redis.
//! They are fetched by their ordinary tools, so these tests need Go, Node and a network.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use perf_coordinator::{Coordinator, Limits};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

/// Fetching and compiling included.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// A copy of a folder under `tests/foreign`: tools write into where they run, and the tree stays as it is.
fn copy(name: &str) -> TempDir {
    let source: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "foreign", name].iter().collect();
    let copy = TempDir::new().unwrap();
    for entry in fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

/// Runs a tool to its end and fails the test where it fails, with what it printed.
async fn run(directory: &Path, program: &str, arguments: &[&str]) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(TIME_LIMIT, output)
        .await
        .unwrap_or_else(|_| panic!("{program} {arguments:?}: not done after {TIME_LIMIT:?}"))
        .unwrap_or_else(|error| panic!("cannot run {program} ({error}): install it"));
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{printed}", output.status);
    print!("{printed}");
}

#[tokio::test]
#[ignore = "make full: needs Go and Node"]
async fn go_redis() {
    let coordinator = Coordinator::start(Limits::default()).await.unwrap();
    let directory = copy("go");
    // Built, then run: `go run` would leave its child behind if it were killed.
    run(directory.path(), "go", &["build", "-mod=readonly", "-o", "check", "."]).await;
    let program = directory.path().join("check");
    run(directory.path(), &program.to_string_lossy(), &[&coordinator.addr().to_string()]).await;
    coordinator.shutdown().await;
}

#[tokio::test]
#[ignore = "make full: needs Go and Node"]
async fn ioredis_and_node_redis() {
    let coordinator = Coordinator::start(Limits::default()).await.unwrap();
    let directory = copy("node");
    run(directory.path(), "npm", &["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).await;
    run(directory.path(), "node", &["check.js", &coordinator.addr().to_string()]).await;
    coordinator.shutdown().await;
}
