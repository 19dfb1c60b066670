//! A test pass: one run from its folder's first file to its last, and what its status is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::join_all;
use harness_sdk::Shutdown;
use sha2::{Digest, Sha256};

use crate::clock::Moment;
use crate::continuation::{self, Continuation};
use crate::definitions::Definitions;
use crate::engine::{self, Engine};
use crate::expectation;
use crate::folder::{self, RunFolder};
use crate::interrupt::INTERRUPTED;
use crate::journal::{Entry, Header, Past};
use crate::machine::Machine;
use crate::matrix::{self, Cell};
use crate::options::{EngineName, RunOptions};
use crate::progress::Progress;
use crate::report;
use crate::results::{Metadata, Provenance, Results, Summary, TestResult};
use crate::run::{self, Ended, Order};
use crate::tools::{self, Found};

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
        let Results { metadata, summary, .. } = &self.results;
        let Summary { failed, partial, unavailable, not_run, .. } = *summary;
        let unmet = metadata.unmet_expectations.len();
        let unavailable = if allow_unavailable { 0 } else { unavailable };
        match (self.interrupted, &self.error) {
            (true, _) => INTERRUPTED,
            (false, Some(_)) => 3,
            (false, None) => u8::from(failed + partial + unavailable + not_run + unmet > 0),
        }
    }
}

