//! A run: cells in order, each one saved when it is done, whatever becomes of the next.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use harness_sdk::plan::Plan;
use harness_sdk::{Class, Shutdown};
use tokio::time::{Instant, interval_at};

use crate::chain::chain;
use crate::clock::Moment;
use crate::continuation::Continuation;
use crate::definitions::{Definitions, Implementation, ServerKind};
use crate::engine::{self, Availability, CellOutcome, Engine, Job};
use crate::expectation;
use crate::folder::{self, RunFolder};
use crate::journal::Entry;
use crate::matrix::{self, Cell};
use crate::phase::Phase;
use crate::progress::Progress;
use crate::quiet::{self, CpuTime};
use crate::report;
use crate::results::{Status, TestResult};
use crate::verdict::{Verdict, verdict};

/// How often a dialer's log is looked at: seldom enough to take nothing from what is measured.
const LOOK: Duration = Duration::from_secs(1);

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
    /// How many cells run at a time.
    pub workers: usize,
    /// The run that this one goes on with: of its cells, only those that are due are run.
    pub continues: Option<&'a Continuation>,
}

impl Order<'_> {
    fn is_due(&self, cell: &Cell<'_>) -> bool {
        self.continues.is_none_or(|earlier| earlier.is_due(&cell.name))
    }

    /// The cells that are run.
    pub fn due(&self) -> impl Iterator<Item = &Cell<'_>> {
        self.cells.iter().filter(|cell| self.is_due(cell))
    }
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
    /// What readers of the figures must know.
    pub warnings: Vec<String>,
}

/// Runs `order` to its end, to an interruption or to an error, whichever comes first.
pub async fn run(
    engine: &impl Engine,
    order: &Order<'_>,
    folder: &RunFolder,
    progress: &Progress,
    interrupt: &mut Shutdown,
) -> Ended {
    let mut done = vec![None; order.cells.len()];
    let mut warnings = Vec::new();
    let mut session = Session { engine, order, folder, progress, warnings: &mut warnings };
    let ended = session.run_cells(interrupt, &mut done).await;
    let (interrupted, error) = match ended {
        Ok(Stopped::AtTheEnd) => (false, None),
        Ok(Stopped::Interrupted) => (true, None),
        Err(error) => (false, Some(error)),
    };
    Ended { tests: results(order, done, error.as_ref()), interrupted, error, warnings }
}

/// How a run ended that `error` kept from beginning.
pub fn not_begun(order: &Order<'_>, error: Error) -> Ended {
    let done = vec![None; order.cells.len()];
    let tests = results(order, done, Some(&error));
    Ended { tests, interrupted: false, error: Some(error), warnings: Vec::new() }
}

/// One for each cell: what was `done`, else what is known from before, else why it was not reached.
fn results(
    order: &Order<'_>,
    done: Vec<Option<TestResult>>,
    error: Option<&Error>,
) -> Vec<TestResult> {
    let reason = match error {
        Some(error) => format!("the run ended before: {}", chain(error)),
        None => "the run was interrupted before it was done".to_owned(),
    };
    let earlier = |cell: &Cell<'_>| order.continues?.earlier(&cell.name).cloned();
    let tests = order.cells.iter().zip(done).map(|(cell, result)| {
        result.or_else(|| earlier(cell)).unwrap_or_else(|| TestResult::not_run(cell, &reason))
    });
    tests.collect()
}

enum Stopped {
    AtTheEnd,
    Interrupted,
}

/// What going through the cells takes.
struct Session<'a, E> {
    engine: &'a E,
    order: &'a Order<'a>,
    folder: &'a RunFolder,
    progress: &'a Progress,
    warnings: &'a mut Vec<String>,
}

