//! Runs that end early, by every way there is, and are gone on with.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use perf_compose::results::Status;

use crate::bench::{Bench, SERVES, finish, interrupt, prints_document, wait_for, within};
use crate::schema::assert_conforms;

/// Three tests; each dialer notes that it ran, and the second hangs as long as there is no file `go`.
fn three() -> Bench {
    let dialer = format!(
        "echo $TRANSPORT >> ran; if [ $TRANSPORT = webtransport ] && [ ! -e go ]; then touch hangs; sleep 1000; fi\n{}",
        prints_document()
    );
    let mut bench = Bench::new();
    bench.add("node", "[quic-v1, webtransport, webrtc-direct]", SERVES, &dialer);
    bench
}

fn ran(bench: &Bench) -> Vec<String> {
    let text = fs::read_to_string(bench.path("ran")).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// The binary, killed by SIGKILL while the second of [`three`] hangs.
fn killed(bench: &Bench) {
    let mut child = bench.run_command(&["--upload-bytes", "7"]).spawn().unwrap();
    wait_for(&bench.path("hangs"));
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
}

fn resume(bench: &Bench, args: &[&str]) -> crate::bench::Ran {
    let usual = ["--yes", "--cache-dir", "cache"];
    finish(bench.command(&[&usual, args].concat()).spawn().unwrap())
}

#[test]
fn a_killed_run_is_finished_without_repeating_anything() {
    let bench = three();
    killed(&bench);
    // As if it had been killed in the middle of a line.
    let journal = bench.run_folder().join("journal.jsonl");
    let torn = fs::read_to_string(&journal).unwrap() + "{\"test\":{\"test\":\"node x no";
    fs::write(&journal, torn).unwrap();
    fs::write(bench.path("go"), "").unwrap();

    let resumed = resume(&bench, &["--resume", "last"]);
    assert_eq!(resumed.status, 0, "{}{}", resumed.stdout, resumed.stderr);
    assert!(resumed.stderr.contains("[1/2] node x node (webtransport)"), "{}", resumed.stderr);
    assert_eq!(ran(&bench), ["quic-v1", "webtransport", "webtransport", "webrtc-direct"]);
    let results = bench.results();
    assert_eq!((results.summary.total, results.summary.passed), (3, 3));
    assert_eq!(results.metadata.workload["UPLOAD_BYTES"], "7", "what was not given is as then");
    assert_eq!(results.metadata.provenance.resumed_at.len(), 1);
    bench.assert_nothing_runs();

    // There is nothing left to do, which is no error; by path as well.
    let folder = bench.run_folder();
    let again = resume(&bench, &["--resume", folder.to_str().unwrap()]);
    assert_eq!((again.status, ran(&bench).len()), (0, 4), "{}", again.stderr);
}

#[test]
fn the_next_run_ends_what_a_killed_one_left() {
    let bench = three();
    killed(&bench);
    let next = bench.run_command(&["--test-select", "quic-v1"]).spawn().unwrap();
    assert_eq!(finish(next).status, 0);
    bench.assert_nothing_runs();
}

#[test]
fn what_is_not_the_same_run_any_more_is_not_gone_on_with() {
    let bench = three();
    killed(&bench);
    let refused = resume(&bench, &["--resume", "last", "--upload-bytes", "8", "--timeout", "9"]);
    assert_eq!(refused.status, 2);
    for expected in ["UPLOAD_BYTES: 7 then, 8 now", "time-out: 600s then, 9s now"] {
        assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    }
    let refused = resume(&bench, &["--resume", "last", "--test-select", "quic-v1"]);
    assert!(refused.stderr.contains("selected tests: 3 then, 1 now"), "{}", refused.stderr);
    let mut definitions = fs::read_to_string(bench.path("impls/impls.yaml")).unwrap();
    definitions.push_str("# changed\n");
    fs::write(bench.path("impls/impls.yaml"), definitions).unwrap();
    let refused = resume(&bench, &["--resume", "last"]);
    assert_eq!(refused.status, 2);
    assert!(refused.stderr.contains("definitions (sha256): "), "{}", refused.stderr);
    assert_eq!(ran(&bench).len(), 2, "nothing was run");
    let refused = resume(&bench, &["--resume", "perf-nowhere"]);
    assert_eq!(refused.status, 2);
    assert!(refused.stderr.contains("there is no run \"perf-nowhere\""), "{}", refused.stderr);
    bench.assert_nothing_runs();
}

#[test]
fn what_was_selected_against_the_defaults_is_gone_on_with() {
    let bench = three();
    let defaults = bench.path("impls/test-selection.yaml");
    fs::write(&defaults, "test-ignore: [webrtc-direct]\n").unwrap();
    let mut child = bench.run_command(&["--test-ignore", ""]).spawn().unwrap();
    wait_for(&bench.path("hangs"));
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    fs::write(bench.path("go"), "").unwrap();
    let refused = resume(&bench, &["--resume", "last", "--transport-select", "quic|web"]);
    assert_eq!(refused.status, 2);
    for expected in [
        "filter --transport-select: none then, quic|web now",
        "filter test-ignore in impls/test-selection.yaml: none then, webrtc-direct now",
        "selected tests: 3 then, 2 now",
    ] {
        assert!(refused.stderr.contains(expected), "{expected}: {}", refused.stderr);
    }
    let resumed = resume(&bench, &["--resume", "last"]);
    assert_eq!(resumed.status, 0, "{}{}", resumed.stdout, resumed.stderr);
    let results = bench.results();
    assert_eq!((results.summary.total, results.metadata.filters.len()), (3, 0));
    bench.assert_nothing_runs();
}

#[test]
fn defaults_that_changed_do_not_change_a_run_that_is_gone_on_with() {
    let bench = three();
    let defaults = bench.path("impls/test-selection.yaml");
    fs::write(&defaults, "test-ignore: [webrtc-direct]\n").unwrap();
    killed(&bench);
    fs::write(&defaults, "test-ignore: [quic-v1]\n").unwrap();
    fs::write(bench.path("go"), "").unwrap();
    let resumed = resume(&bench, &["--resume", "last"]);
    assert_eq!(resumed.status, 0, "{}{}", resumed.stdout, resumed.stderr);
    let results = bench.results();
    assert_eq!(results.summary.total, 2);
    let filter = &results.metadata.filters["test-ignore in impls/test-selection.yaml"];
    assert_eq!(filter, "webrtc-direct");
    bench.assert_nothing_runs();
}

#[test]
fn a_run_that_lives_is_not_taken_up() {
    let bench = three();
    let child = bench.run_command(&[]).spawn().unwrap();
    wait_for(&bench.path("hangs"));
    let refused = resume(&bench, &["--resume", "last"]);
    assert_eq!(refused.status, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains("this run is still going on"), "{}", refused.stderr);
    interrupt(&child);
    assert_eq!(finish(child).status, 130);
    bench.assert_nothing_runs();
}

#[test]
fn only_what_failed_is_run_again() {
    let dialer = format!(
        "echo $TRANSPORT >> ran; [ $TRANSPORT = webtransport ] && [ ! -e go ] && exit 1\n{}",
        prints_document()
    );
    let mut bench = Bench::new();
    bench.add("node", "[quic-v1, webtransport, webrtc-direct]", SERVES, &dialer);
    assert_eq!(bench.run(&[]).status, 1);
    fs::write(bench.path("go"), "").unwrap();
    let name = bench.run_folder().file_name().unwrap().to_str().unwrap().to_owned();
    let again = resume(&bench, &["--rerun-failed", &name]);
    assert_eq!(again.status, 0, "{}{}", again.stdout, again.stderr);
    assert_eq!(ran(&bench), ["quic-v1", "webtransport", "webrtc-direct", "webtransport"]);
    let statuses: Vec<_> = bench.results().tests.iter().map(|test| test.status).collect();
    assert_eq!(statuses, [Status::Pass; 3]);
}

#[test]
fn a_second_interruption_ends_at_once() {
    let bench = three();
    let child = bench.run_command(&[]).spawn().unwrap();
    wait_for(&bench.path("hangs"));
    // Nobody reads it: the results cannot be written, and the first interruption never ends.
    mkfifo(&bench.run_folder().join("results.yaml.part"), Mode::S_IRWXU).unwrap();
    interrupt(&child);
    bench.assert_nothing_runs();
    std::thread::sleep(Duration::from_millis(100));
    interrupt(&child);
    let ran = finish(child);
    assert_eq!((ran.status, ran.stdout.as_str()), (130, ""), "{}", ran.stderr);
}

#[test]
fn what_was_finished_before_the_disk_was_full_is_kept() {
    let dialer = format!(
        "echo $TRANSPORT >> ran; if [ $TRANSPORT = webtransport ]; then touch hangs; while [ ! -e go ]; do sleep 0.02; done; fi\n{}",
        prints_document()
    );
    let mut bench = Bench::new();
    bench.add("node", "[quic-v1, webtransport, webrtc-direct]", SERVES, &dialer);
    // A full disk, to this process alone: from some moment on, no file may grow.
    let binary = env!("CARGO_BIN_EXE_perf-compose");
    let script = format!(
        "trap '' XFSZ; exec '{binary}' --yes --cache-dir cache --iterations 2 --latency-iterations 3"
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(bench.path("")).stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&bench.path("hangs"));
    let id = child.id().to_string();
    let limited = Command::new("prlimit").args(["--pid", &id, "--fsize=0:0"]).status().unwrap();
    assert!(limited.success());
    fs::write(bench.path("go"), "").unwrap();
    let full = finish(child);
    assert_eq!(full.status, 3, "{}{}", full.stdout, full.stderr);
    assert!(full.stderr.contains("error: cannot write "), "{}", full.stderr);
    assert!(full.stderr.contains("`perf-compose --resume perf-"), "{}", full.stderr);
    assert!(full.stdout.contains("3 tests in "), "{}", full.stdout);
    bench.assert_nothing_runs();
    // With room again, the rest follows.
    let resumed = resume(&bench, &["--resume", "last"]);
    assert_eq!(resumed.status, 0, "{}{}", resumed.stdout, resumed.stderr);
    assert_eq!(ran(&bench), ["quic-v1", "webtransport", "webtransport", "webrtc-direct"]);
    assert_eq!(bench.results().summary.passed, 3);
}

#[test]
fn progress_is_told_to_programs() {
    let dialer = format!(
        "echo 'INFO plan: upload 1/2: 6.5 Gbps' >&2; touch told; while [ ! -e go ]; do sleep 0.05; done\n{}",
        prints_document()
    );
    let bench = Bench::with_node(SERVES, &dialer);
    let child = bench.run_command(&["--progress", "json", "--debug"]).spawn().unwrap();
    wait_for(&bench.path("told"));
    // The log is looked at once a second.
    std::thread::sleep(Duration::from_millis(2500));
    fs::write(bench.path("go"), "").unwrap();
    let ran = finish(child);
    assert_eq!(ran.status, 0);
    let events = ran.stderr.lines().filter_map(|line| serde_json::from_str(line).ok());
    let events: Vec<serde_json::Value> = events.collect();
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    let expected = ["run-start", "prepare", "cell-start", "cell-phase", "cell-end", "run-end"];
    assert_eq!(names, expected);
    assert_eq!(events[3]["phase"], "upload");
    assert_eq!(events[4]["status"], "pass");
    assert_eq!(events[5]["summary"]["passed"], 1);
}

#[test]
fn dependencies_are_checked_against_what_is_selected() {
    let mut bench = Bench::with_node(SERVES, &prints_document());
    bench.add_entry(
        "{id: made, transports: [quic-v1], process: {build: no-such-toolchain, command: x}}",
    );
    let check = |bench: &Bench, args: &[&str]| {
        finish(bench.command(&[&["--check-deps"], args].concat()).spawn().unwrap())
    };
    let ran = check(&bench, &[]);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    for expected in [
        "no-such-toolchain",
        "no: not in PATH",
        "made cannot run, which costs 3 tests: no-such-toolchain is missing",
        "1 of 4 selected tests can run here",
    ] {
        assert!(ran.stdout.contains(expected), "{expected}: {}", ran.stdout);
    }
    let ran = check(&bench, &["--impl-select", "node"]);
    assert_eq!(ran.status, 0, "{}", ran.stdout);
    // An image that cannot be built costs its tests too.
    bench.add_entry("{id: image, transports: [quic-v1], source: {dockerfile: gone}}");
    let ran = check(&bench, &["--engine", "docker", "--impl-select", "image"]);
    assert_eq!(ran.status, 1, "{}", ran.stdout);
    assert!(ran.stdout.contains("image cannot run, which costs 1 tests: "), "{}", ran.stdout);
    assert!(ran.stdout.contains("/gone to build it from"), "{}", ran.stdout);
    assert!(!bench.path("groups").exists(), "nothing was started");
}

#[test]
fn several_workers_run_tests_at_a_time_and_it_is_said() {
    // Each waits for the other: one after the other, they would not end.
    let dialer = format!(
        "touch here-$TRANSPORT; while [ ! -e here-quic-v1 ] || [ ! -e here-webtransport ]; do sleep 0.02; done\n{}",
        prints_document()
    );
    let mut bench = Bench::new();
    bench.add("node", "[quic-v1, webtransport]", SERVES, &dialer);
    let ran = bench.run(&["--workers", "2", "--timeout", "20"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("warning: 2 tests ran at a time"), "{}", ran.stdout);
    let results = bench.results();
    assert_eq!(results.metadata.provenance.workers, 2);
    assert_eq!(results.tests[0].transport.to_string(), "quic-v1", "in the matrix's order");
    bench.assert_nothing_runs();
}

#[test]
fn sides_are_bound_to_processors_of_their_own_or_it_is_refused() {
    let dialer =
        format!("grep Cpus_allowed_list /proc/self/status > dialer\n{}", prints_document());
    let listener = format!("grep Cpus_allowed_list /proc/self/status > listener\n{SERVES}");
    let bench = Bench::with_node(&listener, &dialer);
    let ran = bench.run(&["--pin"]);
    if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
        assert_eq!(ran.status, 2);
        assert!(ran.stderr.contains("--pin needs 2 cores"), "{}", ran.stderr);
        return;
    }
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    within(Duration::from_secs(5), || bench.path("listener").exists(), || "no listener".to_owned());
    let side = |name: &str| fs::read_to_string(bench.path(name)).unwrap();
    assert_ne!(side("dialer"), side("listener"));
    assert_eq!(bench.results().metadata.provenance.pinning.len(), 1);
    let refused = bench.run_command(&["--pin", "--workers", "1000"]).spawn().unwrap();
    let refused = finish(refused);
    assert_eq!(refused.status, 2);
    assert!(refused.stderr.contains("--pin needs 2000 cores"), "{}", refused.stderr);
}

#[test]
fn a_forced_build_starts_from_nothing() {
    let mut bench = Bench::new();
    bench.add("made", "[quic-v1]", SERVES, &prints_document());
    let build = "[sh, -c, 'test ! -e $CARGO_TARGET_DIR/node && mkdir -p $CARGO_TARGET_DIR && cp made.sh $CARGO_TARGET_DIR/node']";
    bench.add_entry(&format!(
        "{{id: node, transports: [https], process: {{build: {build}, command: '{{target}}/node'}}}}"
    ));
    for _ in 0..2 {
        let args = ["--impl-select", "node", "--force-image-rebuild", "--force-matrix-rebuild"];
        let ran = bench.run(&args);
        assert_eq!(ran.status, 0, "{}", ran.stdout);
    }
    assert!(bench.path("target/fresh/node").is_file());
    assert_eq!(fs::read_dir(bench.path("cache/test-matrix")).unwrap().count(), 1);
}

#[test]
fn a_failure_that_is_expected_is_forgiven_until_it_is_none_any_more() {
    let dialer = format!("[ $TRANSPORT = quic-v1 ] && exit 7\n{}", prints_document());
    let run = |entries: &str, args: &[&str]| {
        let mut bench = Bench::new();
        bench.add("node", "[quic-v1, https]", SERVES, &dialer);
        let text = format!("expected-failures:\n{entries}");
        fs::write(bench.path("impls/expected-failures.yaml"), text).unwrap();
        let ran = bench.run(args);
        (bench, ran)
    };
    let entry = |test: &str, expires: &str| {
        format!("  - {{test: {test}, reason: no luck, owner: '@them', expires: {expires}}}\n")
    };

    let (bench, ran) = run(&entry("'quic-v1'", "9999-12-31"), &[]);
    assert_eq!(ran.status, 0, "{}", ran.stdout);
    assert!(ran.stdout.contains("1 passed, 1 failed as expected"), "{}", ran.stdout);
    let results = bench.results();
    assert_eq!((results.summary.failed, results.summary.expected), (0, 1));
    let (failed, passed) = (&results.tests[0], &results.tests[1]);
    assert_eq!((failed.status, passed.expected.is_none()), (Status::Fail, true));
    assert_eq!(failed.expected.as_ref().unwrap().owner, "@them");
    for (file, expected) in [
        ("results.md", "| fail (expected) | unclassified |"),
        ("results.html", "(expected until 9999-12-31 by @them: no luck)"),
        ("results/node_x_node__quic_v1_.yaml", "owner: '@them'"),
    ] {
        let text = fs::read_to_string(bench.run_folder().join(file)).unwrap();
        assert!(text.contains(expected), "{file}: {text}");
    }
    assert_conforms(&bench);

    // Red: it passes, it has expired, there is no such test; and a failure that nobody expects.
    let cases = [
        (entry("'node x node (https)'", "9999-12-31"), "@them expects it to fail"),
        (entry("quic-v1", "2020-01-01"), "was accepted until 2020-01-01"),
        (entry("quick", "9999-12-31"), "no test is called \"quick\""),
        (String::new(), "1 passed, 1 failed\n"),
    ];
    for (entries, told) in cases {
        let (bench, ran) = run(&entries, &[]);
        assert_eq!(ran.status, 1, "{entries}: {}", ran.stdout);
        assert!(ran.stdout.contains(told), "{entries}: {}", ran.stdout);
        assert_conforms(&bench);
    }
    // What was not selected is nobody's business.
    let (_, ran) = run(&entry("quic-v1", "2020-01-01"), &["--transport-select", "https"]);
    assert_eq!(ran.status, 0, "{}", ran.stdout);
    let (_, ran) = run("  - {test: x}\n", &[]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("expected-failures.yaml:2:5: "), "{}", ran.stderr);
}
