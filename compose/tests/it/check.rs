//! `perf-compose check` with real nodes: one that keeps every rule, and ones that break them.
//!
//! The fixture is `fixtures/node.py`, a node in plain Python that is told which rule to break. Peers are
//! perf-node's, which `cargo test --workspace` builds beside these tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use perf_compose::check::rules::RULES;

use crate::bench::{Ran, finish_within};

/// For what waits out Redis windows on a busy machine.
const LIMIT: Duration = Duration::from_secs(150);

/// How many nodes are checked at once: most of the time they wait.
const AT_ONCE: usize = 4;

fn perf_node() -> PathBuf {
    let compose = PathBuf::from(env!("CARGO_BIN_EXE_perf-compose"));
    let node = compose.with_file_name("perf-node");
    assert!(node.is_file(), "no {}: cargo build -p perf-node", node.display());
    node
}

fn check(args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perf-compose"));
    let folder = tempfile::tempdir().unwrap();
    command.arg("check").args(args).current_dir(folder.path()).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    finish_within(command.spawn().unwrap(), LIMIT)
}

/// The fixture with `fault` over `transport`, held against `rules` (ids or groups; none: all).
fn fixture(fault: &str, transport: &str, rules: &[&str], more: &[&str]) -> Ran {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/node.py");
    let probe = perf_node();
    let mut args = vec!["--transports", transport, "--probe", probe.to_str().unwrap()];
    args.extend(rules.iter().flat_map(|rule| ["--rule", rule]));
    args.extend_from_slice(more);
    args.extend(["--", "python3", script, fault]);
    check(&args)
}

/// Outcome and what was seen, by rule.
fn found(ran: &Ran) -> BTreeMap<String, (String, String)> {
    let read: serde_yaml::Value = serde_yaml::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}\n{}\n{}", ran.stdout, ran.stderr));
    let text = |one: &serde_yaml::Value, key: &str| one[key].as_str().unwrap().to_owned();
    let findings = read["findings"].as_sequence().unwrap().iter();
    findings.map(|one| (text(one, "rule"), (text(one, "outcome"), text(one, "seen")))).collect()
}

#[test]
fn a_node_that_keeps_every_rule_is_green() {
    let ran = fixture("", "raw-tcp", &[], &["--strict"]);
    assert_eq!(ran.status, 0, "{}\n{}", ran.stdout, ran.stderr);
    let summary = ran.stdout.lines().last().unwrap();
    assert!(summary.contains(" 0 failed, 0 warnings, 0 not checked"), "{summary}");
}

