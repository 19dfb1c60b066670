//! Definitions and filters, through the real binary: the committed ones, and upstream's newer format.

use std::fs;

use crate::bench::{Bench, Ran, finish};

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../impls/impls.yaml");
const NEWER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/images.yaml");

fn ran(file: &str, args: &[&str]) -> Ran {
    let command = ["--impls", file].iter().chain(args).copied().collect::<Vec<_>>();
    finish(Bench::new().command(&command).spawn().unwrap())
}

fn list(file: &str, args: &[&str]) -> Vec<String> {
    let ran = ran(file, &[&["--list-tests"], args].concat());
    assert_eq!(ran.status, 0, "{args:?}: {}", ran.stderr);
    ran.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn the_committed_definitions_make_the_46_tests_in_order() {
    let ran = ran(COMMITTED, &["--list-tests"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    assert_eq!(ran.stdout, include_str!("fixtures/default-tests.txt"));
    assert_eq!(ran.stdout.lines().count(), 46);
}

#[test]
fn filters_on_the_committed_definitions() {
    let count = |args: &[&str]| list(COMMITTED, args).len();
    let rust = list(COMMITTED, &["--test-select", "rust-v0.56"]);
    assert_eq!(rust.len(), 23);
    assert_eq!(list(COMMITTED, &["--test-ignore", "!rust-v0.56"]), rust);
    assert_eq!(list(COMMITTED, &["--test-filter", "~rust"]), rust);
    assert_eq!(count(&["--test-ignore", "webtransport"]), 42);
    assert_eq!(count(&["--test-select", "~baseline"]), 2);
    assert_eq!(count(&["--impl-select", "~rust"]), 5);
    assert_eq!(count(&["--image-select", "~rust|~js"]), 5 + 5 + 8);
    assert_eq!(count(&["--image-ignore", "~libp2p"]), 2);
    assert_eq!(count(&["--impl-select", "~rust", "--baseline-select", "https"]), 6);
    assert_eq!(count(&["--baseline-ignore", "~baseline"]), 44);
    assert_eq!(count(&["--transport-select", "quic-v1|webtransport"]), 8);
    assert_eq!(count(&["--secure-ignore", "tls", "--muxer-select", "yamux"]), 9 + 10);
}

#[test]
fn what_make_perf_selects_is_five_tests() {
    let makefile = concat!(env!("CARGO_MANIFEST_DIR"), "/../Makefile");
    let makefile = fs::read_to_string(makefile).unwrap();
    let line = makefile.lines().find(|line| line.contains("release/perf-compose --yes")).unwrap();
    let mut words = line.split_whitespace().skip_while(|word| !word.starts_with("--impl-select"));
    let selected = list(COMMITTED, &[words.next().unwrap(), words.next().unwrap()]);
    assert_eq!(selected.len(), 5);
    assert!(selected.iter().all(|test| test.starts_with("rust-v0.56 x rust-v0.56 (")));
}

#[test]
fn ignored_tests_are_shown_with_the_term_that_ignored_them() {
    let args =
        ["--show-ignored", "--test-ignore", "~js|webtransport", "--baseline-select", "https"];
    let lines = list(COMMITTED, &args);
    assert_eq!(lines.len(), 46);
    let plain = list(COMMITTED, &args[1..]);
    let shown: Vec<_> = lines.iter().filter(|line| !line.contains("  [ignored: ")).collect();
    assert_eq!(shown, plain.iter().collect::<Vec<_>>());
    for ignored in [
        "go-v0.45 x go-v0.45 (webtransport)  [ignored: name: left out by \"webtransport\" of --test-ignore]",
        "go-v0.45 x js-v3.x (webtransport)  [ignored: name: left out by \"~js\" of --test-ignore]",
        "quic-go-baseline x quic-go-baseline (quic)  [ignored: quic-go-baseline: no term of --baseline-select takes it]",
    ] {
        assert!(lines.iter().any(|line| line == ignored), "{ignored}");
    }
}

#[test]
fn nothing_selected_is_explained_and_still_an_error() {
    let ran = ran(COMMITTED, &["--list-tests", "--show-ignored", "--test-select", "zig"]);
    assert_eq!((ran.status, ran.stdout.lines().count()), (2, 46));
    assert!(ran.stderr.contains("nothing is selected: of 46 tests"), "{}", ran.stderr);
}

#[test]
fn why_says_which_term_decided() {
    let why = |args: &[&str]| {
        let ran = ran(COMMITTED, args);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{args:?}");
        ran.stdout
    };
    let test = "js-v3.x x go-v0.45 (webtransport)";
    let said = why(&["--why", test, "--impl-select", "~libp2p"]);
    assert!(said.starts_with(&format!("{test}: selected\n")), "{said}");
    assert!(said.contains("taken by \"~libp2p\" of --impl-select\n"), "{said}");
    let said = why(&["--why", test, "--impl-select", "~libp2p", "--impl-ignore", "js"]);
    let ignored = format!("{test}: ignored: js-v3.x: left out by \"js\" of --impl-ignore\n");
    assert!(said.starts_with(&ignored), "{said}");
    let said = why(&["--why", test, "--transport-select", "tcp|quic"]);
    let ignored = format!(
        "{test}: ignored: transport webtransport: no term of --transport-select takes it\n"
    );
    assert!(said.starts_with(&ignored), "{said}");

    let ran = ran(COMMITTED, &["--why", "js-v3.x x go-v0.45 (webtransprot)"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains(&format!("did you mean \"{test}\"?")), "{}", ran.stderr);
}

#[test]
fn what_joins_only_where_it_is_named_is_never_there_before() {
    let mut bench = Bench::new();
    bench.add_entry("{id: a, transports: [quic-v1]}");
    bench.add_entry("{id: a-tuned, transports: [quic-v1], default: false}");
    let stdout = |args: &[&str]| finish(bench.command(args).spawn().unwrap()).stdout;
    assert_eq!(stdout(&["--list-tests", "--show-ignored"]), "a x a (quic-v1)\n");
    assert_eq!(
        stdout(&["--list-tests", "--impl-select", "a-tuned"]),
        "a-tuned x a-tuned (quic-v1)\n"
    );
    assert_eq!(stdout(&["--list-tests", "--all-impls"]).lines().count(), 4);
    let said = stdout(&["--why", "a x a-tuned (quic-v1)"]);
    assert!(
        said.starts_with("a x a-tuned (quic-v1): never: a-tuned is `default: false`"),
        "{said}"
    );
}

#[test]
fn test_selection_gives_defaults_that_flags_override() {
    let mut bench = Bench::new();
    for (id, path) in [("a", "impls/a/v1"), ("b", "impls/b/v1")] {
        bench.add_entry(&format!(
            "{{id: {id}, transports: [quic-v1, webtransport], source: {{path: {path}}}}}"
        ));
    }
    fs::create_dir_all(bench.path("impls/a")).unwrap();
    fs::write(bench.path("impls/test-selection.yaml"), "test-ignore: [b x b]\n").unwrap();
    fs::write(bench.path("impls/a/test-selection.yaml"), "test-filter: [quic]\n").unwrap();
    let list = |args: &[&str]| {
        let args = [&["--list-tests"], args].concat();
        finish(bench.command(&args).spawn().unwrap()).stdout
    };
    assert_eq!(list(&[]), "a x a (quic-v1)\na x b (quic-v1)\nb x a (quic-v1)\n");
    let all = list(&["--test-select", "", "--test-ignore", ""]);
    assert_eq!(all.lines().count(), 8);
    assert_eq!(list(&["--test-ignore", ""]).lines().count(), 3 + 2);
    assert_eq!(list(&["--test-select", "web"]).lines().count(), 3);
    let shown = list(&["--show-ignored"]);
    for ignored in [
        "a x b (webtransport)  [ignored: name: no term of test-filter in impls/a/test-selection.yaml takes it]\n",
        "b x b (quic-v1)  [ignored: name: left out by \"b x b\" of test-ignore in impls/test-selection.yaml]\n",
    ] {
        assert!(shown.contains(ignored), "{shown}");
    }
}

#[test]
fn the_newer_format_is_read_whatever_the_file_is_called() {
    let ran = ran(NEWER, &["--list-images"]);
    assert_eq!((ran.status, ran.stdout.lines().count()), (0, 16), "{}", ran.stderr);
    let warnings: Vec<_> = ran.stderr.lines().collect();
    assert_eq!(warnings.len(), 2, "{}", ran.stderr);
    for (warning, ending) in warnings.iter().zip([
        "images.yaml:90: implementations[2] (js-v3.x): no perf node can be asked for transport \"wss\"; it is left out of the matrix",
        "images.yaml:124: implementations[5] (py-v0.x): unknown key \"experimental\"",
    ]) {
        assert!(warning.starts_with("warning: ") && warning.contains(ending), "{warning}");
    }

    let all = list(NEWER, &[]);
    let browser = |test: &&String| test.contains("x chromium-js-v3.x");
    assert_eq!(all.iter().find(browser), None, "it only dials");
    assert!(!all.contains(&"go-v0.45 x js-v3.x (webtransport)".to_owned()));
    assert!(all.contains(&"js-v3.x x go-v0.45 (webtransport)".to_owned()));
    assert!(all.contains(&"iperf x iperf (tcp)".to_owned()));
    assert_eq!(all.last().map(String::as_str), Some("raw x raw (tcp)"));

    assert_eq!(list(NEWER, &["--impl-select", "~baselines"]).len(), 8);
    assert_eq!(list(NEWER, &["--impl-select", "zig", "--baseline-select", "quinn|iperf"]).len(), 3);
    assert_eq!(list(NEWER, &["--baseline-select", "~none"]).len(), all.len() - 8);
    let failing = list(NEWER, &["--test-select", "~failing"]);
    assert_eq!(failing.first().map(String::as_str), Some("dotnet-v1.0 x rust-v0.56 (quic-v1)"));
    assert_eq!(list(NEWER, &["--test-ignore", "~failing"]).len(), all.len() - failing.len());
}

#[test]
fn a_source_that_cannot_be_had_here_is_unavailable_and_says_why() {
    let mut bench = Bench::new();
    bench.add_entry(
        "{id: go-v0.45, transports: [quic-v1], source: {type: local, path: impls/go/v0.45}}",
    );
    bench.add_entry(
        "{id: py, transports: [webtransport], source: {type: github, repo: o/py, commit: abc}}",
    );
    let ran = bench.run(&[]);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    let reasons: Vec<_> =
        bench.results().tests.into_iter().map(|test| test.reason.unwrap()).collect();
    assert_eq!(
        reasons,
        [
            "go-v0.45: its node is not there yet (impls/go/v0.45)",
            "py: its sources are not on this machine, but on GitHub (o/py at abc)",
        ]
    );
    assert_eq!(bench.run(&["--allow-unavailable"]).status, 0);
}
