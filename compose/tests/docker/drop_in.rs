//! The image in unified-testing's place for it: its Compose file, its names, its way to read results.

use std::path::Path;
use std::process::Command;

use harness_sdk::Document;

use crate::bench::{Bench, Ran, committed, docker, ran};

const NETWORK: &str = "perf-network";
const REDIS: &str = "perf-redis";

/// Removes what the test made, however it ends.
struct Surroundings;

impl Drop for Surroundings {
    fn drop(&mut self) {
        compose(&["down", "--volumes", "--remove-orphans"]);
        docker(&["rm", "--force", REDIS]);
        docker(&["network", "rm", NETWORK]);
    }
}

fn compose(words: &[&str]) -> Ran {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/docker/fixtures/unified-testing-compose.yaml");
    ran(Command::new("docker").args(["compose", "--file"]).arg(file).args(words))
}

/// The lines that unified-testing takes from the dialer's log: those of the three sections, after
/// the prefix that Compose puts before each.
fn extracted(log: &str) -> String {
    let keys = ["iterations", "min", "q1", "median", "q3", "max", "outliers", "samples", "unit"];
    let of_section = |line: &str| {
        ["upload:", "download:", "latency:"].iter().any(|heading| line.starts_with(heading))
            || line
                .strip_prefix("  ")
                .is_some_and(|rest| keys.iter().any(|key| rest.starts_with(&format!("{key}:"))))
    };
    let lines = log.lines().filter(|line| line.contains("dialer"));
    let lines = lines.filter_map(|line| line.split_once("| ")).map(|(_, line)| line);
    lines.filter(|line| of_section(line)).map(|line| format!("{line}\n")).collect()
}

#[test]
fn its_compose_file_and_its_extraction_give_three_sections() {
    let bench = Bench::new();
    let one = ["--impl-select", "rust-v0.56", "--test-select", "quic-v1"];
    let bytes = ["--upload-bytes", "1M", "--download-bytes", "1M"];
    assert_eq!(bench.run(&committed(), &[one, bytes].concat()).status, 0);

    let _surroundings = Surroundings;
    let network = docker(&["network", "create", "--subnet", "10.8.0.0/16", NETWORK]);
    assert_eq!(network.status, 0, "{network:?}");
    let redis = docker(&[
        "run",
        "--detach",
        "--name",
        REDIS,
        "--network",
        NETWORK,
        "redis:7-alpine",
        "redis-server",
        "--protected-mode",
        "no",
    ]);
    assert_eq!(redis.status, 0, "{redis:?}");

    let up = compose(&["up", "--exit-code-from", "dialer", "--abort-on-container-exit"]);
    assert_eq!(up.status, 0, "{up:?}");
    let log = compose(&["logs", "dialer"]).stdout;
    let document = Document::parse(&extracted(&log)).unwrap();
    let (upload, download) = (document.upload.unwrap(), document.download.unwrap());
    assert_eq!((upload.iterations, download.iterations), (3, 3));
    assert_eq!(document.latency.unwrap().samples.len(), 10);
}
