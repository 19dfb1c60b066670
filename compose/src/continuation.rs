//! Going on with a run that ended early, and running again what did not pass.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::folder::{self, CacheDirs, NotFound};
use crate::journal::{self, Past};
use crate::results::{Metadata, Status, TestResult};

/// Which tests of an earlier run are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those that it has not finished.
    Unfinished,
    /// Those that have not passed, and are not unsupported.
    NotPassed,
}

/// An earlier run that is taken up again.
#[derive(Clone, Debug, PartialEq)]
pub struct Continuation {
    /// Its folder.
    pub folder: PathBuf,
    /// What its journal tells.
    pub past: Past,
    /// What is to be run of it.
    pub which: Which,
}

/// Why a run cannot be taken up again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none such.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// Its journal cannot be read.
    #[error(transparent)]
    Folder(#[from] folder::Error),
    /// Its journal does not say what the run was.
    #[error("{} cannot be continued", folder.display())]
    Journal {
        /// The run's folder.
        folder: PathBuf,
        /// What is wrong with the journal.
        source: journal::Error,
    },
    /// It was another run: its results and these would not be of one thing.
    #[error("{} cannot be continued, since it is not the same run any more:{}", folder.display(), list(.differences))]
    Differs {
        /// The run's folder.
        folder: PathBuf,
        /// In what.
        differences: Vec<String>,
    },
}

fn list(differences: &[String]) -> String {
    differences.iter().map(|difference| format!("\n  {difference}")).collect()
}

impl Continuation {
    /// Finds `run` and reads its journal.
    pub fn open(cache: &CacheDirs, run: &str, which: Which) -> Result<Self, Error> {
        let folder = cache.find(run)?;
        let text = folder::read_journal(&folder)?;
        match Past::parse(&text) {
            Ok(past) => Ok(Self { folder, past, which }),
            Err(source) => Err(Error::Journal { folder, source }),
        }
    }

    /// Whether the test is to be run.
    pub fn is_due(&self, test: &str) -> bool {
        match (self.past.done.get(test), self.which) {
            (None, _) => true,
            (Some(_), Which::Unfinished) => false,
            (Some(result), Which::NotPassed) => {
                !matches!(result.status, Status::Pass | Status::Unsupported)
            }
        }
    }

    /// What is known of the test from before.
    pub fn earlier(&self, test: &str) -> Option<&TestResult> {
        self.past.done.get(test)
    }

    /// A warning for each image of `now` that is not the one that earlier tests ran.
    pub fn other_images(&self, now: &BTreeMap<String, String>) -> Vec<String> {
        let before = |id: &String| self.past.images.get(id);
        let other = now.iter().filter(|(id, image)| before(id).is_some_and(|was| was != *image));
        other
            .map(|(id, image)| {
                let was = before(id).cloned().unwrap_or_default();
                format!("{id} is another image since the run was taken up again: {was} before, {image} now")
            })
            .collect()
    }

    /// Refuses to go on where what would run now is not what ran then.
    pub fn check(&self, now: &Metadata, tests: &[String]) -> Result<(), Error> {
        let header = &self.past.header;
        let mut differences = compare(&header.metadata, now);
        differences.extend(tests_apart(&header.tests, tests));
        match differences.is_empty() {
            true => Ok(()),
            false => Err(Error::Differs { folder: self.folder.clone(), differences }),
        }
    }
}

