//! What remains of a process, and what the contract says of it.

use std::time::Duration;

use harness_sdk::document::{FailureInfo, Partial, Section};
use harness_sdk::stats::{BoxPlot, box_plot};
use harness_sdk::{Class, Document, Phase};
use serde::Deserialize;

/// How many samples upload, download and latency have; 0: no such section.
pub(crate) type Sections = [usize; 3];

/// Nothing was measured.
pub(crate) const NONE: Sections = [0; 3];

const NAMES: [&str; 3] = ["upload", "download", "latency"];

/// The keys that consumers grep for, under the three headings and nowhere else at that indent.
const KEYS: [&str; 9] =
    ["iterations", "min", "q1", "median", "q3", "max", "outliers", "samples", "unit"];

/// A process that has ended.
pub(crate) struct Ended {
    pub(crate) said: String,
    /// The exit status; below 0 the signal.
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// From its start to its end.
    pub(crate) lived: Duration,
}

/// The last line on stderr of a process that failed.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct LastLine {
    pub(crate) class: Class,
    pub(crate) message: String,
}

impl Ended {
    #[track_caller]
    pub(crate) fn assert_status(&self, status: i32) {
        assert_eq!(self.status, status, "{}", self.everything());
        assert!(!self.stderr.contains("panicked"), "{}", self.everything());
    }

    /// The document of a dialer that measured all it was asked for: `sections`, and no failure.
    #[track_caller]
    pub(crate) fn measured(&self, sections: Sections) -> Document {
        self.assert_status(0);
        let document = self.document(sections);
        assert_eq!(document.failure, None, "{}", self.everything());
        document
    }

    /// The `failure:` of a dialer that failed: the status is its class's, the last line on stderr
    /// says the same, and of the sections there are these and no others.
    #[track_caller]
    pub(crate) fn failed(&self, class: Class, sections: Sections) -> FailureInfo {
        self.assert_status(class.exit_status().into());
        let document = self.document(sections);
        let failure = document.failure.unwrap_or_else(|| panic!("{}", self.everything()));
        assert_eq!(failure.class, class, "{}", self.everything());
        let told = LastLine { class, message: failure.message.clone() };
        assert_eq!(self.last_line(), told, "{}", self.everything());
        failure
    }

    /// The message of a listener that failed: it stands in the last line on stderr, and stdout has
    /// no document.
    #[track_caller]
    pub(crate) fn failed_silently(&self, class: Class) -> String {
        self.assert_status(class.exit_status().into());
        assert_eq!(self.stdout, "", "{}", self.everything());
        let LastLine { class: told, message } = self.last_line();
        assert_eq!(told, class, "{}", self.everything());
        message
    }

    /// The remains of a section that broke in its `phase`: the failure names the iteration under
    /// way, and the samples are those of the iterations before it, each of which was told on stderr
    /// when it was done.
    #[track_caller]
    pub(crate) fn broken(&self, failure: &FailureInfo, phase: Phase) -> Partial {
        let partial = failure.partial.clone().unwrap_or_else(|| panic!("{}", self.everything()));
        let told = |line: &&str| line.contains(&format!("{phase} ")) && line.contains("Gbps");
        if phase != Phase::Latency {
            let whole = self.stderr.lines().filter(told).count();
            assert_eq!(partial.samples.len(), whole, "{}", self.everything());
        }
        let under_way = partial.samples.len() as u64 + 1;
        assert_eq!(failure.phase, phase, "{}", self.everything());
        assert_eq!(failure.iteration, Some(under_way), "{}", self.everything());
        partial
    }

    /// The last line on stderr, which has to be a failure's.
    #[track_caller]
    pub(crate) fn last_line(&self) -> LastLine {
        let line = self.stderr.lines().last().unwrap_or_default();
        let mapping = line.strip_prefix("failure: ");
        let mapping = mapping.unwrap_or_else(|| panic!("no last line:\n{}", self.everything()));
        serde_yaml::from_str(mapping).unwrap_or_else(|error| panic!("{error}: {mapping}"))
    }

