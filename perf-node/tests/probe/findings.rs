//! What `perf-node probe server` prints.

use harness_sdk::Stack;
use serde::Deserialize;

use crate::support::{Ended, probe_server};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    findings: Vec<Finding>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Finding {
    pub(crate) rule: String,
    pub(crate) outcome: Outcome,
    pub(crate) expected: String,
    pub(crate) seen: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Pass,
    Fail,
    Warning,
}

/// The findings of a probe that could judge.
pub(crate) fn findings(ended: &Ended) -> Vec<Finding> {
    ended.assert_status(0);
    let document: Document = serde_yaml::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}\n{}", ended.everything()));
    document.findings
}

/// What one rule finds at `address`.
pub(crate) async fn finding(stack: &Stack, address: &str, rule: &str, flags: &[&str]) -> Finding {
    let launch = probe_server(stack, address).args(["--rule", rule]).args(flags.iter().copied());
    let ended = launch.run().await;
    let mut findings = findings(&ended);
    assert_eq!(findings.len(), 1, "{}", ended.everything());
    let finding = findings.remove(0);
    assert_eq!(finding.rule, rule);
    finding
}
