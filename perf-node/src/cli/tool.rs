//! The subcommands that need no peer: what they make goes to stdout, or into a folder.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::Shell;
use harness_sdk::{Class, Failure, Phase, document};

use super::{Arguments, DoctorFormat};
use crate::doctor::Report;

/// A subcommand that needs no peer.
#[derive(Debug)]
pub enum Tool {
    /// `perf-node doctor`.
    Doctor(DoctorFormat),
    /// `perf-node schema`.
    Schema,
    /// `perf-node completions`.
    Completions(Shell),
    /// `perf-node man`: where the pages go.
    ManPages(PathBuf),
}

impl Tool {
    /// Does it.
    ///
    /// # Errors
    ///
    /// What was made cannot be written.
    pub fn run(self) -> Result<(), Failure> {
        self.write().map_err(|error| {
            Failure::new(Class::Environment, Phase::Report, format!("cannot write: {error}"))
        })
    }

    fn write(self) -> io::Result<()> {
        let text = match self {
            Self::Doctor(DoctorFormat::Text) => Report::of_this_machine().to_text().into_bytes(),
            Self::Doctor(DoctorFormat::Json) => Report::of_this_machine().to_json()?.into_bytes(),
            Self::Schema => document::SCHEMA.into(),
            Self::Completions(shell) => completions(shell),
            Self::ManPages(folder) => {
                std::fs::create_dir_all(&folder)?;
                return clap_mangen::generate_to(Arguments::command(), folder);
            }
        };
        let mut stdout = io::stdout().lock();
        stdout.write_all(&text)?;
        stdout.flush()
    }
}

/// To be read by `shell`.
fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "perf-node", &mut script);
    script
}
