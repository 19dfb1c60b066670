//! doctor, completions and man pages.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::node;

#[tokio::test]
async fn the_doctor_has_a_verdict_on_everything_and_ends_well() {
    let text = node().arg("doctor").run().await;
    text.assert_status(0);
    assert_eq!(text.stderr, "");
    let json = node().args(["doctor", "--format", "json"]).run().await;
    json.assert_status(0);
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    for what in [
        "net.core.rmem_max",
        "cipher instructions",
        "memory copies",
        "load",
        "open files",
        "clock source",
    ] {
        assert!(findings.iter().any(|finding| finding["what"] == what), "{what}: {report:#}");
        assert!(text.stdout.contains(what), "{what}: {}", text.stdout);
    }
    for finding in findings {
        let (verdict, value) = (finding["verdict"].as_str().unwrap(), finding.get("value"));
        assert!(["ok", "worth-changing", "could-not-be-read"].contains(&verdict), "{finding}");
        assert_eq!(value.is_none(), verdict == "could-not-be-read", "{finding}");
        assert!(!finding["why"].as_str().unwrap().is_empty(), "{finding}");
    }
}

#[tokio::test]
async fn completions_know_every_subcommand_and_flag() {
    for shell in ["bash", "fish", "zsh"] {
        let ended = node().args(["completions", shell]).run().await;
        ended.assert_status(0);
        for word in ["latency-under-load", "max-rate", "doctor"] {
            assert!(ended.stdout.contains(word), "{shell}: {word}");
        }
        if shell == "bash" {
            let mut bash = Command::new("bash");
            let checked = bash.args(["-n", "/dev/stdin"]).stdin(Stdio::piped()).spawn();
            let mut checked = checked.unwrap();
            std::io::Write::write_all(&mut checked.stdin.take().unwrap(), ended.stdout.as_bytes())
                .unwrap();
            assert!(checked.wait().unwrap().success());
        }
    }
    assert_eq!(node().args(["completions", "abacus"]).run().await.status, 2);
}

#[tokio::test]
async fn there_is_a_man_page_for_each_subcommand() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    let ended = node().args(["man", pages.to_str().unwrap()]).run().await;
    ended.assert_status(0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
    for (page, text) in [
        ("", "Exit status"),
        ("-dial", "\\-\\-latency\\-under\\-load"),
        ("-listen", "\\-\\-max\\-rate"),
    ] {
        let page = std::fs::read_to_string(pages.join(format!("perf-node{page}.1"))).unwrap();
        assert!(page.contains(".TH") && page.contains(text), "{text}: {page}");
    }
    let nowhere = node().args(["man", "/dev/null/nowhere"]).run().await;
    nowhere.assert_status(3);
}
