//! Runs of fake nodes that do what nodes do, well and badly: what the user gets, and that nothing
//! is left running.

use std::fs;
use std::time::{Duration, Instant};

use crate::bench::{Bench, DOCUMENT, SERVES, finish, interrupt, prints_document, wait_for};
use perf_compose::results::{Status, Summary};

#[test]
fn a_pass_leaves_everything_where_it_belongs() {
    let bench = Bench::with_node(SERVES, &prints_document());
    let (ran, test) = bench.run_one(&[]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!((test.status, test.class, test.reason.as_deref()), (Status::Pass, None, None));
    for (name, section) in test.sections() {
        assert_eq!(section.samples.len(), section.iterations as usize, "{name}");
    }
    assert_eq!(test.sections().count(), 3);
    assert_eq!(bench.results().summary, Summary { total: 1, passed: 1, ..Summary::default() });

    let folder = bench.run_folder();
    let last = ran.stdout.lines().last().unwrap();
    assert_eq!(last, format!("results: {}", folder.display()));
    assert!(ran.stdout.contains("6.50 [6.25–6.75]"), "{}", ran.stdout);
    assert!(ran.stderr.contains("[1/1] node x node (quic-v1)\n    pass in "), "{}", ran.stderr);
    let slug = "node_x_node__quic_v1_";
    for name in [
        "results.yaml",
        "results.md",
        "results.html",
        "test-matrix.yaml",
        "impls.yaml",
        "journal.jsonl",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain(["", ".listener", ".dialer"].map(|side| format!("logs/{slug}{side}.log")))
    .chain([format!("results/{slug}.yaml")])
    {
        assert!(folder.join(&name).is_file(), "{name}");
    }
    let log = fs::read_to_string(folder.join(format!("logs/{slug}.log"))).unwrap();
    assert!(log.ends_with(DOCUMENT), "{log}");
    bench.assert_nothing_runs();
}

#[test]
fn a_node_finds_what_the_runner_sets_and_nothing_else_of_the_contract() {
    let bench = Bench::with_node(SERVES, &format!("env > seen\n{}", prints_document()));
    let mut command = bench.run_command(&["--upload-bytes", "1K"]);
    command
        .env("PERF_PROFILE", "tuned")
        .env("DURATION", "20")
        .env("MUXER", "yamux")
        .env("KEPT", "x");
    assert_eq!(finish(command.spawn().unwrap()).status, 0);
    let seen = fs::read_to_string(bench.path("seen")).unwrap();
    let value = |name: &str| {
        let prefix = format!("{name}=");
        seen.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned)
    };
    for (name, expected) in [
        ("IS_DIALER", Some("true")),
        ("TRANSPORT", Some("quic-v1")),
        ("UPLOAD_BYTES", Some("1024")),
        ("DOWNLOAD_BYTES", Some("1073741824")),
        ("UPLOAD_ITERATIONS", Some("2")),
        ("LATENCY_ITERATIONS", Some("3")),
        ("DEBUG", Some("false")),
        ("KEPT", Some("x")),
        ("PERF_PROFILE", None),
        ("DURATION", None),
        ("MUXER", None),
        ("SECURE_CHANNEL", None),
        ("LISTENER_IP", None),
    ] {
        assert_eq!(value(name).as_deref(), expected, "{name}");
    }
    assert!(value("REDIS_ADDR").unwrap().starts_with("127.0.0.1:"));
    assert_eq!(value("TEST_KEY").unwrap().len(), 8);
}

#[test]
fn a_failure_comes_with_its_class_and_reason() {
    let fails = "echo 'failure: {class: connect, phase: dial, message: \"refused, offered noise\"}'; exit 4";
    let bench = Bench::with_node(SERVES, fails);
    let (ran, test) = bench.run_one(&[]);
    assert_eq!((ran.status, test.status), (1, Status::Fail));
    assert_eq!(test.class.unwrap().to_string(), "connect");
    assert_eq!(test.reason.as_deref(), Some("dialer: dial: refused, offered noise"));
    assert!(
        ran.stdout.contains("\n  connect: dialer: dial: refused, offered noise\n"),
        "{}",
        ran.stdout
    );
    bench.assert_nothing_runs();
}

#[test]
fn what_is_not_a_measurement_is_not_a_pass() {
    let document = prints_document();
    let cases = [
        ("exit 0".to_owned(), Status::Fail, "it printed no document"),
        (format!("{document}exit 143"), Status::Partial, "the dialer ended with status 143"),
        (
            format!("echo 'INFO dialing'\n{document}"),
            Status::Fail,
            "its stdout is not the document alone",
        ),
        (format!("{document}kill -9 $$"), Status::Partial, "the dialer was ended by SIGKILL"),
        ("exit 127".to_owned(), Status::Fail, "the dialer ended with status 127"),
    ];
    for (dialer, status, reason) in cases {
        let bench = Bench::with_node(SERVES, &dialer);
        let (ran, test) = bench.run_one(&[]);
        assert_eq!((ran.status, test.status), (1, status), "{dialer}: {}", ran.stdout);
        assert_eq!(test.class.unwrap().to_string(), "unclassified", "{dialer}");
        assert!(test.reason.as_ref().unwrap().contains(reason), "{dialer}: {:?}", test.reason);
        bench.assert_nothing_runs();
    }
}

#[test]
fn an_unsupported_stack_is_nobodys_fault() {
    let says =
        "echo 'failure: {class: unsupported, phase: configuration, message: no quic}'; exit 127";
    let (ran, test) = Bench::with_node(SERVES, says).run_one(&[]);
    assert_eq!((ran.status, test.status), (0, Status::Unsupported));
    let says = "echo 'failure: {class: unsupported, message: \"no quic\"}' >&2; exit 127";
    let (ran, test) = Bench::with_node(says, "exec sleep 1000").run_one(&[]);
    assert_eq!((ran.status, test.status), (0, Status::Unsupported));
    assert_eq!(test.reason.as_deref(), Some("listener: no quic"));
}

#[test]
fn a_listener_that_ends_first_is_named_and_the_cell_ends_soon() {
    let dies = "echo starting >&2; echo 'failure: {class: environment, message: \"port in use\"}' >&2; exit 3";
    let bench = Bench::with_node(dies, "sleep 1000");
    let start = Instant::now();
    let (ran, test) = bench.run_one(&[]);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!((ran.status, test.status), (1, Status::Fail));
    assert_eq!(test.class.unwrap().to_string(), "environment");
    let reason = "the listener ended with status 3 before the dialer was served: port in use";
    assert_eq!(test.reason.as_deref(), Some(reason));
    bench.assert_nothing_runs();
}

#[test]
fn a_cell_that_hangs_is_ended_and_the_next_one_is_run() {
    // Neither side ends when it is asked to: only SIGKILL helps.
    let stubborn = "trap '' TERM; sleep 1000 & sleep 1000";
    let mut bench = Bench::with_node(
        stubborn,
        &format!("[ $TRANSPORT = quic ] && {{ {stubborn}; }}\n{}", prints_document()),
    );
    bench.add("hangs", "[quic]", stubborn, stubborn);
    bench.add("good", "[https]", SERVES, &prints_document());
    let ran = bench.run(&["--timeout", "0.3", "--test-ignore", "node"]);
    let tests = bench.results().tests;
    assert_eq!(
        tests.iter().map(|test| test.status).collect::<Vec<_>>(),
        [Status::Fail, Status::Pass]
    );
    assert_eq!(tests[0].reason.as_deref(), Some("timed out after 0.3 s"));
    assert_eq!((tests[0].class.unwrap().to_string().as_str(), ran.status), ("transfer", 1));
    bench.assert_nothing_runs();
}

#[test]
fn a_long_document_is_read_while_it_is_written() {
    // More than a pipe holds: the dialer could not end if nobody read.
    let comments = "i=0; while [ $i -lt 4000 ]; do echo \"# $i ....................................................\"; i=$((i+1)); done";
    let (ran, test) =
        Bench::with_node(SERVES, &format!("{comments}\n{}", prints_document())).run_one(&[]);
    assert_eq!((ran.status, test.status), (0, Status::Pass), "{:?}", test.reason);
}

#[test]
fn children_that_a_node_leaves_behind_are_ended() {
    let leaves = format!("sleep 1000 & (sleep 1000; sleep 1000) &\n{}", prints_document());
    let bench = Bench::with_node(SERVES, &leaves);
    let start = Instant::now();
    let (_, test) = bench.run_one(&[]);
    assert_eq!(test.status, Status::Pass, "{:?}", test.reason);
    // They hold the dialer's stdout; the run does not wait for them.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    bench.assert_nothing_runs();
}

#[test]
fn an_interruption_ends_everything_and_keeps_what_was_finished() {
    let dialer = format!(
        "if [ $TRANSPORT = webtransport ]; then touch hangs; sleep 1000; fi\n{}",
        prints_document()
    );
    let mut bench = Bench::new();
    bench.add("node", "[quic-v1, webtransport, webrtc-direct]", SERVES, &dialer);
    let child = bench.run_command(&[]).spawn().unwrap();
    wait_for(&bench.path("hangs"));
    interrupt(&child);
    let ran = finish(child);
    assert_eq!(ran.status, 130, "{}", ran.stderr);
    let tests = bench.results().tests;
    let statuses: Vec<_> = tests.iter().map(|test| test.status).collect();
    assert_eq!(statuses, [Status::Pass, Status::NotRun, Status::NotRun]);
    assert_eq!(tests[0].sections().count(), 3);
    assert!(ran.stdout.contains("3 tests in "), "{}", ran.stdout);
    let journal = fs::read_to_string(bench.run_folder().join("journal.jsonl")).unwrap();
    // A machine that is not quiet puts a line of its own there.
    let count = |kind: &str| journal.lines().filter(|line| line.starts_with(kind)).count();
    let counts = (count("{\"run\":"), count("{\"test\":"));
    assert_eq!(counts, (1, 1), "the run and the one test that was finished");
    bench.assert_nothing_runs();
}

#[test]
fn an_interrupted_build_is_ended_too() {
    let mut bench = Bench::new();
    let build = "[sh, -c, 'echo $$ > groups; touch builds; sleep 1000']";
    bench.add_entry(&format!(
        "{{id: node, transports: [quic-v1], process: {{build: {build}, command: ./node}}}}"
    ));
    let child = bench.run_command(&[]).spawn().unwrap();
    wait_for(&bench.path("builds"));
    interrupt(&child);
    assert_eq!(finish(child).status, 130);
    assert_eq!(bench.results().summary.not_run, 1);
    bench.assert_nothing_runs();
}

#[test]
fn what_a_build_makes_is_found_where_the_runner_said() {
    let mut bench = Bench::new();
    bench.add("made", "[quic-v1]", SERVES, &prints_document());
    let build = "[sh, -c, 'mkdir -p $CARGO_TARGET_DIR; cp made.sh $CARGO_TARGET_DIR/node']";
    bench.add_entry(&format!(
        "{{id: node, transports: [https], process: {{build: {build}, command: '{{target}}/node'}}}}"
    ));
    let mut command = bench.run_command(&["--impl-select", "node"]);
    // Whatever the environment says.
    command.env("CARGO_TARGET_DIR", "/nowhere");
    let ran = finish(command.spawn().unwrap());
    assert_eq!(ran.status, 0, "{}", ran.stdout);
    assert!(bench.path("target/node").is_file());
}

#[test]
fn what_cannot_be_had_is_unavailable_and_says_what_to_do() {
    let cases = [
        (
            "process: {build: no-such-toolchain, command: x}",
            "no-such-toolchain is not on this machine; install it",
        ),
        ("process: {command: no-such-node}", "no-such-node is not on this machine; install it"),
        (
            "process: {build: go build, command: bin/x}, env: {PATH: /nowhere}",
            "go is not on this machine; install Go (https://go.dev/dl)",
        ),
        ("process: {build: 'sh -c false', command: ./x}", "its build ended with status 1"),
        (
            "process: {build: [sh, -c, 'echo broken; exit 2'], command: ./x}",
            "its build ended with status 2: broken",
        ),
        ("process: {command: '{target}/x'}", "its build should have made it"),
        (
            "source: {path: gone}, process: {build: 'true', command: x}",
            "its node is not there yet (gone)",
        ),
        ("env: {}", "its definition has no `process`"),
    ];
    for (process, reason) in cases {
        let mut bench = Bench::new();
        bench.add_entry(&format!("{{id: node, transports: [quic-v1], {process}}}"));
        let (ran, test) = bench.run_one(&[]);
        assert_eq!((ran.status, test.status), (1, Status::Unavailable), "{process}");
        assert!(test.reason.as_ref().unwrap().contains(reason), "{process}: {:?}", test.reason);
    }
    let mut bench = Bench::new();
    bench.add_entry("{id: node, transports: [quic-v1]}");
    assert_eq!(bench.run(&["--allow-unavailable"]).status, 0);
}

#[test]
fn a_program_that_does_not_start_fails_the_cell() {
    let mut bench = Bench::new();
    bench.add_entry("{id: node, transports: [quic-v1], process: {command: ./impls/impls.yaml}}");
    let (ran, test) = bench.run_one(&[]);
    assert_eq!((ran.status, test.status), (1, Status::Fail));
    assert_eq!(test.class.unwrap().to_string(), "environment");
    assert!(
        test.reason
            .as_ref()
            .unwrap()
            .starts_with("the listener could not be started: Permission denied")
    );
}
