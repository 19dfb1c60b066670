//! The command line: what goes to stdout, and with which status it ends.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::bench::{Bench, SERVES, finish, interrupt, prints_document};

fn bench() -> Bench {
    let mut bench = Bench::with_node(SERVES, &prints_document());
    bench.add_entry(
        "{id: go, transports: [quic-v1, tcp], secureChannels: [noise], muxers: [yamux]}",
    );
    bench
}

#[test]
fn tests_are_listed_one_a_line() {
    let ran = finish(bench().command(&["--list-tests"]).spawn().unwrap());
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    assert_eq!(
        ran.stdout,
        "node x node (quic-v1)\nnode x go (quic-v1)\ngo x node (quic-v1)\ngo x go (quic-v1)\ngo x go (tcp, noise, yamux)\n"
    );
    let args = [
        "--list-tests",
        "--test-filter",
        "node",
        "--test-ignore",
        "!go",
        "--transport-select",
        "quic",
    ];
    let ran = finish(bench().command(&args).spawn().unwrap());
    assert_eq!(ran.stdout, "node x go (quic-v1)\ngo x node (quic-v1)\n");
}

#[test]
fn implementations_are_listed_one_a_line() {
    let ran = finish(bench().command(&["--list-impls"]).spawn().unwrap());
    assert_eq!(ran.stdout, "node [quic-v1] [] []\ngo [quic-v1, tcp] [noise] [yamux]\n");
}

#[test]
fn what_is_wrong_is_said_with_status_2() {
    let cases: &[(&[&str], &str)] = &[
        (
            &["--yes", "--test-select", "zig"],
            "nothing is selected: of 5 tests none passes the filters",
        ),
        (
            &["--yes", "--test-select", "~zig"],
            "--test-select: unknown alias \"~zig\"; there are none",
        ),
        (&["--list-tests", "--muxer-ignore", "!"], "--muxer-ignore: \"!\" negates nothing"),
        (&[], "add --yes"),
        (&["--yes", "--upload-bytes", "much"], "--upload-bytes: \"much\" is not accepted"),
        (&["--yes", "--impls", "nowhere.yaml"], "nowhere.yaml: No such file"),
        (&["--yes", "--test-selec", "x"], "--test-select"),
        (&["--why", "node x node (quic)"], "did you mean \"node x node (quic-v1)\"?"),
    ];
    for (args, expected) in cases {
        let ran = finish(bench().command(args).spawn().unwrap());
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn without_docker_its_engine_says_what_to_install() {
    let bench = bench();
    let mut command = bench.command(&["--yes", "--engine", "docker"]);
    let ran = finish(command.env("PATH", "/nowhere").spawn().unwrap());
    assert_eq!((ran.status, ran.stdout.as_str()), (3, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("install Docker Engine"), "{}", ran.stderr);
}

#[test]
fn wrong_definitions_are_pointed_at() {
    let bench = bench();
    let file = bench.path("impls/impls.yaml");
    fs::write(&file, "implementations:\n  - id: a\n    transports: [quic]\n    comand: x\n  - id: b\n    transports: [quick]\n").unwrap();
    let ran = finish(bench.command(&["--list-tests"]).spawn().unwrap());
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("impls/impls.yaml:6:18: implementations[1].transports[0]: unknown transport \"quick\"; did you mean \"quic\"?"), "{}", ran.stderr);
    fs::write(&file, "implementations:\n  - {id: a, transports: [quic], muxer: [yamux]}\n")
        .unwrap();
    let ran = finish(bench.command(&["--list-tests"]).spawn().unwrap());
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "a x a (quic)\n"));
    assert!(
        ran.stderr.starts_with("warning: ") && ran.stderr.contains("did you mean \"muxers\"?"),
        "{}",
        ran.stderr
    );
}

#[test]
fn nowhere_to_write_is_status_3_and_nothing_is_started() {
    let bench = bench();
    fs::write(bench.path("file"), "").unwrap();
    let ran = finish(bench.command(&["--yes", "--cache-dir", "file"]).spawn().unwrap());
    assert_eq!(ran.status, 3, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("error: cannot write ") && ran.stderr.contains("file/test-runs"),
        "{}",
        ran.stderr
    );
    assert!(!bench.path("groups").exists());
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let bench = bench();
    let mut command = std::process::Command::new("sh");
    let binary = env!("CARGO_BIN_EXE_perf-compose");
    command
        .args(["-c", &format!("'{binary}' --list-tests; echo $? >&2")])
        .current_dir(bench.path(""));
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    child.wait().unwrap();
    assert_eq!(stderr, "0\n");
}

#[test]
fn the_coordinator_runs_alone_until_it_is_interrupted() {
    let mut child = bench().command(&["coordinator"]).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut address = String::new();
    stdout.read_line(&mut address).unwrap();
    let mut stream = TcpStream::connect(address.trim()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(b"PING\r\n").unwrap();
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+PONG\r\n");
    interrupt(&child);
    child.stdout = Some(stdout.into_inner());
    assert_eq!(finish(child).status, 0);
}

#[test]
fn help_teaches() {
    let ran = finish(bench().command(&["--help"]).spawn().unwrap());
    assert_eq!(ran.status, 0);
    for taught in ["--test-select", "Examples:", "Exit status:", "coordinator"] {
        assert!(ran.stdout.contains(taught), "{taught}");
    }
}

#[test]
fn the_script_that_ci_names_calls_it() {
    // What is built is not built again: the script looks for a release in the build folder.
    let target = tempfile::tempdir().unwrap();
    fs::create_dir(target.path().join("release")).unwrap();
    let binary = target.path().join("release/perf-compose");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_perf-compose"), binary).unwrap();
    let bench = bench();
    let run = |args: &[&str]| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/run_tests.sh");
        let mut command = std::process::Command::new(script);
        command.args(args).current_dir(bench.path("")).env("CARGO_TARGET_DIR", target.path());
        command.stdin(std::process::Stdio::null());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        finish(command.spawn().unwrap())
    };
    // The repository's definitions, wherever it is called from, unless others are named.
    let ran = run(&["--list-tests"]);
    assert_eq!((ran.status, ran.stdout.lines().count()), (0, 46), "{}", ran.stderr);
    let ran = run(&["--list-tests", "--impls", "impls/impls.yaml"]);
    assert_eq!((ran.status, ran.stdout.lines().count()), (0, 5), "{}", ran.stderr);
    // A filter with white space is one argument, and the status is perf-compose's.
    let ran = run(&["--list-tests", "--test-select", "js-v3.x x zig"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
}