impl<E: Engine> Session<'_, E> {
    /// Starts cells in order, so many at a time as there are workers, and saves each as it ends.
    async fn run_cells(
        &mut self,
        interrupt: &mut Shutdown,
        done: &mut [Option<TestResult>],
    ) -> Result<Stopped, Error> {
        let Self { engine, order, folder, progress, .. } = *self;
        let unavailable = tokio::select! {
            biased;
            () = interrupt.requested() => return Ok(Stopped::Interrupted),
            unavailable = prepare(engine, order, folder, progress) => unavailable?,
        };
        self.note_images()?;
        let due = order.cells.iter().enumerate().filter(|(_, cell)| order.is_due(cell));
        let mut queue = due.map(|(index, cell)| {
            let measured = measured(engine, order, cell, folder, progress, &unavailable);
            async move { (index, measured.await) }
        });
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < order.workers.max(1)
                && let Some(next) = queue.next()
            {
                running.push(next);
            }
            let ended = tokio::select! {
                biased;
                // Dropping the cells ends their processes.
                () = interrupt.requested() => return Ok(Stopped::Interrupted),
                ended = running.next() => ended,
            };
            let Some((index, result)) = ended else { return Ok(Stopped::AtTheEnd) };
            let (result, disturbance) = result?;
            progress.cell_ended(&result);
            done[index] = Some(result.clone());
            save(result, &order.cells[index], folder)?;
            if let Some(disturbance) = disturbance {
                let warning = quiet::warning(&order.cells[index].name, &disturbance);
                folder.record(&Entry::Warning(warning.clone()))?;
                self.warnings.push(warning);
            }
        }
    }
}

impl<E: Engine> Session<'_, E> {
    /// Puts on record which images the tests run, and that they are others than before.
    fn note_images(&mut self) -> Result<(), Error> {
        let images = self.engine.images();
        if images.is_empty() {
            return Ok(());
        }
        let others = self.order.continues.map(|earlier| earlier.other_images(&images));
        for warning in others.into_iter().flatten() {
            self.folder.record(&Entry::Warning(warning.clone()))?;
            self.warnings.push(warning);
        }
        self.folder.record(&Entry::Images(images))?;
        Ok(())
    }
}

/// Makes every implementation ready, and every variant; what cannot be, by its build's name, with why.
async fn prepare<'a>(
    engine: &impl Engine,
    order: &'a Order<'_>,
    folder: &RunFolder,
    progress: &Progress,
) -> Result<BTreeMap<&'a str, String>, Error> {
    let mut unavailable = BTreeMap::new();
    for side in matrix::builds(order.due()) {
        progress.prepares(side.build_name());
        let reason = match elsewhere(order.definitions, side) {
            Some(reason) => Some(reason),
            None => match engine.prepare(side, &folder.build_log(side.build_name())).await? {
                Availability::Ready => None,
                Availability::Unavailable(reason) => Some(reason),
            },
        };
        unavailable.extend(reason.map(|reason| (side.build_name(), reason)));
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
        unavailable.get(side.build_name()).map(|reason| format!("{}: {reason}", side.build_name()))
    })
}

/// A cell's result, and what disturbed it, if anything did.
async fn measured(
    engine: &impl Engine,
    order: &Order<'_>,
    cell: &Cell<'_>,
    folder: &RunFolder,
    progress: &Progress,
    unavailable: &BTreeMap<&str, String>,
) -> Result<(TestResult, Option<String>), Error> {
    progress.cell_begins(&cell.name);
    if let Some(reason) = cell.unsupported() {
        let failure = (Class::Unsupported.into(), reason);
        return Ok((TestResult::new(cell, Status::Unsupported, Some(failure)), None));
    }
    if let Some(reason) = missing(cell, unavailable) {
        let failure = (Class::Environment.into(), reason);
        return Ok((TestResult::new(cell, Status::Unavailable, Some(failure)), None));
    }
    // Side by side, cells disturb each other, which was warned of.
    let before = (order.workers <= 1).then(CpuTime::now).flatten();
    let logs = folder.side_logs(&cell.slug);
    let Order { plan, timeout, debug, .. } = *order;
    let job = Job { cell, plan, timeout, debug, logs: &logs, folder: folder.path() };
    let outcome = followed(engine.run_cell(&job), &job, progress).await?;
    let after = CpuTime::now();
    let disturbance = before
        .zip(after)
        .and_then(|(before, after)| before.disturbance(after, engine.runs_children()));
    let mut result = judged(cell, &outcome, verdict(&outcome, plan));
    expectation::mark(&mut result, &order.definitions.expected, &Moment::now().day());
    folder.write(&format!("logs/{}.log", cell.slug), report::cell_log(&result, &outcome))?;
    Ok((result, disturbance))
}

