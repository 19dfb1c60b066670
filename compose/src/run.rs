//! A run: cells in order, each one saved when it is done, whatever becomes of the next.

use std::collections::BTreeMap;
use std::time::Duration;

use harness_sdk::plan::Plan;
use harness_sdk::{Class, Shutdown};

use crate::definitions::{Definitions, Implementation, ServerKind};
use crate::engine::{self, Availability, CellOutcome, Engine, Job};
use crate::folder::{self, RunFolder};
use crate::journal::Entry;
use crate::matrix::Cell;
use crate::progress::Progress;
use crate::report;
use crate::results::{Status, TestResult};
use crate::verdict::{Verdict, verdict};

/// What is run.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// Where the cells come from.
    pub definitions: &'a Definitions,
    /// In this order.
    pub cells: &'a [Cell<'a>],
    /// What each dialer measures.
    pub plan: &'a Plan,
    /// Longest that a cell may take.
    pub timeout: Duration,
    /// Whether nodes say more on stderr.
    pub debug: bool,
}

/// Why a run ended early. What was finished is kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine could not go on.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// The run's folder could not be written.
    #[error(transparent)]
    Folder(#[from] folder::Error),
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// One for each cell, in order; those that were not reached are `not-run`.
    pub tests: Vec<TestResult>,
    /// Whether the user ended it.
    pub interrupted: bool,
    /// What ended it early.
    pub error: Option<Error>,
}

/// Runs `order` to its end, to an interruption or to an error, whichever comes first.
pub async fn run(
    engine: &impl Engine,
    order: &Order<'_>,
    folder: &mut RunFolder,
    progress: &Progress,
    interrupt: &mut Shutdown,
) -> Ended {
    let mut tests = Vec::with_capacity(order.cells.len());
    let ended = run_cells(engine, order, folder, progress, interrupt, &mut tests).await;
    let (interrupted, error) = match ended {
        Ok(Stopped::AtTheEnd) => (false, None),
        Ok(Stopped::Interrupted) => (true, None),
        Err(error) => (false, Some(error)),
    };
    let (class, reason) = match &error {
        Some(error) => (Class::Environment, format!("the run ended before: {error}")),
        None => (Class::Interrupted, "the run was interrupted before it was done".to_owned()),
    };
    let rest = order.cells.iter().skip(tests.len());
    tests.extend(rest.map(|cell| TestResult::unmeasured(cell, Status::NotRun, class, &reason)));
    Ended { tests, interrupted, error }
}

enum Stopped {
    AtTheEnd,
    Interrupted,
}

async fn run_cells(
    engine: &impl Engine,
    order: &Order<'_>,
    folder: &mut RunFolder,
    progress: &Progress,
    interrupt: &mut Shutdown,
    tests: &mut Vec<TestResult>,
) -> Result<Stopped, Error> {
    let unavailable = tokio::select! {
        biased;
        () = interrupt.requested() => return Ok(Stopped::Interrupted),
        unavailable = prepare(engine, order, folder, progress) => unavailable?,
    };
    for cell in order.cells {
        progress.cell_begins(&cell.name);
        let result = match missing(cell, &unavailable) {
            Some(reason) => {
                TestResult::unmeasured(cell, Status::Unavailable, Class::Environment, &reason)
            }
            None => tokio::select! {
                biased;
                // Dropping the cell ends its processes.
                () = interrupt.requested() => return Ok(Stopped::Interrupted),
                result = measure(engine, order, cell, folder) => result?,
            },
        };
        tests.push(save(result, cell, folder)?);
        progress.cell_ended(tests.last());
    }
    Ok(Stopped::AtTheEnd)
}

/// Makes every implementation ready; what cannot be, by id, with why.
async fn prepare<'a>(
    engine: &impl Engine,
    order: &Order<'a>,
    folder: &RunFolder,
    progress: &Progress,
) -> Result<BTreeMap<&'a str, String>, Error> {
    let mut unavailable = BTreeMap::new();
    let mut prepared: Vec<&str> = Vec::new();
    for side in order.cells.iter().flat_map(|cell| [cell.dialer, cell.listener]) {
        if prepared.contains(&side.id.as_str()) {
            continue;
        }
        prepared.push(&side.id);
        progress.prepares(&side.id);
        let reason = match elsewhere(order.definitions, side) {
            Some(reason) => Some(reason),
            None => match engine.prepare(side, &folder.build_log(&side.id)).await? {
                Availability::Ready => None,
                Availability::Unavailable(reason) => Some(reason),
            },
        };
        unavailable.extend(reason.map(|reason| (side.id.as_str(), reason)));
    }
    Ok(unavailable)
}

/// Why an implementation cannot run here: it belongs on another machine.
fn elsewhere(definitions: &Definitions, implementation: &Implementation) -> Option<String> {
    let server = definitions.server_of(implementation)?;
    (server.kind == ServerKind::Remote)
        .then(|| format!("it runs on server {}, and remote servers cannot be used yet", server.id))
}

fn missing(cell: &Cell<'_>, unavailable: &BTreeMap<&str, String>) -> Option<String> {
    [cell.dialer, cell.listener].into_iter().find_map(|side| {
        unavailable.get(side.id.as_str()).map(|reason| format!("{}: {reason}", side.id))
    })
}

async fn measure(
    engine: &impl Engine,
    order: &Order<'_>,
    cell: &Cell<'_>,
    folder: &RunFolder,
) -> Result<TestResult, Error> {
    let logs = folder.side_logs(&cell.slug);
    let Order { plan, timeout, debug, .. } = *order;
    let outcome = engine.run_cell(&Job { cell, plan, timeout, debug, logs: &logs }).await?;
    let result = judged(cell, &outcome, verdict(&outcome, plan));
    let log = report::cell_log(&result, &outcome, &logs);
    folder.write(&format!("logs/{}.log", cell.slug), &log)?;
    Ok(result)
}

fn judged(cell: &Cell<'_>, outcome: &CellOutcome, verdict: Verdict) -> TestResult {
    let Verdict { status, failure, document } = verdict;
    let (class, reason) = failure.unzip();
    TestResult {
        status,
        class,
        reason,
        duration: outcome.duration.into(),
        upload: document.upload,
        download: document.download,
        latency: document.latency,
        node: document.node,
        ..TestResult::unmeasured(cell, status, Class::Internal, "")
    }
}

/// Puts a test's result on disk.
fn save(result: TestResult, cell: &Cell<'_>, folder: &mut RunFolder) -> Result<TestResult, Error> {
    let entry = Entry::Test(Box::new(result));
    folder.record(&entry)?;
    let Entry::Test(result) = entry else { unreachable!("made above") };
    folder.write(&format!("results/{}.yaml", cell.slug), report::test_yaml(&result).as_bytes())?;
    Ok(*result)
}
