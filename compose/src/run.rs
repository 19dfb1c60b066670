//! A run: cells in order, each one saved when it is done, whatever becomes of the next.

use std::collections::BTreeMap;
use std::time::Duration;

use harness_sdk::plan::Plan;
use harness_sdk::{Class, Shutdown};

use crate::chain::chain;
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
    let reason = match &error {
        Some(error) => format!("the run ended before: {}", chain(error)),
        None => "the run was interrupted before it was done".to_owned(),
    };
    let rest = order.cells.iter().skip(tests.len());
    tests.extend(rest.map(|cell| TestResult::not_run(cell, &reason)));
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
                let failure = (Class::Environment.into(), reason);
                TestResult::new(cell, Status::Unavailable, Some(failure))
            }
            None => tokio::select! {
                biased;
                // Dropping the cell ends its processes.
                () = interrupt.requested() => return Ok(Stopped::Interrupted),
                result = measure(engine, order, cell, folder) => result?,
            },
        };
        progress.cell_ended(&result);
        tests.push(result.clone());
        save(result, cell, folder)?;
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
    let job = Job { cell, plan, timeout, debug, logs: &logs, folder: folder.path() };
    let outcome = engine.run_cell(&job).await?;
    let result = judged(cell, &outcome, verdict(&outcome, plan));
    folder.write(&format!("logs/{}.log", cell.slug), report::cell_log(&result, &outcome))?;
    Ok(result)
}

fn judged(cell: &Cell<'_>, outcome: &CellOutcome, verdict: Verdict) -> TestResult {
    let Verdict { status, failure, document } = verdict;
    TestResult {
        duration: outcome.duration.into(),
        upload: document.upload,
        download: document.download,
        latency: document.latency,
        node: document.node,
        ..TestResult::new(cell, status, failure)
    }
}

