//! The results of a run, typed: what results.yaml, the journal and the reports are made of.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use harness_sdk::document::{NodeInfo, Section};
use harness_sdk::{Class, Muxer, SecureChannel, Transport};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::machine::Machine;
use crate::matrix::Cell;

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// What was run, where and when.
    pub metadata: Metadata,
    /// How many tests ended how.
    pub summary: Summary,
    /// Every selected test, in the matrix's order.
    pub tests: Vec<TestResult>,
}

/// What was run, where and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The run's name, and its folder's: `perf-HHMMSS-DD-MM-YYYY`, UTC.
    pub test_pass: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// RFC 3339, UTC.
    pub completed_at: String,
    /// From start to completion, builds included.
    pub duration: Elapsed,
    /// Architecture and system: `x86_64 / Linux`.
    pub platform: String,
    /// What ran the nodes.
    pub engine: String,
    /// The runner and its version.
    pub runner: String,
    /// What every dialer was asked to measure, by the contract's variables.
    pub workload: BTreeMap<String, String>,
    /// Longest that a cell could take.
    pub timeout: Elapsed,
    /// The filters that were given, by flag.
    pub filters: BTreeMap<String, String>,
    /// The machine as it was at the start.
    pub machine: Machine,
    /// From what, and under what conditions.
    #[serde(default)]
    pub provenance: Provenance,
    /// What expected-failures.yaml says and is not, or no longer, so: each makes the run fail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmet_expectations: Vec<String>,
    /// What a reader of the figures must know: that the machine was not quiet, for one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What figures came from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// The file of definitions.
    pub definitions: String,
    /// The sha256 of what it held.
    pub definitions_sha256: String,
    /// The sha256 of everything that determines the run: definitions, tests, workload, versions.
    pub matrix_sha256: String,
    /// The repository that the definitions are in, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<Git>,
    /// What the tools that build and run nodes say of themselves, by program.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub toolchains: BTreeMap<String, String>,
    /// The ids of the images that nodes ran in, by implementation; where it was a run of containers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<String, String>,
    /// What containers may take, by implementation, where it is less than what the machine has:
    /// `cpus 1.5, memory 512m`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, String>,
    /// How many tests ran at a time.
    pub workers: usize,
    /// The processors that each side was bound to, for each worker.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pinning: Vec<Sides>,
    /// When the run was taken up again, RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumed_at: Vec<String>,
}

/// A state of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Git {
    /// The commit that is checked out.
    pub commit: String,
    /// Whether files differ from it.
    pub dirty: bool,
}

/// The processors of each side of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sides {
    /// Those of the side that measures.
    pub dialer: Vec<usize>,
    /// Those of the side that answers.
    pub listener: Vec<usize>,
}

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// All of them.
    pub total: usize,
    /// Everything asked for was measured.
    pub passed: usize,
    /// Nothing was measured whole.
    pub failed: usize,
    /// Failures with at least one whole section.
    pub partial: usize,
    /// Failures of either kind that were expected: they are in neither count.
    #[serde(default)]
    pub expected: usize,
    /// A side does not speak the stack.
    pub unsupported: usize,
    /// A side cannot be had on this machine.
    pub unavailable: usize,
    /// The run was interrupted before.
    pub not_run: usize,
}

impl Summary {
    /// Counts `tests`.
    pub fn of(tests: &[TestResult]) -> Self {
        let mut summary = Self { total: tests.len(), ..Self::default() };
        for test in tests {
            *match test.status {
                _ if test.expected.is_some() => &mut summary.expected,
                Status::Pass => &mut summary.passed,
                Status::Fail => &mut summary.failed,
                Status::Partial => &mut summary.partial,
                Status::Unsupported => &mut summary.unsupported,
                Status::Unavailable => &mut summary.unavailable,
                Status::NotRun => &mut summary.not_run,
            } += 1;
        }
        summary
    }
}

/// One test's result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TestResult {
    /// The test's name.
    pub test: String,
    /// Id of the side that measures.
    pub dialer: String,
    /// Id of the side that answers.
    pub listener: String,
    /// Over what.
    pub transport: Transport,
    /// `null` where the transport brings its own.
    pub secure_channel: Option<SecureChannel>,
    /// `null` where the transport brings its own.
    pub muxer: Option<Muxer>,
    /// How it ended.
    pub status: Status,
    /// Who is to blame; absent where it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Blame>,
    /// What happened; absent where it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why that was expected, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
    /// From before the first process was started until nothing was left of either.
    pub duration: Elapsed,
    /// Gbps; there only if every iteration was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<Section>,
    /// Gbps; there only if every iteration was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download: Option<Section>,
    /// ms; there only if every iteration was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Section>,
    /// What the dialer told of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeInfo>,
}