#[test]
fn perf_node_is_green_on_the_wire() {
    let node = perf_node();
    let node = node.to_str().unwrap();
    let rules = ["server", "client", "document", "address"].into_iter();
    let rules: Vec<_> = rules.flat_map(|group| ["--rule", group]).collect();
    let stacks = ["--transports", "tcp,quic-v1", "--muxers", "mplex"];
    let ran = check(&[&["--strict", "--probe", node][..], &stacks, &rules, &[node]].concat());
    assert_eq!(ran.status, 0, "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(ran.stdout.matches("pass  client-upload-rate").count(), 2, "{}", ran.stdout);
}

#[test]
fn a_node_that_sleeps_and_prints_is_red_and_the_report_says_why() {
    let rules = ["client-upload-rate", "client-download-rate", "client-iterations", "document"];
    let ran = fixture("cheats", "tcp", &rules, &[]);
    assert_eq!(ran.status, 1, "{}\n{}", ran.stdout, ran.stderr);
    let line = |rule: &str| {
        let line = ran.stdout.lines().find(|line| line.contains(&format!("{rule} ")));
        line.unwrap_or_else(|| panic!("no {rule} in\n{}", ran.stdout)).trim()
    };
    // By its document alone nobody could tell.
    assert!(line("document-statistics").starts_with("pass"));
    for rule in ["client-upload-rate", "client-download-rate"] {
        assert!(line(rule).starts_with("FAIL"), "{}", line(rule));
        assert!(line(rule).contains("a figure without a transfer is made up"), "{}", line(rule));
        assert!(line(rule).contains("docs/contract.md, /perf/1.0.0"), "{}", line(rule));
    }
    assert!(line("client-iterations").contains("0 uploads and 0 downloads"));
}

/// A node that speaks libp2p and moves every byte, and takes its own buffers' time for the peer's.
#[test]
fn a_node_that_times_the_sender_is_red_on_every_stack() {
    let node = perf_node();
    let liar = node.with_file_name("examples").join("times_the_sender");
    assert!(liar.is_file(), "no {}: cargo build -p perf-node --examples", liar.display());
    let liar = liar.to_str().unwrap();
    let rules = ["--rule", "client-upload-rate", "--rule", "client-download-rate"];
    let stacks = ["--transports", "tcp,quic-v1,webtransport"];
    let ran = check(&[&["--probe", node.to_str().unwrap()][..], &stacks, &rules, &[liar]].concat());
    assert_eq!(ran.status, 1, "{}\n{}", ran.stdout, ran.stderr);
    let count = |line: &str| ran.stdout.matches(line).count();
    assert_eq!(count("FAIL  client-upload-rate"), 3, "{}", ran.stdout);
    assert_eq!(count("pass  client-download-rate"), 3, "{}", ran.stdout);
}

/// Each fault over its transport, and the rules that it breaks.
const FAULTS: &[(&str, &str, &[&str])] = &[
    (
        "validates-nothing",
        "raw-tcp",
        &[
            "env-missing",
            "env-null-is-absent",
            "env-bad-value",
            "env-bad-value-ours",
            "env-zero-bytes",
            "env-layers-refused",
        ],
    ),
    ("knows-two-words", "raw-tcp", &["env-is-dialer"]),
    ("goes-by-duration", "raw-tcp", &["env-duration-yields"]),
    ("publishes-elsewhere", "raw-tcp", &["redis-key", "redis-bare-key"]),
    ("pushes", "raw-tcp", &["redis-type"]),
    ("publishes-forever", "raw-tcp", &["redis-expiry"]),
    (
        "waits-for-nothing",
        "raw-tcp",
        &["redis-late-listener", "redis-late-dialer", "redis-key-never"],
    ),
    ("never-looks-again", "raw-tcp", &["redis-stale-key"]),
    ("reads-no-list", "raw-tcp", &["redis-list"]),
    ("publishes-zero", "raw-tcp", &["address-concrete", "address-listener-ip"]),
    ("has-no-peer-id", "tcp", &["address-peer-id"]),
    ("", "webtransport", &["address-certhash"]),
    ("publishes-unbound", "raw-tcp", &["address-bound-first"]),
    ("prints-as-listener", "raw-tcp", &["stdout-listener"]),
    ("prints-as-dialer", "raw-tcp", &["stdout-dialer"]),
    ("prints-when-debugging", "raw-tcp", &["stdout-debug"]),
    ("forgets-latency", "raw-tcp", &["document-sections"]),
    ("prints-skipped-sections", "raw-tcp", &["document-skipped-section"]),
    ("sorts-keys", "raw-tcp", &["document-keys"]),
    ("leaves-out-a-sample", "raw-tcp", &["document-samples"]),
    ("rounds-up", "raw-tcp", &["document-statistics"]),
    ("prints-exponents", "raw-tcp", &["document-numbers"]),
    ("prints-seconds", "raw-tcp", &["document-units"]),
    ("speaks-everything", "raw-tcp", &["status-unsupported"]),
    ("has-one-status", "raw-tcp", &["status-connect"]),
    ("says-nothing", "raw-tcp", &["status-failure-line"]),
    ("ends-as-killed", "raw-tcp", &["signal-dialer-sigterm"]),
    (
        "hears-nothing",
        "raw-tcp",
        &["signal-listener-sigterm", "signal-listener-sigint", "signal-dialer-sigint"],
    ),
    ("cheats", "tcp", &["client"]),
    // It listens, and speaks no libp2p.
    ("", "tcp", &["server"]),
];

/// The rules that `fault` was found to break: all that were held.
fn broken_by(fault: &str, transport: &str, rules: &[&str]) -> Vec<String> {
    // On a machine that takes seconds to start a process, one that waits for nothing is not seen to: it is
    // then looked at again.
    let mut left = Vec::new();
    for _ in 0..TRIES {
        let ran = fixture(fault, transport, rules, &["--format", "yaml"]);
        let found = found(&ran);
        let is_broken = |outcome: &str| matches!(outcome, "fail" | "warning");
        left = found
            .iter()
            .filter(|(_, (outcome, _))| !is_broken(outcome))
            .map(|one| format!("{one:?}"))
            .collect();
        if left.is_empty() && !found.is_empty() {
            return found.into_keys().collect();
        }
    }
    panic!("{fault} over {transport}: {left:?}");
}

const TRIES: usize = 3;

#[test]
fn every_rule_is_seen_broken() {
    let queue = Mutex::new(FAULTS.iter());
    let broken = Mutex::new(BTreeSet::new());
    let next = || queue.lock().unwrap().next();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((fault, transport, rules)) = next() {
                    let found = broken_by(fault, transport, rules);
                    broken.lock().unwrap().extend(found);
                }
            });
        }
    });
    let all: BTreeSet<_> = RULES.iter().map(|rule| rule.id.to_owned()).collect();
    assert_eq!(*broken.lock().unwrap(), all);
}