/// Puts a test's result on disk.
fn save(result: TestResult, cell: &Cell<'_>, folder: &mut RunFolder) -> Result<(), Error> {
    folder.write(&format!("results/{}.yaml", cell.slug), report::test_yaml(&result))?;
    folder.record(&Entry::Test(Box::new(result)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{File, read_to_string};
    use std::path::Path;

    use harness_sdk::Document;
    use harness_sdk::document::Section;
    use harness_sdk::plan::{Amount, Direction};
    use tempfile::TempDir;

    use super::*;
    use crate::engine::mock::{MockEngine, outcome};
    use crate::matrix;

    const DEFINITIONS: &str = "
servers: [{id: far, type: remote}]
implementations:
  - {id: a, transports: [quic-v1]}
  - {id: b, transports: [quic-v1]}
";

    /// Definitions, and a place for the folder of a run of them.
    struct Bench {
        definitions: Definitions,
        temporary: TempDir,
    }

    impl Bench {
        fn new(definitions: &str) -> Self {
            let definitions = Definitions::parse(definitions, Path::new("impls.yaml")).unwrap();
            Self { definitions, temporary: tempfile::tempdir().unwrap() }
        }

        fn folder(&self) -> RunFolder {
            RunFolder::create(self.temporary.path(), "perf").unwrap()
        }

        fn path(&self, name: &str) -> std::path::PathBuf {
            self.temporary.path().join("perf").join(name)
        }

        async fn run(
            &self,
            engine: &impl Engine,
            mut folder: RunFolder,
            interrupt: &mut Shutdown,
        ) -> Ended {
            let all: Vec<_> = self.definitions.implementations.iter().collect();
            let cells = matrix::cells(&all).unwrap();
            let upload = Direction { amount: Amount::Bytes(1), iterations: 2 };
            let download = Direction { amount: Amount::Bytes(1), iterations: 0 };
            let order = Order {
                definitions: &self.definitions,
                cells: &cells,
                plan: &Plan { upload, download, latency_iterations: 0, warmup: 0 },
                timeout: Duration::from_secs(1),
                debug: false,
            };
            let progress = Progress::lines(cells.len());
            run(engine, &order, &mut folder, &progress, interrupt).await
        }
    }

    fn passes() -> CellOutcome {
        let upload = Section::new(&[1.0, 2.0], "Gbps");
        outcome(0, &Document { upload, ..Document::default() }.to_yaml())
    }

    fn statuses(ended: &Ended) -> Vec<Status> {
        ended.tests.iter().map(|test| test.status).collect()
    }

    #[tokio::test]
    async fn every_implementation_is_prepared_once_and_every_cell_is_run_in_order() {
        let bench = Bench::new(DEFINITIONS);
        let engine = MockEngine::new(|_| Some(passes()));
        let (_handle, mut interrupt) = Shutdown::new();
        let ended = bench.run(&engine, bench.folder(), &mut interrupt).await;
        assert_eq!(statuses(&ended), [Status::Pass; 4]);
        assert!(!ended.interrupted && ended.error.is_none());
        assert_eq!(
            engine.calls(),
            [
                "prepare a",
                "prepare b",
                "run a x a (quic-v1)",
                "run a x b (quic-v1)",
                "run b x a (quic-v1)",
                "run b x b (quic-v1)",
            ]
        );
        let journal = read_to_string(bench.path("journal.jsonl")).unwrap();
        let entries: Vec<Entry> =
            journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let tests = ended.tests.into_iter().map(|test| Entry::Test(Box::new(test)));
        assert_eq!(entries, tests.collect::<Vec<_>>());
        let one = read_to_string(bench.path("results/a_x_b__quic_v1_.yaml")).unwrap();
        assert_eq!(serde_yaml::from_str::<TestResult>(&one).unwrap().status, Status::Pass);
    }

    #[tokio::test]
    async fn one_failure_does_not_end_the_run() {
        let bench = Bench::new(DEFINITIONS);
        let engine = MockEngine::new(|name| {
            Some(if name.starts_with("a x b") { outcome(1, "") } else { passes() })
        });
        let (_handle, mut interrupt) = Shutdown::new();
        let ended = bench.run(&engine, bench.folder(), &mut interrupt).await;
        assert_eq!(statuses(&ended), [Status::Pass, Status::Fail, Status::Pass, Status::Pass]);
        assert_eq!(ended.tests[1].reason.as_deref(), Some("the dialer ended with status 1"));
    }

    #[tokio::test]
    async fn what_cannot_be_had_is_unavailable_and_says_why() {
        let bench = Bench::new(&format!(
            "{DEFINITIONS}  - {{id: c, transports: [quic-v1], server: far}}\n"
        ));
        let mut engine = MockEngine::new(|_| Some(passes()));
        engine.unavailable.push("b".to_owned());
        let (_handle, mut interrupt) = Shutdown::new();
        let ended = bench.run(&engine, bench.folder(), &mut interrupt).await;
        assert_eq!(statuses(&ended)[0], Status::Pass);
        assert_eq!(statuses(&ended)[1..], [Status::Unavailable; 8]);
        assert_eq!(ended.tests[1].reason.as_deref(), Some("b: its toolchain is missing"));
        assert!(ended.tests[2].reason.as_ref().unwrap().contains("c: it runs on server far"));
        assert_eq!(engine.calls(), ["prepare a", "prepare b", "run a x a (quic-v1)"]);
    }

    #[tokio::test]
    async fn an_interruption_ends_the_cell_and_keeps_what_was_finished() {
        let bench = Bench::new(DEFINITIONS);
        let (handle, mut interrupt) = Shutdown::new();
        let engine = MockEngine::new(|name| {
            if name.starts_with("a x b") {
                handle.request();
                return None;
            }
            Some(passes())
        });
        let ended = bench.run(&engine, bench.folder(), &mut interrupt).await;
        assert!(ended.interrupted);
        assert_eq!(
            statuses(&ended),
            [Status::Pass, Status::NotRun, Status::NotRun, Status::NotRun]
        );
        assert_eq!(ended.tests[1].class.unwrap().to_string(), "interrupted");
    }

    #[tokio::test]
    async fn a_full_disk_ends_the_run_and_keeps_what_was_finished() {
        let bench = Bench::new(DEFINITIONS);
        let full = File::options().append(true).open("/dev/full").unwrap();
        let folder = bench.folder().with_journal(full);
        let engine = MockEngine::new(|_| Some(passes()));
        let (_handle, mut interrupt) = Shutdown::new();
        let ended = bench.run(&engine, folder, &mut interrupt).await;
        assert_eq!(
            statuses(&ended),
            [Status::Pass, Status::NotRun, Status::NotRun, Status::NotRun]
        );
        let error = chain(&ended.error.unwrap());
        assert!(error.contains("journal.jsonl: No space left on device"), "{error}");
    }
}
