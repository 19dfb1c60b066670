//! Engines: what turns a cell into two running nodes, and what the nodes did into an outcome.

pub(crate) mod capture;
mod docker;
pub(crate) mod group;
mod legacy;
#[cfg(test)]
pub(crate) mod mock;
mod outcome;
mod pair;
mod pin;
mod process;
mod tail;
mod variables;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness_sdk::plan::Plan;

pub use docker::{DockerEngine, DockerError, export_images, obstacle};
pub use outcome::{Captured, CellOutcome, Exit, SideOutcome};
pub use pin::{Error as PinError, Pinning};
pub use process::ProcessEngine;
pub use tail::last_match;

use crate::definitions::Implementation;
use crate::matrix::Cell;

/// Builds implementations and runs cells.
///
/// Dropping a future of these ends whatever it had started: that is how a run is interrupted.
pub trait Engine: Sync {
    /// The engine's name in results.
    fn name(&self) -> &'static str;

    /// Whether nodes are children of this process, so that the time they take can be told from others'.
    fn runs_children(&self) -> bool {
        false
    }

    /// The run begins: `lock` is locked for as long as it lives, for who comes upon what it left.
    fn begin(&mut self, lock: &Path) -> impl Future<Output = Result<(), Error>> + Send {
        let _ = lock;
        async { Ok(()) }
    }

    /// The images that nodes run in, by implementation: their ids. Known once they are prepared.
    fn images(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// Makes `implementation` ready to run; what that prints goes to the file `log`.
    fn prepare(
        &self,
        implementation: &Implementation,
        log: &Path,
    ) -> impl Future<Output = Result<Availability, Error>> + Send;

    /// Runs one cell to its end. Whatever the nodes do is an outcome; an error is the engine's own.
    fn run_cell(&self, job: &Job<'_>) -> impl Future<Output = Result<CellOutcome, Error>> + Send;

    /// Gives back what the engine holds. Nothing that it started is left after it.
    fn clean_up(self) -> impl Future<Output = Result<(), Error>> + Send;
}

/// What every dialer of a run is told to measure, by the contract's variables.
pub fn workload(plan: &Plan) -> BTreeMap<String, String> {
    let variables = variables::of_plan(plan).into_iter();
    variables.map(|(variable, value)| (variable.name.to_owned(), value)).collect()
}

/// Whether an implementation can take part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Availability {
    /// It can.
    Ready,
    /// It cannot: why, and what to do about it.
    Unavailable(String),
}

/// One cell with everything an engine needs to run it.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The cell.
    pub cell: &'a Cell<'a>,
    /// What the dialer measures.
    pub plan: &'a Plan,
    /// Longest that the cell may take.
    pub timeout: Duration,
    /// Whether the nodes say more on stderr.
    pub debug: bool,
    /// Where the nodes' stderr goes.
    pub logs: &'a SideLogs,
    /// The run's folder, for what an engine itself leaves there.
    pub folder: &'a Path,
}

/// Where each side's stderr goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideLogs {
    /// The dialer's.
    pub dialer: PathBuf,
    /// The listener's, with its stdout.
    pub listener: PathBuf,
}

/// What an engine itself could not do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The place where nodes meet could not be set up.
    #[error("there is no coordinator")]
    Coordinator(#[from] perf_coordinator::Error),
    /// Docker did not do what it was asked to.
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// A log could not be written.
    #[error("cannot write {}", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}
