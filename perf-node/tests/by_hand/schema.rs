//! What a dialer prints against its JSON Schema, both ways: documents conform, and broken ones do not.

use harness_sdk::document::SCHEMA;
use harness_sdk::{Class, Stack};
use jsonschema::Validator;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{
    Ended, Listening, beside_exchanges, dial, each_stack, has_streams, node, stack,
};

fn schema() -> Validator {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    assert!(jsonschema::meta::is_valid(&schema), "the schema is none");
    jsonschema::draft202012::new(&schema).unwrap()
}

/// stdout as any reader of YAML (and so of JSON) has it, not as our types do; it conforms.
#[track_caller]
fn conforming(ended: &Ended) -> Value {
    let document: Value = serde_yaml::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}\n{}", ended.everything()));
    let schema = schema();
    let errors: Vec<_> = schema
        .iter_errors(&document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{}", ended.everything());
    document
}

/// All that a document of `stack` can hold.
fn everything(stack: &Stack) -> Vec<&'static str> {
    let mut flags = vec!["--connections", "2", "--handshakes", "20", "--warmup", "1"];
    if let Some(beside) = beside_exchanges(stack).first() {
        flags.extend(["--streams", "2", "--bidirectional", "--latency-under-load", beside]);
    }
    flags
}

#[tokio::test]
async fn what_is_measured_conforms_on_every_stack_in_either_format() {
    each_stack(async |stack| {
        let listening = Listening::start(&stack, &[]).await;
        for format in ["yaml", "json"] {
            let launch = || dial(&stack, &listening.address).args(["--format", format]);
            let full = launch().measuring([2, 2, 30], 50_000).args(everything(&stack));
            let document = conforming(&full.run().await);
            let plain = launch().measuring([1, 1, 1], 50_000);
            let without = conforming(&plain.run().await);
            for key in ["load", "latency_under_load", "handshakes"] {
                let is_there = key != "latency_under_load" || has_streams(&stack);
                assert_eq!(document["node"][key].is_object(), is_there, "{key}: {document:#}");
                assert!(without["node"].get(key).is_none(), "{key}: {without:#}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_left_of_a_command_that_cannot_begin_conforms_in_either_format() {
    let folder = tempfile::tempdir().unwrap();
    let [tcp, unknown] = ["/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/udp/1/webrtc-direct"];
    // A folder is no key file.
    let identity = ["--identity", folder.path().to_str().unwrap()];
    for (address, flags, class) in [
        (tcp, &["--streams", "0"][..], Class::Usage),
        (tcp, &["--handshakes", "0"], Class::Usage),
        (tcp, &["--transport", "raw-tcp", "--streams", "2"], Class::Usage),
        (tcp, &identity, Class::Environment),
        (tcp, &[], Class::Connect),
        (unknown, &[], Class::Unsupported),
    ] {
        for format in ["yaml", "json"] {
            let launch = node().args(["dial", address, "--format", format]);
            let ended = launch.args(flags.iter().copied()).run().await;
            assert_eq!(conforming(&ended)["failure"]["class"], class.as_str());
            let is_json = serde_json::from_str::<Value>(&ended.stdout).is_ok();
            assert_eq!(is_json, format == "json", "{}", ended.everything());
        }
    }
}

#[tokio::test]
async fn what_is_left_of_a_broken_run_conforms_on_every_stack() {
    each_stack(async |stack| {
        for (signal, class) in [(None, "transfer"), (Some(Signal::SIGINT), "interrupted")] {
            let listening = Listening::start(&stack, &[]).await;
            let several = if has_streams(&stack) { "--streams" } else { "--connections" };
            let mut dialer = dial(&stack, &listening.address)
                .measuring([1, 100_000, 0], 1_000_000)
                // QUIC is told by nobody that its peer has died.
                .args([several, "3", "--format", "json", "--stall-secs", "2"])
                .spawn();
            dialer.wait_for_stderr("download 1/").await;
            match signal {
                Some(signal) => dialer.signal(signal),
                None => listening.process.kill().await,
            }
            let document = conforming(&dialer.ended().await);
            assert_eq!(document["failure"]["class"], class, "{stack}: {document:#}");
            assert_eq!(document["upload"]["iterations"], 1);
            assert!(document["failure"]["partial"]["samples"][0].is_number(), "{document:#}");
            assert!(document["node"]["load"].get("download").is_none(), "it is not whole");
            if signal.is_none() {
                let nobody = dial(&stack, &listening.address).run().await;
                assert_eq!(conforming(&nobody)["failure"]["class"], "connect", "{stack}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_broken_is_refused() {
    let stack = stack("tcp noise yamux");
    let listening = Listening::start(&stack, &[]).await;
    let launch = dial(&stack, &listening.address).measuring([1, 1, 30], 50_000);
    let good = conforming(&launch.args(everything(&stack)).run().await);
    // Where, and what stands there instead; null where the key is gone.
    let cases = [
        ("", "node", Value::Null),
        ("", "more", json!(1)),
        ("/upload", "samples", Value::Null),
        ("/upload", "samples", json!([])),
        ("/upload", "samples", json!([0])),
        ("/upload", "unit", json!("ms")),
        ("/upload", "mean", json!(1.0)),
        ("/download", "iterations", json!(1.5)),
        ("/latency", "unit", json!("Gbps")),
        ("/node", "version", Value::Null),
        ("/node", "cpu_seconds", json!("1")),
        ("/node/stack", "transport", json!("quick")),
        ("/node/stack", "muxer", Value::Null),
        ("/node/stack", "transport", json!("quic-v1")),
        ("/node/phases_ms", "dial", json!(null)),
        ("/node/phases_ms", "exchange", json!({"p50": 1})),
        ("/node/latency_percentiles_ms", "p99", Value::Null),
        ("/node/load", "streams", json!(0)),
        ("/node/load/upload", "fairness", json!([1.5])),
        ("/node/load/upload", "stream_gbps", json!([1.0])),
        ("/node/latency_under_load", "beside", json!("nothing")),
        ("/node/latency_under_load/percentiles_ms", "p99.9", Value::Null),
        ("/node/latency_under_load/percentiles_ms", "mean", json!(1.0)),
        ("/node/handshakes", "completed", json!(0)),
        ("/node/handshakes", "per_second", Value::Null),
        ("", "failure", json!({"class": "transfer", "phase": "upload"})),
        ("", "failure", json!({"class": "bad", "phase": "upload", "message": "x"})),
    ];
    let schema = schema();
    for (place, key, value) in cases {
        let mut broken = good.clone();
        let object = broken.pointer_mut(place).unwrap().as_object_mut().unwrap();
        match &value {
            // A null that is meant is one in phases_ms.
            Value::Null if place != "/node/phases_ms" => {
                assert!(object.remove(key).is_some(), "{place}/{key} is not there");
            }
            value => {
                object.insert(key.to_owned(), value.clone());
            }
        }
        assert!(!schema.is_valid(&broken), "{place}/{key}: {value} is accepted");
    }
}

#[tokio::test]
async fn the_node_prints_the_schema() {
    let ended = node().arg("schema").run().await;
    ended.assert_status(0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), (SCHEMA, ""));
}
