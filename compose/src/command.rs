//! What the binary does: one function for each task, and the status each error ends with.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use harness_sdk::Shutdown;
use perf_coordinator::{Coordinator, Limits};

use crate::chain::chain;
use crate::check::CheckOptions;
use crate::definitions::{self, Definitions};
use crate::engine::{self, DockerEngine, Engine, ProcessEngine};
use crate::folder;
use crate::interrupt::{self, INTERRUPTED};
use crate::matrix::Cell;
use crate::options::{self, EngineName, RunOptions, Selection, Task};
use crate::pass::{Pass, pass};
use crate::selection::FilterTexts;
use crate::{
    check, continuation, dependencies, leftovers, listing, pass, report, selection, snapshot,
};

/// Why a task could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line.
    #[error(transparent)]
    Options(#[from] options::Error),
    /// The definitions.
    #[error(transparent)]
    Definitions(#[from] definitions::Error),
    /// The filters, or what they leave.
    #[error(transparent)]
    Selection(#[from] selection::Error),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// The run's folder.
    #[error(transparent)]
    Folder(#[from] folder::Error),
    /// The run that was to be taken up again.
    #[error(transparent)]
    Continuation(continuation::Error),
    /// The archive of the run.
    #[error(transparent)]
    Snapshot(#[from] snapshot::Error),
    /// The check of a node.
    #[error(transparent)]
    Check(#[from] check::Error),
    /// Stdout, stdin or the runtime.
    #[error("cannot go on")]
    Io(#[from] io::Error),
    /// The user was asked, and said no.
    #[error("nothing was run")]
    Declined,
}

impl Error {
    /// The exit status of a runner that ends with this error (contract, section 7).
    pub fn status(&self) -> u8 {
        match self {
            Self::Options(options::Error::Continuation(continuation::Error::Folder(_))) => 3,
            Self::Options(_)
            | Self::Definitions(_)
            | Self::Selection(_)
            | Self::Continuation(_) => 2,
            Self::Engine(_) | Self::Folder(_) | Self::Snapshot(_) | Self::Io(_) => 3,
            Self::Check(error) => error.status(),
            Self::Declined => INTERRUPTED,
        }
    }
}

impl From<perf_coordinator::Error> for Error {
    fn from(error: perf_coordinator::Error) -> Self {
        Self::Engine(error.into())
    }
}

impl From<pass::Error> for Error {
    fn from(error: pass::Error) -> Self {
        match error {
            pass::Error::Folder(error) => Self::Folder(error),
            pass::Error::Continuation(error) => Self::Continuation(error),
        }
    }
}

/// Does `task`; the status that the process ends with.
pub async fn execute(task: Task) -> Result<u8, Error> {
    match task {
        Task::Coordinator { port } => coordinator(port).await,
        Task::ListTests(selection) => {
            let definitions = load(&selection)?;
            let cells = cells(&definitions, &selection);
            if selection.show_ignored {
                // Also, and most of all, where nothing is left.
                print(&listing::test_lines(&selection::explained(
                    &definitions,
                    &selection.filters,
                )?))?;
                return cells.map(|_| 0).map_err(Into::into);
            }
            print(&lines(cells?.iter().map(|cell| cell.name.clone())))
        }
        Task::Why { selection, test } => {
            let definitions = load(&selection)?;
            let explanation = selection::why(&definitions, &selection.filters, &test)?;
            print(&listing::explanation(&test, &explanation))
        }
        Task::ListImplementations(selection) => {
            let definitions = load(&selection)?;
            let all = selection::implementations(&definitions, &selection.filters)?;
            print(&lines(all.into_iter().map(report::implementation_line)))
        }
        Task::CheckDependencies { selection, root, needs } => {
            let definitions = load(&selection)?;
            let cells = cells(&definitions, &selection)?;
            let found = dependencies::check(&definitions, &cells, &root, needs).await;
            print(&found.text)?;
            Ok(u8::from(!found.complete))
        }
        Task::Run(options) => run(&options).await,
        Task::Check(options) => check(&options).await,
        Task::ListRules => print(&check::report::rules()),
    }
}

async fn check(options: &CheckOptions) -> Result<u8, Error> {
    leftovers::end_orphans();
    let mut interrupt = interrupt::watch()?;
    let report = check::check(options, &mut interrupt).await?;
    print(&report.render(options.format, options.colours)?)?;
    Ok(report.status(options.strict))
}

async fn run(options: &RunOptions) -> Result<u8, Error> {
    let definitions = load(&options.selection)?;
    let cells = cells(&definitions, &options.selection)?;
    if options.selection.show_ignored {
        let explained = selection::explained(&definitions, &options.selection.filters)?;
        eprint!("{}", listing::test_lines(&explained));
    }
    if options.ask {
        let due = |cell: &&Cell<'_>| {
            options.continues.as_ref().is_none_or(|earlier| earlier.is_due(&cell.name))
        };
        ask(&cells.iter().filter(due).collect::<Vec<_>>())?;
    }
    if options.workers > 1 {
        eprintln!(
            "warning: {} tests at a time share the machine, and so do their figures",
            options.workers
        );
    }
    let orphans = leftovers::end_orphans();
    if orphans > 0 {
        eprintln!("warning: ended {orphans} processes that a killed run had left");
    }
    let mut interrupt = interrupt::watch()?;
    let root = options.root.clone();
    let passed = match options.engine {
        EngineName::Process => {
            if options.rebuild {
                clear(&options.target)?;
            }
            let mut engine = ProcessEngine::start(root, options.target.clone()).await?;
            if let Some(pinning) = &options.pinning {
                engine = engine.pinned(pinning.clone());
            }
            pass_with(engine, options, &definitions, &cells, &mut interrupt).await?
        }
        EngineName::Docker => {
            let mut engine = DockerEngine::start(root, options.cache.folder()?).await?;
            if options.rebuild {
                engine = engine.building_anew();
            }
            if let Some(pinning) = &options.pinning {
                engine = engine.pinned(pinning.clone());
            }
            pass_with(engine, options, &definitions, &cells, &mut interrupt).await?
        }
    };
    print(&answer(&passed))?;
    if options.snapshot && passed.interrupted {
        eprintln!("warning: no snapshot was made: the run was interrupted");
    } else if options.snapshot {
        let taken = snapshot::take(options, &cells, &passed.folder, &passed.results).await?;
        let (archive, missing) = taken;
        for what in missing {
            eprintln!("warning: not in the snapshot: {what}");
        }
        print(&format!("snapshot: {}\n", archive.display()))?;
    }
    if let Some(error) = &passed.error {
        eprintln!("error: {}", chain(error));
        let name = passed.folder.name();
        eprintln!(
            "what was finished is in the journal; `perf-compose --resume {name}` goes on from there"
        );
    }
    Ok(passed.status(options.allow_unavailable))
}

async fn pass_with(
    mut engine: impl Engine,
    options: &RunOptions,
    definitions: &Definitions,
    cells: &[Cell<'_>],
    interrupt: &mut Shutdown,
) -> Result<Pass, Error> {
    let passed = pass(&mut engine, options, definitions, cells, interrupt).await;
    let cleaned = engine.clean_up().await;
    let mut passed = passed?;
    // What was measured is shown all the same.
    if let Err(error) = cleaned {
        passed.error.get_or_insert(error.into());
    }
    Ok(passed)
}

/// The selected tests.
fn cells<'d>(
    definitions: &'d Definitions,
    selection: &Selection,
) -> Result<Vec<Cell<'d>>, selection::Error> {
    let Some(only) = &selection.only else {
        return selection::cells(definitions, &selection.filters);
    };
    let mut cells = selection::cells(definitions, &FilterTexts::everything())?;
    cells.retain(|cell| only.contains(&cell.name));
    Ok(cells)
}

/// Removes a build folder, which is nobody's but the runner's.
fn clear(target: &Path) -> Result<(), folder::Error> {
    match std::fs::remove_dir_all(target) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(folder::Error { path: target.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// The answer on stdout: the table, and where everything lies.
fn answer(pass: &Pass) -> String {
    format!("{}results: {}\n", report::table(&pass.results), pass.folder.path().display())
}

async fn coordinator(port: u16) -> Result<u8, Error> {
    let mut interrupt = interrupt::watch()?;
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let coordinator = Coordinator::bind(addr, Limits::default()).await?;
    print(&format!("{}\n", coordinator.addr()))?;
    interrupt.requested().await;
    coordinator.shutdown().await;
    Ok(0)
}

fn load(selection: &Selection) -> Result<Definitions, Error> {
    let definitions = Definitions::load(&selection.definitions)?;
    for warning in &definitions.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(definitions)
}

fn ask(cells: &[&Cell<'_>]) -> Result<(), Error> {
    for cell in cells {
        eprintln!("  {}", cell.name);
    }
    eprint!("Run these {} tests? [Y/n] ", cells.len());
    let mut answer = String::new();
    // The end of the input is no answer, and no answer is not a yes.
    let read = io::stdin().read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "" | "y" | "yes" if read > 0 => Ok(()),
        _ => Err(Error::Declined),
    }
}

fn lines(values: impl Iterator<Item = String>) -> String {
    values.map(|value| value + "\n").collect()
}

/// Writes to stdout. That the reader has seen enough (`| head`) is no error.
fn print(text: &str) -> Result<u8, Error> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(0),
    }
}
