//! An engine that starts nothing: outcomes by script, for tests of what stands above engines.

use std::future::Future;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use super::{Availability, Captured, CellOutcome, Engine, Error, Exit, Job, SideOutcome};
use crate::definitions::Implementation;

/// Answers each cell with what `script` says of its name; `None`: the cell never ends.
pub(crate) struct MockEngine<F> {
    pub(crate) script: F,
    /// Builds that are unavailable, by name.
    pub(crate) unavailable: Vec<String>,
    /// What was asked of it, in order.
    pub(crate) calls: Mutex<Vec<String>>,
}

impl<F: Fn(&str) -> Option<CellOutcome> + Sync> MockEngine<F> {
    pub(crate) fn new(script: F) -> Self {
        Self { script, unavailable: Vec::new(), calls: Mutex::default() }
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    fn note(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }
}

impl<F: Fn(&str) -> Option<CellOutcome> + Sync + Send> Engine for MockEngine<F> {
    fn name(&self) -> &'static str {
        "mock"
    }

    async fn prepare(
        &self,
        implementation: &Implementation,
        _: &Path,
    ) -> Result<Availability, Error> {
        self.note(format!("prepare {}", implementation.build_name()));
        Ok(match self.unavailable.iter().any(|name| name == implementation.build_name()) {
            true => Availability::Unavailable("its toolchain is missing".to_owned()),
            false => Availability::Ready,
        })
    }

    fn run_cell(&self, job: &Job<'_>) -> impl Future<Output = Result<CellOutcome, Error>> + Send {
        self.note(format!("run {}", job.cell.name));
        let outcome = (self.script)(&job.cell.name);
        async move {
            match outcome {
                Some(outcome) => Ok(outcome),
                None => std::future::pending().await,
            }
        }
    }

    async fn clean_up(self) -> Result<(), Error> {
        Ok(())
    }
}

/// A dialer that ended with `status` and printed `stdout`, and a listener that was stopped then.
pub(crate) fn outcome(status: i32, stdout: &str) -> CellOutcome {
    let side = |exit, stopped| SideOutcome {
        exit,
        stopped,
        ended_after: Duration::from_millis(20),
        last_line: None,
    };
    CellOutcome {
        dialer: side(Exit::Status(status), false),
        listener: side(Exit::Status(0), true),
        stdout: Captured { bytes: stdout.as_bytes().to_vec(), incomplete: None },
        timed_out: None,
        duration: Duration::from_millis(25),
    }
}
