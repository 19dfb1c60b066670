//! The image of rust-v0.56.

use std::fs;
use std::process::Command;

use crate::bench::{Bench, committed, docker, ran, root};

/// In bytes. What the framework that this one replaces needs for a stub is 10.8 MB, and the node was below that until
/// it spoke ws and the raw baselines and had tools for use by hand: it is 11.9 MB since.
const LIMIT: u64 = 12_000_000;

/// Sees to it that the image is there and current.
fn build() {
    let bench = Bench::new();
    let one = ["--impl-select", "rust-v0.56", "--test-select", "quic-v1"];
    let bytes = ["--upload-bytes", "1M", "--download-bytes", "1M"];
    assert_eq!(bench.run(&committed(), &[one, bytes].concat()).status, 0);
}

#[test]
fn it_is_small_and_runs_as_nobody() {
    build();
    let format = "{{.Size}} {{.Config.User}}";
    for name in ["perf-rust-v0.56", "perf-implementations-rust-v0.56"] {
        let said = docker(&["image", "inspect", "--format", format, name]).stdout;
        let (size, user) = said.trim().split_once(' ').unwrap();
        assert!(size.parse::<u64>().unwrap() <= LIMIT, "{said}");
        assert_eq!(user, "65532:65532");
    }
}

#[test]
fn it_takes_subcommands_and_resolves_names() {
    build();
    let help = docker(&["run", "--rm", "--read-only", "perf-rust-v0.56", "listen", "--help"]);
    assert_eq!(help.status, 0, "{help:?}");
    let dial =
        |address| docker(&["run", "--rm", "--read-only", "perf-rust-v0.56", "dial", address]);
    // From the hosts file: refused at once, which takes an address.
    let refused = dial("/dns4/localhost/tcp/1");
    assert_eq!(refused.status, 4, "{refused:?}");
    let absent = dial("/dns4/no-such-host.invalid/tcp/1");
    assert!(absent.stderr.contains("cannot resolve no-such-host.invalid"), "{absent:?}");
}

#[test]
fn a_pair_by_hand() {
    build();
    let file = root().join("compose/docker-compose.yaml");
    let compose = |words: &[&str]| {
        let mut command = Command::new("docker");
        command.args(["compose", "--project-name", "perf-by-hand-test", "--file"]).arg(&file);
        command.args(words).envs([("TRANSPORT", "tcp"), ("SECURE_CHANNEL", "noise")]);
        let work = [("UPLOAD_BYTES", "1M"), ("DOWNLOAD_BYTES", "1M"), ("LATENCY_ITERATIONS", "3")];
        ran(command.env("MUXER", "yamux").envs(work))
    };
    let up = compose(&["up", "--exit-code-from", "dialer"]);
    compose(&["down"]);
    assert_eq!(up.status, 0, "{up:?}");
    for section in ["upload:", "download:", "latency:"] {
        assert!(up.stdout.contains(section), "{up:?}");
    }
}

#[test]
fn the_context_of_a_build_may_be_another_folder_than_the_sources() {
    let bench = Bench::new();
    let write = |name: &str, text: &str| {
        let path = bench.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "impls/elsewhere/Dockerfile",
        "FROM debian:bookworm-slim\nCOPY shared/node /node\nENTRYPOINT [\"/bin/sh\", \"/node\"]\n",
    );
    write("impls/elsewhere/Dockerfile.dockerignore", "*\n!shared\n");
    write("shared/node", "echo from the context >&2; exit 3");
    write(
        "impls/impls.yaml",
        "implementations: [{id: elsewhere, transports: [quic-v1], source: {path: impls/elsewhere, buildContext: ../..}}]",
    );
    let definitions = bench.path().join("impls/impls.yaml");
    let bytes = ["--upload-bytes", "1", "--download-bytes", "1"];
    bench.run(&definitions, &bytes);
    let first = bench.results().tests.remove(0);
    assert!(first.reason.as_deref().unwrap().contains("from the context"), "{first:?}");

    // What the context has is what the image is made of.
    let id = || docker(&["image", "inspect", "--format", "{{.Id}}", "perf-elsewhere"]).stdout;
    let before = id();
    write("impls/elsewhere/notes", "not part of it");
    bench.run(&definitions, &bytes);
    assert_eq!(id(), before);
    write("shared/node", "echo changed >&2; exit 3");
    bench.run(&definitions, &bytes);
    let last = bench.results().tests.remove(0);
    docker(&["image", "rm", "--force", "perf-elsewhere", "perf-implementations-elsewhere"]);
    assert!(last.reason.as_deref().unwrap().contains("changed"), "{last:?}");
}