/// Waits for a cell while telling what its dialer is at.
async fn followed(
    running: impl Future<Output = Result<CellOutcome, engine::Error>>,
    job: &Job<'_>,
    progress: &Progress,
) -> Result<CellOutcome, engine::Error> {
    let mut running = pin!(running);
    let mut looks = interval_at(Instant::now() + LOOK, LOOK);
    loop {
        tokio::select! {
            biased;
            outcome = &mut running => return outcome,
            _ = looks.tick() => {
                if let Some(phase) = engine::last_match(&job.logs.dialer, Phase::parse) {
                    progress.cell_phase(&job.cell.name, phase);
                }
            }
        }
    }
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
fn save(result: TestResult, cell: &Cell<'_>, folder: &RunFolder) -> Result<(), Error> {
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
    use crate::progress::Form;

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
        workers: usize,
    }

    impl Bench {
        fn new(definitions: &str) -> Self {
            let definitions = Definitions::parse(definitions, Path::new("impls.yaml")).unwrap();
            Self { definitions, temporary: tempfile::tempdir().unwrap(), workers: 1 }
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
            folder: RunFolder,
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
                workers: self.workers,
                continues: None,
            };
            let progress = Progress::new(Form::Lines, cells.len(), self.workers);
            run(engine, &order, &folder, &progress, interrupt).await
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
    async fn what_is_declared_unsupported_is_told_and_nothing_of_it_is_started() {
        let bench = Bench::new(
            "implementations:
  - {id: a, transports: [quic-v1]}
  - id: b
    transports: [quic-v1]
    dialOnly: {quic-v1: it has no listener}
    variants: [{name: v, transports: [quic-v1], process: {command: x}}]
",
        );
        let engine = MockEngine::new(|_| Some(passes()));
        let (_handle, mut interrupt) = Shutdown::new();
        let ended = bench.run(&engine, bench.folder(), &mut interrupt).await;
        use Status::{Pass, Unsupported};
        assert_eq!(statuses(&ended), [Pass, Unsupported, Pass, Unsupported]);
        for test in [&ended.tests[1], &ended.tests[3]] {
            assert_eq!(test.class.unwrap().to_string(), "unsupported");
            assert_eq!(test.reason.as_deref(), Some("listener: it has no listener"));
        }
        // The variant is what is made ready, and results know the implementation by its id.
        assert_eq!(
            engine.calls(),
            ["prepare a", "prepare b-v", "run a x a (quic-v1)", "run b x a (quic-v1)"]
        );
        assert_eq!(ended.tests[2].dialer, "b");
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
    async fn workers_run_cells_side_by_side_and_results_keep_the_matrix_order() {
        let mut bench = Bench::new(DEFINITIONS);
        bench.workers = 3;
        let (handle, mut interrupt) = Shutdown::new();
        let engine = MockEngine::new(|name| match name {
            // The first never ends: the others do, beside it.
            "a x a (quic-v1)" => None,
            "b x b (quic-v1)" => {
                handle.request();
                None
            }
            _ => Some(passes()),
        });
        let ended = bench.run(&engine, bench.folder(), &mut interrupt).await;
        assert_eq!(statuses(&ended), [Status::NotRun, Status::Pass, Status::Pass, Status::NotRun]);
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