/// Why a run could not begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The run's folder.
    #[error(transparent)]
    Folder(#[from] folder::Error),
    /// The run that was to be taken up again.
    #[error(transparent)]
    Continuation(#[from] continuation::Error),
}

/// Runs `cells` as `options` say, with everything written that there is to write.
pub async fn pass(
    engine: &mut impl Engine,
    options: &RunOptions,
    definitions: &Definitions,
    cells: &[Cell<'_>],
    interrupt: &mut Shutdown,
) -> Result<Pass, Error> {
    let (started, start) = (Moment::now(), Instant::now());
    let continues = options.continues.as_ref();
    let (folder, mut metadata) = match continues {
        None => begin(engine, options, definitions, cells, started).await?,
        Some(earlier) => take_up(engine, options, definitions, cells, earlier, started).await?,
    };
    let order = Order {
        definitions,
        cells,
        plan: &options.plan,
        timeout: options.timeout,
        debug: options.debug,
        workers: options.workers,
        continues,
    };
    let progress = Progress::new(options.progress, order.due().count(), options.workers);
    progress.run_begins(&folder.name(), &folder.path().to_string_lossy());
    let Ended { mut tests, interrupted, mut error, warnings } =
        match engine.begin(folder.lock()).await {
            Ok(()) => run::run(engine, &order, &folder, &progress, interrupt).await,
            Err(error) => run::not_begun(&order, error.into()),
        };

    let kept = cells.iter().filter(|cell| !order.due().any(|due| due.name == cell.name));
    let earlier = kept.filter_map(|cell| continues?.earlier(&cell.name));
    let spent: Duration = earlier.map(|result| Duration::from(result.duration)).sum();
    metadata.completed_at = Moment::now().rfc3339();
    metadata.duration = (spent + start.elapsed()).into();
    metadata.warnings.extend(warnings);
    metadata.provenance.images.extend(engine.images());
    metadata.machine.look_again();
    metadata.unmet_expectations = hold_against(definitions, &mut tests);
    let results = Results { metadata, summary: Summary::of(&tests), tests };
    if let Err(unwritten) = write(&folder, &results) {
        error.get_or_insert(unwritten.into());
    }
    progress.run_ended(&results.summary, interrupted);
    drop(progress);
    Ok(Pass { results, folder, error, interrupted })
}

/// Marks the failures that are expected, today's and those of before the run was taken up again; what is
/// not as it was expected to be.
fn hold_against(definitions: &Definitions, tests: &mut [TestResult]) -> Vec<String> {
    let (entries, today) = (&definitions.expected, Moment::now().day());
    for test in tests.iter_mut() {
        expectation::mark(test, entries, &today);
    }
    let all: Vec<_> = definitions.implementations.iter().collect();
    let all = matrix::cells(&all).unwrap_or_default();
    expectation::unmet(entries, tests, &names(&all), &today)
}

/// What the run is, as far as it is known before anything is measured.
async fn metadata(
    engine: &str,
    options: &RunOptions,
    definitions: &Definitions,
    started: Moment,
    cells: &[Cell<'_>],
) -> Result<Metadata, folder::Error> {
    let machine = Machine::look();
    let path = &options.selection.definitions;
    let read = std::fs::read(path);
    let read = read.map_err(|source| folder::Error { path: path.clone(), source })?;
    let mut metadata = Metadata {
        test_pass: String::new(),
        started_at: started.rfc3339(),
        completed_at: started.rfc3339(),
        duration: Default::default(),
        platform: machine.platform.clone(),
        engine: engine.to_owned(),
        runner: concat!("perf-compose ", env!("CARGO_PKG_VERSION")).to_owned(),
        workload: engine::workload(&options.plan),
        timeout: options.timeout.into(),
        filters: options.selects_as().map_or_else(
            || options.selection.filters.given(&definitions.preselections),
            |earlier| earlier.past.header.metadata.filters.clone(),
        ),
        unmet_expectations: Vec::new(),
        warnings: machine.busy().into_iter().chain(sharing(options.workers)).collect(),
        machine,
        provenance: Provenance {
            definitions: path.display().to_string(),
            definitions_sha256: sha256(&read),
            matrix_sha256: String::new(),
            git: tools::git(&options.root).await,
            toolchains: match options.engine {
                EngineName::Process => toolchains(cells, &options.root).await,
                // Nothing of this machine's is in an image; see `images`.
                EngineName::Docker => docker(&options.root).await,
            },
            images: BTreeMap::new(),
            limits: match options.engine {
                EngineName::Process => BTreeMap::new(),
                EngineName::Docker => limits(cells),
            },
            workers: options.workers,
            pinning: options.pinning.clone().map(|pinning| pinning.0).unwrap_or_default(),
            resumed_at: Vec::new(),
        },
    };
    metadata.provenance.matrix_sha256 = matrix_key(&metadata, cells);
    Ok(metadata)
}

fn sharing(workers: usize) -> Option<String> {
    (workers > 1).then(|| {
        format!(
            "{workers} tests ran at a time: their figures share the machine, and are lower for it"
        )
    })
}

/// What containers may take, where their definitions say so.
fn limits(cells: &[Cell<'_>]) -> BTreeMap<String, String> {
    let sides = cells.iter().flat_map(|cell| [cell.dialer, cell.listener]);
    sides.filter_map(|side| Some((side.id.clone(), side.docker.limits()?))).collect()
}

/// What Docker says of its version.
async fn docker(root: &Path) -> BTreeMap<String, String> {
    versions(["docker", "docker compose"], root).await
}

/// What every tool that the cells need says of its version.
async fn toolchains(cells: &[Cell<'_>], root: &Path) -> BTreeMap<String, String> {
    let sides = cells.iter().flat_map(|cell| [cell.dialer, cell.listener]);
    versions(sides.flat_map(tools::tools_of).collect::<BTreeSet<_>>(), root).await
}

async fn versions<'a>(
    names: impl IntoIterator<Item = &'a str>,
    root: &Path,
) -> BTreeMap<String, String> {
    let found = names.into_iter().map(async |name| (name, tools::find(name, root).await));
    let found = join_all(found).await.into_iter();
    let versions = found.filter_map(|(name, found)| match found {
        Found::Version(version) => Some((name.to_owned(), version)),
        Found::There | Found::Missing(_) => None,
    });
    versions.collect()
}

/// The sha256 of everything that determines the matrix and what is measured of it.
fn matrix_key(metadata: &Metadata, cells: &[Cell<'_>]) -> String {
    let Metadata { workload, timeout, filters, runner, engine, provenance, .. } = metadata;
    let parts = format!(
        "{runner}\n{engine}\n{workload:?}\n{timeout}\n{filters:?}\n{}\n{:?}\n{}",
        provenance.definitions_sha256,
        provenance.toolchains,
        report::matrix_yaml(cells),
    );
    sha256(parts.as_bytes())
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes the folder and writes every file once before anything is measured: a folder that cannot
/// hold them is found out now, and a run that is killed leaves a folder that says so.
async fn begin(
    engine: &impl Engine,
    options: &RunOptions,
    definitions: &Definitions,
    cells: &[Cell<'_>],
    started: Moment,
) -> Result<(RunFolder, Metadata), Error> {
    let mut metadata = metadata(engine.name(), options, definitions, started, cells).await?;
    let test_runs = options.cache.test_runs()?;
    let folder = RunFolder::create(&test_runs, &started.run_name())?;
    metadata.test_pass = folder.name();
    let file = &options.selection.definitions;
    let copy =
        std::fs::read(file).map_err(|source| folder::Error { path: file.clone(), source })?;
    folder.write("impls.yaml", copy)?;
    let cache = test_runs.with_file_name("test-matrix");
    let key = &metadata.provenance.matrix_sha256;
    let matrix = folder::cached(&cache, &format!("{key}.yaml"), options.rebuild_matrix, || {
        report::matrix_yaml(cells)
    })?;
    folder.write("test-matrix.yaml", matrix)?;
    let header = Header { metadata: metadata.clone(), tests: names(cells) };
    folder.record(&Entry::Run(Box::new(header)))?;
    let tests: Vec<_> =
        cells.iter().map(|cell| TestResult::not_run(cell, "the run has not come to it")).collect();
    let results = Results { metadata: metadata.clone(), summary: Summary::of(&tests), tests };
    write(&folder, &results)?;
    Ok((folder, metadata))
}

/// Opens the folder of an earlier run, where this one is the same run.
async fn take_up(
    engine: &impl Engine,
    options: &RunOptions,
    definitions: &Definitions,
    cells: &[Cell<'_>],
    earlier: &Continuation,
    started: Moment,
) -> Result<(RunFolder, Metadata), Error> {
    let now = metadata(engine.name(), options, definitions, started, cells).await?;
    earlier.check(&now, &names(cells))?;
    let Past { header, resumed, warnings, images, done: _, whole } = &earlier.past;
    let folder = RunFolder::reopen(earlier.folder.clone(), *whole)?;
    folder.record(&Entry::Resumed(started.rfc3339()))?;
    let mut metadata = header.metadata.clone();
    metadata.provenance.resumed_at = resumed.iter().cloned().chain([started.rfc3339()]).collect();
    metadata.provenance.images.clone_from(images);
    metadata.warnings.extend(warnings.iter().cloned());
    for warning in now.warnings {
        if !metadata.warnings.contains(&warning) {
            folder.record(&Entry::Warning(warning.clone()))?;
            metadata.warnings.push(warning);
        }
    }
    Ok((folder, metadata))
}

fn names(cells: &[Cell<'_>]) -> Vec<String> {
    cells.iter().map(|cell| cell.name.clone()).collect()
}

fn write(folder: &RunFolder, results: &Results) -> Result<(), folder::Error> {
    folder.write("results.yaml", report::results_yaml(results))?;
    folder.write("results.md", report::markdown(results))?;
    folder.write("results.html", report::html(results))
}
