//! results.yaml against its JSON Schema, both ways: what is written conforms, and what is broken
//! does not.

use std::fs;

use jsonschema::Validator;
use perf_compose::report::results_yaml;
use perf_compose::results::Status;
use serde_json::{Value, json};

use crate::bench::{Bench, DOCUMENT, SERVES, finish, interrupt, prints_document, wait_for};
use crate::fixture;

const SCHEMA: &str = include_str!("../../schema/results.schema.json");

fn schema() -> Validator {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    assert!(jsonschema::meta::is_valid(&schema), "the schema is none");
    jsonschema::draft202012::new(&schema).unwrap()
}

/// What is wrong with `document`, each with where.
fn errors(document: &Value) -> Vec<String> {
    let schema = schema();
    schema
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// `yaml` as any reader of YAML has it, not as our types do.
fn value(yaml: &str) -> Value {
    serde_yaml::from_str(yaml).unwrap_or_else(|error| panic!("{error}:\n{yaml}"))
}

/// The results of the one run in `bench`.
fn written(bench: &Bench) -> Value {
    value(&fs::read_to_string(bench.run_folder().join("results.yaml")).unwrap())
}

/// Fails where the results of the one run in `bench` are not as the schema has them.
pub(crate) fn assert_conforms(bench: &Bench) {
    let document = written(bench);
    assert_eq!(errors(&document), [""; 0], "{document:#}");
}

fn assert_valid(document: &Value, statuses: &[&str]) {
    assert_eq!(errors(document), [""; 0], "{document:#}");
    let found: Vec<_> =
        document["tests"].as_array().unwrap().iter().map(|test| &test["status"]).collect();
    assert_eq!(found, statuses);
}

#[test]
fn what_the_binary_writes_conforms() {
    let node = "node: {name: n, version: '1', stack: {transport: quic-v1, profile: stock, negotiation: v1}, phases_ms: {handshake: 1.5, exchange: {p50: 0.1, p99: null}}, latency_percentiles_ms: {p50: 0.2, p90: null, p95: null, p99: null}, cpu_seconds: 1.5, peak_rss_bytes: 1, agent: x}";
    let dialer = format!(
        "case $TRANSPORT in\n\
         quic) echo 'failure: {{class: unsupported, phase: configuration, message: no quic}}'; exit 127;;\n\
         https) exit 4;;\n\
         webtransport) cat <<'END'\n{DOCUMENT}failure: {{class: transfer, phase: latency, message: 'reset'}}\nEND\nexit 5;;\n\
         esac\ncat <<'END'\n{DOCUMENT}{node}\nEND\n"
    );
    let mut bench = Bench::with_node(SERVES, &dialer);
    bench.add("layered", "[tcp], secureChannels: [noise], muxers: [yamux]", SERVES, &dialer);
    bench.add("other", "[quic, https, webtransport]", SERVES, &dialer);
    bench.add_entry("{id: missing, transports: [webrtc-direct]}");
    bench.run(&["--test-ignore", "nothing"]);
    let document = written(&bench);
    let statuses = ["pass", "pass", "unsupported", "fail", "partial", "unavailable"];
    assert_valid(&document, &statuses);
    assert_eq!(document["tests"][0]["node"]["agent"], "x");
}

#[test]
fn what_an_interrupted_run_leaves_conforms() {
    let dialer = "touch hangs; sleep 1000";
    let mut bench = Bench::new();
    bench.add("node", "[quic-v1, quic]", SERVES, dialer);
    let child = bench.run_command(&[]).spawn().unwrap();
    wait_for(&bench.path("hangs"));
    assert_valid(&written(&bench), &["not-run", "not-run"]);
    interrupt(&child);
    assert_eq!(finish(child).status, 130);
    assert_valid(&written(&bench), &["not-run", "not-run"]);
    let page = fs::read_to_string(bench.run_folder().join("results.html")).unwrap();
    assert!(page.contains("the run was interrupted before it was done"), "{page}");
}

#[test]
fn a_run_with_every_status_conforms() {
    let results = fixture::results();
    assert_eq!(results.tests.len(), 46);
    use Status::{Fail, NotRun, Partial, Pass, Unavailable, Unsupported};
    for status in [Pass, Fail, Partial, Unsupported, Unavailable, NotRun] {
        assert!(results.tests.iter().any(|test| test.status == status), "{status}");
    }
    assert_eq!(errors(&value(&results_yaml(&results))), [""; 0]);
}

#[test]
fn what_is_broken_is_refused() {
    let good = {
        let bench = Bench::with_node(SERVES, &prints_document());
        bench.run(&[]);
        written(&bench)
    };
    assert_valid(&good, &["pass"]);
    let section = good["tests"][0]["upload"].clone();
    let without = |key: &str| {
        let mut section = section.clone();
        section.as_object_mut().unwrap().remove(key);
        section
    };
    // Where, and what stands there instead; `Value::Null` where the key is gone.
    let cases = [
        ("", "summary", Value::Null),
        ("", "more", json!(1)),
        ("/metadata", "startedAt", Value::Null),
        ("/metadata", "startedAt", json!("yesterday")),
        ("/metadata", "duration", json!(12.5)),
        ("/metadata/machine", "cores", json!(0)),
        ("/metadata/machine", "loadAverage", json!([0.1])),
        ("/metadata/machine", "loadAverageEnd", json!([0.1])),
        ("/metadata/machine", "governor", json!(1)),
        ("/metadata/machine", "sysctls", json!({"net.core.rmem_max": 212992})),
        ("/metadata", "warnings", json!("busy")),
        ("/metadata", "warnings", json!([])),
        ("/metadata", "provenance", Value::Null),
        ("/metadata/provenance", "definitionsSha256", json!("x")),
        ("/metadata/provenance", "workers", json!(0)),
        (
            "/metadata/provenance",
            "git",
            json!({"commit": "0000000000000000000000000000000000000000"}),
        ),
        ("/metadata/provenance", "pinning", json!([{"dialer": [0]}])),
        ("/metadata/provenance", "resumedAt", json!(["yesterday"])),
        ("/metadata/workload", "UPLOAD_BYTES", json!(1)),
        ("/summary", "passed", json!(-1)),
        ("/summary", "notRun", Value::Null),
        ("/summary", "skipped", json!(0)),
        ("/tests/0", "status", json!("passed")),
        ("/tests/0", "status", json!("fail")),
        ("/tests/0", "reason", json!("a pass has none")),
        ("/tests/0", "class", json!("transfer")),
        ("/tests/0", "transport", json!("tcp")),
        ("/tests/0", "transport", json!("quick")),
        ("/tests/0", "secureChannel", json!("noise")),
        ("/tests/0", "muxer", Value::Null),
        ("/tests/0", "duration", json!("12.3 s")),
        ("/tests/0", "throughput", json!(1)),
        ("/tests/0", "upload", without("samples")),
        ("/tests/0", "upload", without("unit")),
        ("/tests/0", "latency", section.clone()),
        ("/tests/0/upload", "mean", json!(1.0)),
        ("/tests/0/upload", "median", json!("6.5")),
        ("/tests/0/upload", "unit", json!("Mbps")),
        ("/tests/0/upload", "samples", json!([])),
        ("/tests/0/upload", "samples", json!([6.5, 0])),
        ("/tests/0/upload", "iterations", json!(0)),
    ];
    for (place, key, value) in cases {
        let mut broken = good.clone();
        let object = broken.pointer_mut(place).unwrap().as_object_mut().unwrap();
        match &value {
            Value::Null => object.remove(key),
            value => object.insert(key.to_owned(), value.clone()),
        };
        assert!(!schema().is_valid(&broken), "{place}/{key}: {value} is accepted");
    }
}

#[test]
fn a_status_that_its_numbers_contradict_is_refused() {
    let all = value(&results_yaml(&fixture::results()));
    let tests = all["tests"].as_array().unwrap();
    let some = |status: &str| tests.iter().find(|test| test["status"] == status).unwrap().clone();
    let with = |test: Value| {
        let mut document = all.clone();
        document["tests"] = json!([test]);
        document
    };
    for status in ["fail", "partial", "unsupported", "unavailable", "not-run"] {
        let test = some(status);
        assert!(schema().is_valid(&with(test.clone())), "{status}");
        for gone in ["class", "reason"] {
            let mut test = test.clone();
            test.as_object_mut().unwrap().remove(gone);
            assert!(!schema().is_valid(&with(test)), "{status} without {gone} is accepted");
        }
        let mut test = test.clone();
        match status {
            "partial" => {
                for section in ["upload", "download", "latency"] {
                    test.as_object_mut().unwrap().remove(section);
                }
            }
            _ => test["upload"] = some("pass")["upload"].clone(),
        }
        assert!(!schema().is_valid(&with(test)), "{status} with wrong sections is accepted");
    }
}