impl TestResult {
    /// The result of a cell that was measured, or was not for the reason given.
    pub fn new(cell: &Cell<'_>, status: Status, failure: Option<(Blame, String)>) -> Self {
        let (class, reason) = failure.unzip();
        Self {
            test: cell.name.clone(),
            dialer: cell.dialer.id.clone(),
            listener: cell.listener.id.clone(),
            transport: cell.stack.transport,
            secure_channel: cell.stack.secure_channel,
            muxer: cell.stack.muxer,
            status,
            class,
            reason,
            expected: None,
            duration: Elapsed::default(),
            upload: None,
            download: None,
            latency: None,
            node: None,
        }
    }

    /// The result of a cell that the run has not come to.
    pub fn not_run(cell: &Cell<'_>, reason: &str) -> Self {
        let failure = (Class::Interrupted.into(), reason.to_owned());
        Self::new(cell, Status::NotRun, Some(failure))
    }

    /// The sections that there are, in the document's order.
    pub fn sections(&self) -> impl Iterator<Item = (&'static str, &Section)> {
        let sections =
            [("upload", &self.upload), ("download", &self.download), ("latency", &self.latency)];
        sections.into_iter().filter_map(|(name, section)| Some((name, section.as_ref()?)))
    }
}

/// Why a failure was expected: the entry of expected-failures.yaml.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Why it fails.
    pub reason: String,
    /// Who sees to it.
    pub owner: String,
    /// The last day on which it is accepted, `2026-12-31`.
    pub expires: String,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Everything asked for was measured.
    Pass,
    /// Nothing was measured whole.
    Fail,
    /// A failure with at least one whole section.
    Partial,
    /// A side does not speak the stack: nobody's fault.
    Unsupported,
    /// A side cannot be had on this machine.
    Unavailable,
    /// The run was interrupted before.
    NotRun,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Partial => "partial",
            Self::Unsupported => "unsupported",
            Self::Unavailable => "unavailable",
            Self::NotRun => "not-run",
        })
    }
}

/// Who is to blame for a test that did not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Blame {
    /// A class of the contract, which both the node's words and its status support.
    Classified(Class),
    /// What the node said, if anything, and how it ended do not agree.
    Unclassified(Unclassified),
}

/// The one name of what has no class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unclassified {
    /// `unclassified`.
    Unclassified,
}

impl Blame {
    /// No class can be trusted.
    pub const UNCLASSIFIED: Self = Self::Unclassified(Unclassified::Unclassified);
}

impl From<Class> for Blame {
    fn from(class: Class) -> Self {
        Self::Classified(class)
    }
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Classified(class) => class.fmt(f),
            Self::Unclassified(_) => f.pad("unclassified"),
        }
    }
}

/// A length of time to the millisecond, `12.345s` in documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Elapsed(Duration);

impl From<Duration> for Elapsed {
    fn from(duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(Duration::from_millis(micros.saturating_add(500) / 1000))
    }
}

impl From<Elapsed> for Duration {
    fn from(elapsed: Elapsed) -> Self {
        elapsed.0
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One division, rounded once: seconds and a fraction added up would show the error of the sum.
        write!(f, "{}s", self.0.as_millis() as f64 / 1000.0)
    }
}

impl Serialize for Elapsed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Elapsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let seconds = text.strip_suffix('s').and_then(|seconds| seconds.parse().ok());
        let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        duration.map(Self::from).ok_or_else(|| {
            serde::de::Error::custom(format_args!("\"{text}\" is not a duration like 12.3s"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short_and_read_back() {
        for (millis, text) in
            [(12_300, "12.3s"), (896_000, "896s"), (1_660, "1.66s"), (7, "0.007s"), (0, "0s")]
        {
            let elapsed = Elapsed::from(Duration::from_millis(millis));
            assert_eq!(elapsed.to_string(), text);
            let read: Elapsed = serde_json::from_str(&format!("\"{text}\"")).unwrap();
            assert_eq!(read, elapsed);
        }
        assert!(serde_json::from_str::<Elapsed>("\"-1s\"").is_err());
        assert!(serde_json::from_str::<Elapsed>("\"12\"").is_err());
    }

    #[test]
    fn blame_is_one_word() {
        for (blame, text) in
            [(Blame::UNCLASSIFIED, "\"unclassified\""), (Class::Connect.into(), "\"connect\"")]
        {
            assert_eq!(serde_json::to_string(&blame).unwrap(), text);
            assert_eq!(serde_json::from_str::<Blame>(text).unwrap(), blame);
        }
        assert!(serde_json::from_str::<Blame>("\"someone\"").is_err());
    }
}
