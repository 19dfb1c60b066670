//! What the two processes of a cell did: facts, of which the verdict is made elsewhere.

use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;

/// What a cell's processes did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellOutcome {
    /// The side that measures.
    pub dialer: SideOutcome,
    /// The side that answers.
    pub listener: SideOutcome,
    /// The dialer's stdout.
    pub stdout: Captured,
    /// The time-out that ended the cell, if one did.
    pub timed_out: Option<Duration>,
    /// From before the first process was started until nothing was left of either.
    pub duration: Duration,
}

/// What one side did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideOutcome {
    /// How it ended.
    pub exit: Exit,
    /// Whether the engine ended it; else it ended by itself.
    pub stopped: bool,
    /// When, since the cell began.
    pub ended_after: Duration,
    /// The last non-empty line of its stderr.
    pub last_line: Option<String>,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With a status.
    Status(i32),
    /// The system took it for want of memory.
    OutOfMemory,
    /// By a signal.
    Signal(i32),
    /// It never ran: what the system says.
    NotStarted(String),
    /// It ran, and how it ended could not be learnt: what the system says.
    Unknown(String),
}

impl From<io::Result<ExitStatus>> for Exit {
    fn from(status: io::Result<ExitStatus>) -> Self {
        match status.map(|status| (status, status.code(), status.signal())) {
            Ok((_, Some(code), _)) => Self::Status(code),
            Ok((_, None, Some(signal))) => Self::Signal(signal),
            Ok((status, None, None)) => Self::Unknown(status.to_string()),
            Err(error) => Self::Unknown(error.to_string()),
        }
    }
}

impl fmt::Display for Exit {
    /// Completes "the dialer …".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(code) => write!(f, "ended with status {code}"),
            Self::OutOfMemory => f.write_str("was killed for want of memory"),
            Self::Signal(number) => match Signal::try_from(*number) {
                Ok(signal) => write!(f, "was ended by {signal}"),
                Err(_) => write!(f, "was ended by signal {number}"),
            },
            Self::Unknown(reason) => write!(f, "ended in an unknown way: {reason}"),
            Self::NotStarted(reason) => write!(f, "could not be started: {reason}"),
        }
    }
}

/// Bounded output of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// What was kept.
    pub bytes: Vec<u8>,
    /// Why that is not everything, if it is not.
    pub incomplete: Option<String>,
}
