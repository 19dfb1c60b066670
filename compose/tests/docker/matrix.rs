//! The committed definitions: rust-v0.56's five cells.

use std::fs;

use perf_compose::results::Status;

use crate::bench::{Bench, committed, docker};

#[test]
fn five_cells_pass_and_the_second_run_builds_nothing() {
    let bench = Bench::new();
    let bytes = ["--impl-select", "rust-v0.56", "--upload-bytes", "1M", "--download-bytes", "1M"];
    let ran = bench.run(&committed(), &bytes);
    assert_eq!(ran.status, 0, "{ran:?}");
    let tests = bench.results().tests;
    assert_eq!(tests.len(), 5);
    assert!(tests.iter().all(|test| test.status == Status::Pass), "{tests:?}");
    let run = bench.runs().remove(0);
    assert_eq!(fs::read_dir(run.join("docker-compose")).unwrap().count(), 5);
    assert_eq!(bench.left(), Vec::<String>::new());

    let image = || docker(&["image", "inspect", "--format", "{{.Id}}", "perf-rust-v0.56"]).stdout;
    let first = image();
    assert_eq!(bench.run(&committed(), &bytes).status, 0);
    assert_eq!(image(), first);
    let second = bench.runs().remove(1);
    assert!(!second.join("logs/build-rust-v0.56.log").exists(), "it was built again");
}

#[test]
fn runs_at_the_same_time_do_not_meet() {
    let bench = Bench::new();
    let one = ["--test-select", "quic-v1", "--impl-select", "rust-v0.56", "--upload-bytes", "1M"];
    let one = [one.as_slice(), &["--download-bytes", "1M"]].concat();
    let mut both = [bench.spawn(&committed(), &one), bench.spawn(&committed(), &one)];
    for run in &mut both {
        assert_eq!(run.wait().unwrap().code(), Some(0));
    }
    assert_eq!(bench.left(), Vec::<String>::new());
}
