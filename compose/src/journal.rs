//! The journal: one JSON line for the run and one for each test, on disk as soon as it is done.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::results::{Metadata, TestResult};

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// The first line: what the run is.
    Run(Box<Header>),
    /// The run was taken up again: when, in RFC 3339.
    Resumed(String),
    /// Something that a reader of the results must know.
    Warning(String),
    /// The ids of the images that tests after it run, by implementation.
    Images(BTreeMap<String, String>),
    /// A test that is done; a later line of the same test takes the place of an earlier one.
    Test(Box<TestResult>),
}

/// What a run is, whatever becomes of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// As it was at the start.
    pub metadata: Metadata,
    /// Every selected test, in order.
    pub tests: Vec<String>,
}

/// An open journal.
#[derive(Debug)]
pub struct Journal(File);

impl Journal {
    /// A journal that continues `file`.
    pub fn new(file: File) -> Self {
        Self(file)
    }

    /// Appends `entry`, and returns once the disk has it.
    pub fn append(&self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_string(entry)?;
        line.push('\n');
        // In one call: the file is opened for appending, and so lines never mix.
        (&self.0).write_all(line.as_bytes())?;
        self.0.sync_data()
    }
}

/// What a journal tells of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// Its first line.
    pub header: Header,
    /// When it was taken up again.
    pub resumed: Vec<String>,
    /// What readers must know.
    pub warnings: Vec<String>,
    /// The ids of the images that it ran, by implementation; of each, the last.
    pub images: BTreeMap<String, String>,
    /// The tests that were done, by name.
    pub done: BTreeMap<String, TestResult>,
    /// How much of the file is whole lines; what follows was being written when the run was killed.
    pub whole: u64,
}

/// Why a journal cannot be continued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The run was killed before it had written its first line.
    #[error("it was ended before it began: its journal is empty")]
    Empty,
    /// The first line is something else.
    #[error("line 1 is not that of a run")]
    NoHeader,
    /// A line that this version does not understand.
    #[error("line {line}: {reason}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

impl Past {
    /// Reads a journal. A last line that was not written to its end is left out.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut entries = text[..whole].split_inclusive(|byte| *byte == b'\n').enumerate();
        let read = |(index, line): (usize, &[u8])| {
            serde_json::from_slice::<Entry>(line)
                .map_err(|error| Error::Line { line: index + 1, reason: error.to_string() })
        };
        let header = match entries.next().map(read).transpose()? {
            Some(Entry::Run(header)) => *header,
            Some(_) => return Err(Error::NoHeader),
            None => return Err(Error::Empty),
        };
        let mut past = Self {
            header,
            resumed: Vec::new(),
            warnings: Vec::new(),
            images: BTreeMap::new(),
            done: BTreeMap::new(),
            whole: u64::try_from(whole).unwrap_or(u64::MAX),
        };
        for (index, line) in entries {
            match read((index, line))? {
                Entry::Run(_) => return Err(Error::NoHeader),
                Entry::Resumed(at) => past.resumed.push(at),
                Entry::Images(images) => past.images.extend(images),
                Entry::Warning(text) => past.warnings.push(text),
                Entry::Test(test) => {
                    past.done.insert(test.test.clone(), *test);
                }
            }
        }
        Ok(past)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use crate::results::Status;

    fn lines(entries: &[Entry]) -> String {
        entries.iter().map(|entry| serde_json::to_string(entry).unwrap() + "\n").collect()
    }

    fn header() -> Entry {
        let metadata = sample::results().metadata;
        Entry::Run(Box::new(Header { metadata, tests: vec!["t".to_owned()] }))
    }

    #[test]
    fn a_torn_last_line_is_left_out_and_the_last_word_on_a_test_counts() {
        let mut again = sample::results().tests.remove(1);
        let first = Entry::Test(Box::new(again.clone()));
        again.status = Status::Pass;
        let text =
            lines(&[header(), first, Entry::Warning("w".to_owned()), Entry::Test(Box::new(again))]);
        let torn = format!("{text}{{\"test\": {{\"test\": \"x");
        let past = Past::parse(torn.as_bytes()).unwrap();
        assert_eq!(past.whole as usize, text.len());
        assert_eq!(past.done.values().map(|test| test.status).collect::<Vec<_>>(), [Status::Pass]);
        assert_eq!(past.warnings, ["w"]);
    }

    #[test]
    fn what_is_no_journal_is_refused() {
        assert_eq!(Past::parse(b""), Err(Error::Empty));
        assert_eq!(Past::parse(b"{\"run\""), Err(Error::Empty));
        let warning = Entry::Warning(String::new());
        assert_eq!(Past::parse(lines(&[warning]).as_bytes()), Err(Error::NoHeader));
        let text = lines(&[header()]) + "{}\n";
        let error = Past::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("line 2: "), "{error}");
    }
}
