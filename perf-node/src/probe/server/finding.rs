//! What holding a node against a rule came to.

use std::fmt::Write;

use harness_sdk::chain;
use harness_sdk::document::quoted;
use perf_protocol::Error;

use crate::swarm::OpenError;

/// How a rule turned out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Kept.
    Pass,
    /// Broken.
    Fail,
    /// Kept as far as the protocol goes, and yet something to look at.
    Warning,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Warning => "warning",
        }
    }
}

/// An outcome, and what was seen that makes it one.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    pub(super) seen: String,
}

impl Verdict {
    pub(super) fn pass(seen: impl Into<String>) -> Self {
        Self { outcome: Outcome::Pass, seen: seen.into() }
    }

    pub(super) fn fail(seen: impl Into<String>) -> Self {
        Self { outcome: Outcome::Fail, seen: seen.into() }
    }

    pub(super) fn warning(seen: impl Into<String>) -> Self {
        Self { outcome: Outcome::Warning, seen: seen.into() }
    }
}

/// A rule was broken: what was seen in place of what it expects.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// No connection to judge by. The node may limit how many a second it takes.
    #[error("{0}")]
    Unconnected(String),
    /// On a connection.
    #[error("{0}")]
    Seen(String),
}

impl Broken {
    /// `error`, and what was going on.
    pub(super) fn during(what: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        Self::Seen(format!("{what}: {}", chain(error)))
    }
}

impl From<String> for Broken {
    fn from(seen: String) -> Self {
        Self::Seen(seen)
    }
}

impl From<OpenError> for Broken {
    fn from(error: OpenError) -> Self {
        Self::during("opening a stream", &error)
    }
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        Self::Seen(chain(&Error::from(error)))
    }
}

/// One line of the document.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) rule: &'static str,
    pub(super) expected: &'static str,
    pub(super) verdict: Verdict,
}

/// The document.
pub(super) fn to_yaml(findings: &[Finding]) -> String {
    let mut text = String::from("findings:\n");
    for Finding { rule, expected, verdict } in findings {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  - {{rule: {rule}, outcome: {}, expected: {}, seen: {}}}",
            verdict.outcome.as_str(),
            quoted(expected),
            quoted(&verdict.seen),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_reads_back_whatever_it_holds() {
        let seen = "a \"reset\": {not} [ended], #1 — é";
        let finding = Finding {
            rule: "server-zero-bytes",
            expected: "nothing: the end",
            verdict: Verdict { outcome: Outcome::Warning, seen: seen.to_owned() },
        };
        let read: serde_yaml::Value = serde_yaml::from_str(&to_yaml(&[finding])).unwrap();
        let finding = &read["findings"][0];
        assert_eq!(finding["seen"], seen);
        assert_eq!(finding["outcome"], "warning");
        assert_eq!(finding["expected"], "nothing: the end");
    }
}
