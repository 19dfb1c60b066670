//! The journal: one JSON line for the run and one for each test, on disk as soon as it is done.

use std::fs::File;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::results::{Metadata, TestResult};

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// The first line: what the run is.
    Run(Box<Metadata>),
    /// A test that is done.
    Test(Box<TestResult>),
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
    pub fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_string(entry)?;
        line.push('\n');
        self.0.write_all(line.as_bytes())?;
        self.0.sync_data()
    }
}