    /// Everything, for a failed assertion.
    pub(crate) fn everything(&self) -> String {
        let Self { said, status, stdout, stderr, lived } = self;
        format!(
            "{said}\nstatus {status} after {lived:?}\n--- stdout\n{stdout}--- stderr\n{stderr}---"
        )
    }

    #[track_caller]
    fn document(&self, sections: Sections) -> Document {
        let document = Document::parse(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}\n{}", self.everything()));
        let found = [&document.upload, &document.download, &document.latency];
        for ((section, name), count) in found.into_iter().zip(NAMES).zip(sections) {
            let counted = section.as_ref().map_or(0, |section| section.samples.len());
            assert_eq!(counted, count, "{name}\n{}", self.everything());
            if let Some(section) = section {
                assert_section(section, if name == "latency" { "ms" } else { "Gbps" });
            }
        }
        // JSON is for programs.
        if !self.stdout.starts_with('{') {
            assert_greppable(&self.stdout, sections);
        }
        document
    }
}

/// A section holds as many samples as it says, and its statistics are theirs.
#[track_caller]
pub(crate) fn assert_section(section: &Section, unit: &str) {
    assert_eq!(section.iterations, section.samples.len() as u64, "{section:?}");
    assert_eq!(section.unit, unit, "{section:?}");
    assert!(section.samples.iter().all(|sample| *sample > 0.0), "{section:?}");
    let recomputed = box_plot(&section.samples).unwrap();
    let printed = &section.plot;
    let quartiles = |plot: &BoxPlot| [plot.q1, plot.median, plot.q3];
    for (printed, recomputed) in quartiles(printed).into_iter().zip(quartiles(&recomputed)) {
        assert!(same(printed, recomputed), "{section:?}: {recomputed}");
    }
    let reach = 1.5 * (recomputed.q3 - recomputed.q1);
    for (printed, recomputed, fence) in [
        (printed.min, recomputed.min, recomputed.q1 - reach),
        (printed.max, recomputed.max, recomputed.q3 + reach),
    ] {
        // A sample on the fence itself may, rounded, have come to lie on its other side.
        let on_the_fence = same(printed, fence) || same(recomputed, fence);
        assert!(same(printed, recomputed) || on_the_fence, "{section:?}: {recomputed}");
    }
}

/// Six digits are printed, of the samples as well.
fn same(printed: f64, recomputed: f64) -> bool {
    (printed - recomputed).abs() <= 2e-5 * recomputed
}

/// What stands at an indent of two spaces under the keys that consumers grep for: nine a section,
/// once each, in order, and none under any other heading. One document, without markers.
#[track_caller]
fn assert_greppable(stdout: &str, sections: Sections) {
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in stdout.lines() {
        assert!(!line.starts_with("---") && !line.starts_with("..."), "{stdout}");
        match line.strip_prefix("  ") {
            None => found.push((line.trim_end_matches(':'), Vec::new())),
            Some(rest) => {
                let key = rest.split(':').next().unwrap_or_default();
                if KEYS.contains(&key) {
                    found.last_mut().unwrap().1.push(key);
                }
            }
        }
    }
    for (heading, keys) in &found {
        match NAMES.contains(heading) {
            true => assert_eq!(*keys, KEYS, "{heading}\n{stdout}"),
            false => assert!(keys.is_empty(), "{heading}\n{stdout}"),
        }
    }
    let headings: Vec<_> =
        found.iter().map(|(heading, _)| *heading).filter(|name| NAMES.contains(name)).collect();
    let expected: Vec<_> =
        NAMES.into_iter().zip(sections).filter(|(_, n)| *n > 0).map(|(name, _)| name).collect();
    assert_eq!(headings, expected, "{stdout}");
}
