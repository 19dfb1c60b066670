//! A snapshot with its images, on a machine that has none of them.

use std::fs;
use std::process::Command;

use perf_compose::results::Results;

use crate::bench::{Bench, docker, ran};

#[test]
fn its_images_are_loaded_and_not_built_again() {
    let bench = Bench::new();
    let write = |name: &str, text: &str| fs::write(bench.path().join(name), text).unwrap();
    write(
        "node",
        "[ \"$IS_DIALER\" = true ] && { echo packed >&2; exit 9; }; trap 'exit 0' TERM; sleep 1000 & wait",
    );
    write(
        "Dockerfile",
        "FROM debian:bookworm-slim\nCOPY node /node\nENTRYPOINT [\"/bin/sh\", \"/node\"]\n",
    );
    write(".dockerignore", "*\n!node\n");
    write(
        "impls.yaml",
        "implementations: [{id: packed, transports: [quic-v1], source: {dockerfile: Dockerfile}}]",
    );
    let bytes = ["--upload-bytes", "1", "--download-bytes", "1", "--export-docker-images"];
    let first = bench.run(&bench.path().join("impls.yaml"), &bytes);
    let image = docker(&["image", "inspect", "--format", "{{.Id}}", "perf-packed"]).stdout;
    docker(&["image", "rm", "--force", "perf-packed", "perf-implementations-packed"]);
    let archive = first.stdout.lines().find_map(|line| line.strip_prefix("snapshot: ")).unwrap();

    let elsewhere = tempfile::tempdir().unwrap();
    let tar = ran(Command::new("tar").args(["xzf", archive, "-C"]).arg(elsewhere.path()));
    assert_eq!(tar.status, 0, "{tar:?}");
    let snapshot = elsewhere.path().join(bench.results().metadata.test_pass);
    // What it was built from is of no use there.
    let again = ran(&mut Command::new(snapshot.join("re-run.sh")));
    docker(&["image", "rm", "--force", "perf-packed", "perf-implementations-packed"]);
    let runs = fs::read_dir(snapshot.join("cache/test-runs")).unwrap();
    let run = runs.map(|run| run.unwrap().path()).next().unwrap();
    let text = fs::read_to_string(run.join("results.yaml")).unwrap();
    let results: Results = serde_yaml::from_str(&text).unwrap();
    assert_eq!(results.metadata.engine, "docker", "{again:?}");
    assert!(results.tests[0].reason.as_deref().unwrap().ends_with("packed"), "{results:?}");
    assert_eq!(results.metadata.provenance.images["packed"], image.trim());
    assert!(!run.join("logs/build-packed.log").exists(), "it was built again");
}
