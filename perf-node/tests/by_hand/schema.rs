//! What a dialer prints against its JSON Schema, both ways: documents conform, and broken ones do not.

use harness_sdk::document::SCHEMA;
use jsonschema::Validator;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{Ended, Listening, dial, node, stack};

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

const EVERYTHING: [&str; 10] = [
    "--streams",
    "2",
    "--bidirectional",
    "--latency-under-load",
    "both",
    "--handshakes",
    "20",
    "--warmup",
    "1",
    "--connections",
];

#[tokio::test]
async fn what_is_measured_conforms_in_either_format() {
    for stack in [stack("tcp tls yamux"), stack("quic-v1")] {
        let listening = Listening::start(&stack, &[]).await;
        for format in ["yaml", "json"] {
            let launch = dial(&stack, &listening.address).measuring([2, 2, 30], 50_000);
            let launch = launch.args(EVERYTHING).args(["2", "--format", format]);
            let document = conforming(&launch.run().await);
            for key in ["load", "latency_under_load", "handshakes"] {
                assert!(document["node"][key].is_object(), "{key}: {document:#}");
            }
            let plain = dial(&stack, &listening.address).measuring([1, 1, 1], 50_000);
            let document = conforming(&plain.args(["--format", format]).run().await);
            for key in ["load", "latency_under_load", "handshakes"] {
                assert!(document["node"].get(key).is_none(), "{key}: {document:#}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_left_of_a_failure_conforms() {
    let stack = stack("tcp noise yamux");
    let nobody = dial(&stack, "/ip4/127.0.0.1/tcp/1").run().await;
    assert_eq!(conforming(&nobody)["failure"]["class"], "connect");
    for format in ["yaml", "json"] {
        let refused = dial(&stack, "/ip4/127.0.0.1/tcp/1").args(["--streams", "0"]);
        let refused = refused.args(["--format", format]).run().await;
        assert_eq!(conforming(&refused)["failure"]["class"], "usage");
        let is_json = serde_json::from_str::<Value>(&refused.stdout).is_ok();
        assert_eq!(is_json, format == "json", "{}", refused.everything());
    }
    let unknown = node().args(["dial", "/ip4/127.0.0.1/udp/1/webrtc-direct"]).run().await;
    assert_eq!(conforming(&unknown)["failure"]["class"], "unsupported");
    for (signal, class) in [(None, "transfer"), (Some(Signal::SIGINT), "interrupted")] {
        let listening = Listening::start(&stack, &[]).await;
        let launch = dial(&stack, &listening.address).measuring([1, 100_000, 0], 1_000_000);
        let mut dialer = launch.args(["--streams", "3", "--format", "json"]).spawn();
        dialer.wait_for_stderr("download 1/").await;
        match signal {
            Some(signal) => dialer.signal(signal),
            None => listening.process.kill().await,
        }
        let document = conforming(&dialer.ended().await);
        assert_eq!(document["failure"]["class"], class);
        assert_eq!(document["upload"]["iterations"], 1);
        assert!(document["failure"]["partial"]["samples"][0].is_number(), "{document:#}");
        assert!(document["node"]["load"].get("download").is_none(), "it is not whole");
    }
}

#[tokio::test]
async fn what_is_broken_is_refused() {
    let stack = stack("tcp noise yamux");
    let listening = Listening::start(&stack, &[]).await;
    let launch = dial(&stack, &listening.address).measuring([1, 1, 30], 50_000);
    let good = conforming(&launch.args(EVERYTHING).arg("1").run().await);
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
