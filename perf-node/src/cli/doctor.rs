//! `perf-node doctor`.

use clap::{Args, ValueEnum};

const NOTES: &str = "\
Nothing is changed. Each line is `ok`, `worth changing`, or `could not be read`, with the command that changes
or reads it; settings of sysctl last until the next start of the machine. The status is 0 whatever was found.";

#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct DoctorFlags {
    /// For people, or for programs
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: DoctorFormat,
}

/// How findings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DoctorFormat {
    /// A line each.
    Text,
    /// One object.
    Json,
}
