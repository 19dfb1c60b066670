//! What stands on stderr while a dialer works.

use std::time::Duration;

use harness_sdk::Class;
use serde_json::Value;

use crate::support::{Ended, Listening, NONE, dial, each_stack, has_streams, stack};

/// Every line of stderr, each of which is one event.
#[track_caller]
fn events(ended: &Ended) -> Vec<Value> {
    let parse = |line: &str| {
        serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}\n{}", ended.everything()))
    };
    ended.stderr.lines().map(parse).collect()
}

fn named<'a>(events: &'a [Value], name: &'a str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |event| event["event"] == name)
}

#[tokio::test]
async fn an_iteration_by_time_is_told_as_it_runs_and_what_is_omitted_is_marked() {
    each_stack(async |stack| {
        let listening = Listening::start(&stack, &[]).await;
        let two = if has_streams(&stack) { "--streams" } else { "--connections" };
        let launch = dial(&stack, &listening.address)
            .args(["--upload-iterations", "1", "--download-iterations", "1"])
            .args(["--latency-iterations", "5", two, "2"])
            .args(["--duration", "0.6", "--omit", "0.3"])
            .args(["--interval", "0.1", "--progress", "json"]);
        let ended = launch.run().await;
        ended.measured([1, 1, 5]);
        assert!(ended.lived > Duration::from_millis(1800), "{}", ended.everything());
        let events = events(&ended);
        assert_eq!(events[0]["event"], "connected");
        assert_eq!(events[0]["stack"]["transport"], stack.transport.as_str());
        for section in ["upload", "download"] {
            let of_section: Vec<_> = events.iter().filter(|e| e["section"] == section).collect();
            let (last, others) = of_section.split_last().unwrap();
            let (sample, intervals) = others.split_last().unwrap();
            assert_eq!((&last["event"], &last["iterations"]), (&"section".into(), &1.into()));
            assert_eq!((&sample["event"], &sample["iteration"]), (&"sample".into(), &1.into()));
            assert!(sample["fairness"].as_f64().unwrap() <= 1.0);
            let bytes = |omitted: bool| -> u64 {
                let these = intervals.iter().filter(|e| e["omitted"] == omitted);
                these.map(|interval| interval["bytes"].as_u64().unwrap()).sum()
            };
            assert!(bytes(true) > 0, "{of_section:#?}");
            // All that was moved, less what no line was worth.
            let (told, moved) = (bytes(false), sample["bytes"].as_u64().unwrap());
            assert!(told <= moved && told > moved / 2, "{told} of {moved}: {of_section:#?}");
            for interval in intervals {
                let streams = interval["streams"].as_array().unwrap();
                let sum: u64 = streams.iter().map(|bytes| bytes.as_u64().unwrap()).sum();
                assert_eq!((streams.len(), Some(sum)), (2, interval["bytes"].as_u64()));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_duration_is_for_the_direction_that_has_no_size() {
    for (sized, timed) in [("upload", "download"), ("download", "upload")] {
        let stack = stack("tcp noise yamux");
        let listening = Listening::start(&stack, &[]).await;
        let launch = dial(&stack, &listening.address)
            .args(["--upload-iterations", "1", "--download-iterations", "1"])
            .args(["--latency-iterations", "0", "--progress", "json", "--duration", "0.4"])
            .args([format!("--{sized}-bytes").as_str(), "1000003"]);
        let ended = launch.run().await;
        ended.measured([1, 1, 0]);
        let events = events(&ended);
        let sample = |section| named(&events, "sample").find(|e| e["section"] == section).unwrap();
        assert_eq!(sample(sized)["bytes"], 1_000_003);
        let seconds = sample(timed)["seconds"].as_f64().unwrap();
        assert!(seconds >= 0.4 && sample(timed)["bytes"] != 1_000_003, "{events:#?}");
    }
}

#[tokio::test]
async fn text_is_for_people_and_has_no_intervals_where_none_looks_on() {
    let stack = stack("quic-v1");
    let listening = Listening::start(&stack, &[]).await;
    let run = async |flags: &[&str]| {
        let launch = dial(&stack, &listening.address).measuring([2, 1, 3], 2_000_000);
        let ended = launch.args(flags.iter().copied()).run().await;
        ended.measured([2, 1, 3]);
        ended.stderr
    };
    let told = run(&[]).await;
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), 5, "{told}");
    assert!(lines[0].starts_with("connected to /ip4/127.0.0.1/udp/"), "{told}");
    assert!(lines[1].starts_with("upload 1/2: ") && lines[1].contains(" Gbps, 1.91 MiB in "));
    assert_eq!(lines[4], "latency: 3 measured");
    let told = run(&["--interval", "0.001"]).await;
    assert!(told.lines().any(|line| line.starts_with("upload 1/2 ")), "{told}");
}

#[tokio::test]
async fn a_failure_is_the_last_event_and_in_the_document() {
    let stack = stack("tcp tls yamux");
    let nobody = dial(&stack, "/ip4/127.0.0.1/tcp/1").args(["--progress", "json"]).run().await;
    nobody.assert_status(4);
    let told = events(&nobody);
    let [failure] = &told[..] else { panic!("{}", nobody.everything()) };
    assert_eq!((&failure["event"], &failure["class"]), (&"failure".into(), &"connect".into()));
    let document = harness_sdk::Document::parse(&nobody.stdout).unwrap();
    assert_eq!(failure["message"], document.failure.unwrap().message);

    let listening = Listening::start(&stack, &[]).await;
    let mut dialer = dial(&stack, &listening.address)
        .measuring([100_000, 0, 0], 1_000_000)
        .args(["--progress", "json"])
        .spawn();
    dialer.wait_for_stderr(r#""event":"sample""#).await;
    listening.process.kill().await;
    let ended = dialer.ended().await;
    ended.assert_status(5);
    let told = events(&ended);
    let failure = told.last().unwrap();
    assert_eq!((&failure["event"], &failure["phase"]), (&"failure".into(), &"upload".into()));
    let document = harness_sdk::Document::parse(&ended.stdout).unwrap();
    let samples = document.failure.unwrap().partial.unwrap().samples;
    assert_eq!(named(&told, "sample").count(), samples.len());
}

#[tokio::test]
async fn a_refused_setting_is_told_in_text() {
    let stack = stack("quic-v1");
    let flags = ["--progress", "json", "--streams", "0"];
    let refused = dial(&stack, "/ip4/127.0.0.1/udp/1/quic-v1").args(flags).run().await;
    let failure = refused.failed(Class::Usage, NONE);
    assert!(failure.message.starts_with("--streams"), "{failure:?}");
}
