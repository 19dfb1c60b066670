//! A test pass: one run from its folder's first file to its last, and what its status is.

use std::time::Instant;

use harness_sdk::Shutdown;

use crate::clock::Moment;
use crate::definitions::Definitions;
use crate::engine::{self, Engine};
use crate::folder::{self, RunFolder};
use crate::interrupt::INTERRUPTED;
use crate::journal::Entry;
use crate::machine::Machine;
use crate::matrix::Cell;
use crate::options::RunOptions;
use crate::progress::Progress;
use crate::report;
use crate::results::{Metadata, Results, Summary, TestResult};
use crate::run::{self, Ended, Order};

/// A run that ended, one way or another.
#[derive(Debug)]
pub struct Pass {
    /// What there is to show.
    pub results: Results,
    /// Where it is kept.
    pub folder: RunFolder,
    /// What ended it early, or kept its results from being written.
    pub error: Option<run::Error>,
    /// Whether the user ended it.
    pub interrupted: bool,
}

impl Pass {
    /// The runner's exit status.
    pub fn status(&self, allow_unavailable: bool) -> u8 {
        let Summary { total: _, passed: _, unsupported: _, failed, partial, unavailable, not_run } =
            self.results.summary;
        let unavailable = if allow_unavailable { 0 } else { unavailable };
        match (self.interrupted, &self.error) {
            (true, _) => INTERRUPTED,
            (false, Some(_)) => 3,
            (false, None) => u8::from(failed + partial + unavailable + not_run > 0),
        }
    }
}

/// Runs `cells` as `options` say, with everything written that there is to write.
pub async fn pass(
    engine: &impl Engine,
    options: &RunOptions,
    definitions: &Definitions,
    cells: &[Cell<'_>],
    interrupt: &mut Shutdown,
) -> Result<Pass, folder::Error> {
    let (started, start) = (Moment::now(), Instant::now());
    let mut folder = RunFolder::create(&options.cache.test_runs()?, &started.run_name())?;
    let mut metadata = metadata(engine.name(), options, definitions, started, folder.name());
    begin(&mut folder, options, &metadata, cells)?;

    let order = Order {
        definitions,
        cells,
        plan: &options.plan,
        timeout: options.timeout,
        debug: options.debug,
    };
    let progress =
        if options.bar { Progress::bar(cells.len()) } else { Progress::lines(cells.len()) };
    let Ended { tests, interrupted, mut error } =
        run::run(engine, &order, &mut folder, &progress, interrupt).await;
    drop(progress);

    metadata.completed_at = Moment::now().rfc3339();
    metadata.duration = start.elapsed().into();
    let results = Results { metadata, summary: Summary::of(&tests), tests };
    if let Err(unwritten) = write(&folder, &results) {
        error.get_or_insert(unwritten.into());
    }
    Ok(Pass { results, folder, error, interrupted })
}

fn metadata(
    engine: &str,
    options: &RunOptions,
    definitions: &Definitions,
    started: Moment,
    name: String,
) -> Metadata {
    let machine = Machine::look();
    Metadata {
        test_pass: name,
        started_at: started.rfc3339(),
        completed_at: started.rfc3339(),
        duration: Default::default(),
        platform: machine.platform.clone(),
        engine: engine.to_owned(),
        runner: concat!("perf-compose ", env!("CARGO_PKG_VERSION")).to_owned(),
        workload: engine::workload(&options.plan),
        timeout: options.timeout.into(),
        filters: options.selection.filters.given(&definitions.preselections),
        machine,
    }
}

/// Writes every file once before anything is measured: a folder that cannot hold them is found out
/// now, and a run that is killed leaves a folder that says so.
fn begin(
    folder: &mut RunFolder,
    options: &RunOptions,
    metadata: &Metadata,
    cells: &[Cell<'_>],
) -> Result<(), folder::Error> {
    let definitions = &options.selection.definitions;
    let copy = std::fs::read(definitions)
        .map_err(|source| folder::Error { path: definitions.clone(), source })?;
    folder.write("impls.yaml", copy)?;
    folder.write("test-matrix.yaml", report::matrix_yaml(cells))?;
    folder.record(&Entry::Run(Box::new(metadata.clone())))?;
    let tests: Vec<_> =
        cells.iter().map(|cell| TestResult::not_run(cell, "the run has not come to it")).collect();
    write(folder, &Results { metadata: metadata.clone(), summary: Summary::of(&tests), tests })
}

fn write(folder: &RunFolder, results: &Results) -> Result<(), folder::Error> {
    folder.write("results.yaml", report::results_yaml(results))?;
    folder.write("results.md", report::markdown(results))?;
    folder.write("results.html", report::html(results))
}