#[test]
fn what_cannot_be_checked_says_why() {
    let probe = perf_node();
    let probe = probe.to_str().unwrap();
    let cases: &[(&[&str], i32, &str)] = &[
        (&[], 2, "Usage: perf-compose check"),
        (&["--rule", "env-mising", "x"], 2, "did you mean \"env-missing\"?"),
        (&["--transports", "tpc", "x"], 2, "there is no \"tpc\"; did you mean \"tcp\"?"),
        (&["no-such-node"], 2, "\"no-such-node\" is no implementation of the definitions"),
        (&["--engine", "docker", "--", "true"], 2, "leave out --engine docker"),
        (&["--probe", "nowhere", "--", "true"], 3, "--probe: there is no "),
        (&["--", "true"], 3, "name the program with --probe PATH"),
        (&["--probe", probe, "--", "/no/such/program"], 3, "there is no /no/such/program"),
    ];
    for (args, status, expected) in cases {
        let ran = check(args);
        assert_eq!(ran.status, *status, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn help_teaches_and_the_list_is_whole() {
    let ran = check(&["--help"]);
    for expected in
        ["client-upload-rate", "--engine", "perf-compose check rust-v0.56", "130  interrupted"]
    {
        assert!(ran.stdout.contains(expected), "{expected}: {}", ran.stdout);
    }
    assert_eq!(check(&["--list-rules"]).stdout.lines().count(), RULES.len());
}

/// The tables of docs/check.md: every rule, in the table's order, with its severity and meaning.
#[test]
fn the_page_has_exactly_the_rules() {
    use perf_compose::check::rules::Severity;
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/check.md"));
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows: Vec<Vec<_>> = rows.map(|row| row.split(" | ").collect()).collect();
    let documented: Vec<_> = rows.iter().map(|row| row[0].trim_end_matches('`')).collect();
    let known: Vec<_> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(documented, known);
    for (row, rule) in rows.iter().zip(RULES) {
        let severity = match rule.severity {
            Severity::Must => "fails",
            Severity::Should => "warns",
        };
        assert_eq!(row.len(), 5, "{}: rule, severity, meaning, why, what to do", rule.id);
        let plain = |text: &str| text.replace('`', "");
        assert_eq!((row[1], plain(row[2])), (severity, plain(rule.meaning)), "{}", rule.id);
        assert!(row[3].len() > 20 && row[4].len() > 20, "{}", rule.id);
    }
}