/// Everything of `then` and `now` that figures depend on, where it differs.
fn compare(then: &Metadata, now: &Metadata) -> Vec<String> {
    let (was, is) = (&then.provenance, &now.provenance);
    let commit = |metadata: &Metadata| {
        metadata.provenance.git.as_ref().map_or_else(|| "none".to_owned(), |git| git.commit.clone())
    };
    let pairs = [
        ("definitions (sha256)", was.definitions_sha256.clone(), is.definitions_sha256.clone()),
        ("time-out", then.timeout.to_string(), now.timeout.to_string()),
        ("engine", then.engine.clone(), now.engine.clone()),
        ("runner", then.runner.clone(), now.runner.clone()),
        ("git commit", commit(then), commit(now)),
        ("workers", was.workers.to_string(), is.workers.to_string()),
        ("pinning", format!("{:?}", was.pinning), format!("{:?}", is.pinning)),
    ];
    let pairs = pairs.into_iter().map(|(what, then, now)| (what.to_owned(), then, now));
    let apart = pairs
        .chain(entries("workload", &then.workload, &now.workload))
        .chain(entries("filter", &then.filters, &now.filters))
        .chain(entries("toolchain", &was.toolchains, &is.toolchains))
        .filter(|(_, then, now)| then != now);
    apart.map(|(what, then, now)| format!("{what}: {then} then, {now} now")).collect()
}

/// Each name of either map, with both values.
fn entries(
    what: &str,
    then: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> Vec<(String, String, String)> {
    let value = |map: &BTreeMap<String, String>, name| {
        map.get(name).cloned().unwrap_or_else(|| "none".to_owned())
    };
    let names: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    names
        .into_iter()
        .map(|name| (format!("{what} {name}"), value(then, name), value(now, name)))
        .collect()
}

fn tests_apart(then: &[String], now: &[String]) -> Option<String> {
    if then == now {
        return None;
    }
    let only = |these: &[String], those: &[String]| {
        these.iter().find(|test| !those.contains(test)).cloned()
    };
    let example = match (only(then, now), only(now, then)) {
        (Some(test), _) => format!("; {test} was one then"),
        (None, Some(test)) => format!("; {test} is one now"),
        (None, None) => "; their order differs".to_owned(),
    };
    Some(format!("selected tests: {} then, {} now{example}", then.len(), now.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Header;
    use crate::report::sample;

    fn continuation(which: Which) -> Continuation {
        let results = sample::results();
        let tests: Vec<_> = results.tests.iter().map(|test| test.test.clone()).collect();
        let done =
            results.tests[..2].iter().map(|test| (test.test.clone(), test.clone())).collect();
        let header = Header { metadata: results.metadata, tests };
        let past = Past {
            header,
            resumed: Vec::new(),
            warnings: Vec::new(),
            images: BTreeMap::new(),
            done,
            whole: 0,
        };
        Continuation { folder: PathBuf::from("f"), past, which }
    }

    fn due(which: Which) -> Vec<bool> {
        let continuation = continuation(which);
        let tests = &continuation.past.header.tests;
        tests.iter().map(|test| continuation.is_due(test)).collect()
    }

    #[test]
    fn what_is_due() {
        // A pass, a failure, and one that was not reached.
        assert_eq!(due(Which::Unfinished), [false, false, true]);
        assert_eq!(due(Which::NotPassed), [false, true, true]);
    }

    #[test]
    fn what_differs_is_said() {
        let continuation = continuation(Which::Unfinished);
        let Header { mut metadata, mut tests } = continuation.past.header.clone();
        assert!(continuation.check(&metadata, &tests).is_ok());
        metadata.workload.insert("UPLOAD_BYTES".to_owned(), "2".to_owned());
        metadata.provenance.definitions_sha256 = "x".to_owned();
        metadata.filters = [("test-ignore in all".to_owned(), "c".to_owned())].into();
        metadata.runner = "perf-compose 9".to_owned();
        tests.pop();
        let error = continuation.check(&metadata, &tests).unwrap_err().to_string();
        for expected in [
            "\n  definitions (sha256):  then, x now",
            "\n  workload UPLOAD_BYTES: 1 then, 2 now",
            "\n  filter --test-select: ~a|!b then, none now",
            "\n  filter test-ignore in all: none then, c now",
            "\n  runner: perf-compose 0.1.0 then, perf-compose 9 now",
            "\n  selected tests: 3 then, 2 now; b x b (quic-v1) was one then",
        ] {
            assert!(error.contains(expected), "{expected} is not in {error}");
        }
    }
}
