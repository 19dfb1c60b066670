//! `perf-compose check`: one node against the contract, rule by rule.
//!
//! | step | module |
//! |---|---|
//! | what the rules are | [`rules`] |
//! | what is held against them, and where | `subject`, `setup`, `place`, `probe` |
//! | one stack of it | `bench` |
//! | what is done to it | `experiment`; `environment`, `coordination`, `output`, `statuses`, `signals`, `server`, `client`, `rates` |
//! | what that showed | [`finding`] |
//! | what is shown | [`report`] |
//!
//! The runner speaks no libp2p: peers are `perf-node probe`, processes like the node itself.

mod address;
mod bench;
mod client;
mod coordination;
mod document;
mod environment;
mod experiment;
pub mod finding;
mod node;
mod output;
mod place;
mod probe;
mod rates;
pub mod report;
pub mod rules;
mod server;
mod setup;
mod signals;
mod statuses;
mod subject;
mod variables;

use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use futures::{StreamExt, stream};
use harness_sdk::{Muxer, SecureChannel, Shutdown, Transport};

use self::bench::Bench;
use self::experiment::Experiment;
use self::finding::{Finding, RuleOutcome};
use self::report::Report;
use self::rules::{RULES, RuleFilter};
use self::setup::Setup;
use crate::definitions;
use crate::engine;
use crate::folder::{self, CacheDirs};
use crate::options::EngineName;

/// What is to be checked, validated.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckOptions {
    /// The node.
    pub subject: SubjectName,
    /// Where the command line was given.
    pub current_dir: PathBuf,
    /// The definitions, where there are any.
    pub definitions: Option<PathBuf>,
    /// What runs an implementation.
    pub engine: EngineName,
    /// Stacks in place of those declared.
    pub stacks: StackWords,
    /// Which rules.
    pub rules: RuleFilter,
    /// perf-node, in place of the definitions' `rust-v0.56`.
    pub probe: Option<PathBuf>,
    /// Where what processes say on stderr is kept; `None`: nowhere.
    pub logs: Option<PathBuf>,
    /// Where what an engine knows of images is kept.
    pub cache: CacheDirs,
    /// How the report is written.
    pub format: CheckFormat,
    /// Whether warnings are failures.
    pub strict: bool,
    /// Whether text may have colours.
    pub colours: bool,
}

/// What the user calls the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectName {
    /// An implementation's id, a program's path, or an image.
    Named(String),
    /// A program and its arguments.
    Command(Vec<String>),
}

/// Stacks by their parts; empty parts are as declared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackWords {
    /// Transports.
    pub transports: Vec<Transport>,
    /// Secure channels, for transports without their own.
    pub secure_channels: Vec<SecureChannel>,
    /// Muxers, for the same.
    pub muxers: Vec<Muxer>,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum CheckFormat {
    /// A line a rule.
    Text,
    /// One document.
    Yaml,
    /// What CI systems read.
    Junit,
}

/// Why nothing could be judged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user names a node that there is not.
    #[error("{0}")]
    Subject(String),
    /// The definitions.
    #[error(transparent)]
    Definitions(#[from] definitions::Error),
    /// The node, or perf-node, is not there and cannot be made.
    #[error("{0}")]
    Unavailable(String),
    /// A process could not be started.
    #[error("cannot start it")]
    NotStarted(#[source] io::Error),
    /// perf-node did not do its part.
    #[error("perf-node as a peer: {0}")]
    Probe(String),
    /// Where nodes meet.
    #[error("the Redis that nodes meet at")]
    Redis(#[from] redis::RedisError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// The cache.
    #[error(transparent)]
    Folder(#[from] folder::Error),
    /// Files and ports of the check's own.
    #[error("cannot go on")]
    Io(#[from] io::Error),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl From<engine::DockerError> for Error {
    fn from(error: engine::DockerError) -> Self {
        Self::Engine(error.into())
    }
}

impl Error {
    /// The exit status of a check that ends with this error.
    pub fn status(&self) -> u8 {
        match self {
            Self::Subject(_) | Self::Definitions(_) => 2,
            Self::Interrupted => crate::interrupt::INTERRUPTED,
            _ => 3,
        }
    }
}

/// How many experiments are made at once; those that time something are made alone.
const AT_ONCE: usize = 3;

/// Holds a node against the rules; ends whatever it started, however it ends itself.
pub async fn check(options: &CheckOptions, interrupt: &mut Shutdown) -> Result<Report, Error> {
    let setup = Setup::make(options, interrupt).await?;
    let began = Instant::now();
    let found = unless_interrupted(interrupt, all(&setup, &options.rules)).await;
    let (subject, took) = (setup.name.clone(), began.elapsed());
    let closed = setup.close().await;
    let found = found?;
    closed?;
    Ok(Report::new(subject, found, took))
}

/// `work`, given up where the user ends it.
async fn unless_interrupted<T>(
    interrupt: &mut Shutdown,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::select! {
        done = work => done,
        () = interrupt.requested() => Err(Error::Interrupted),
    }
}

/// Every finding, stack by stack, in the table's order.
async fn all(setup: &Setup, filter: &RuleFilter) -> Result<Vec<Finding>, Error> {
    let counter = AtomicU64::new(1);
    let benches: Vec<_> = setup.stacks.iter().map(|stack| setup.bench(*stack, &counter)).collect();
    let Some(first) = benches.first() else { return Ok(Vec::new()) };
    let wanted: Vec<_> =
        experiment::all().filter(|one| one.rules.iter().any(|rule| filter.takes(rule))).collect();
    let progress = Progress::default();
    let waiting = wanted.iter().filter(|one| one.waits).map(|one| try_out(one, first, &progress));
    let waiting = futures::future::try_join_all(waiting);
    let others = async {
        let mut found = Vec::new();
        for (index, bench) in benches.iter().enumerate() {
            let on_this = |one: &&&Experiment| !one.waits && (index == 0 || one.every_stack);
            let here: Vec<_> = wanted.iter().filter(on_this).copied().collect();
            found.extend(on_stack(&here, bench, &progress).await?);
        }
        Ok::<_, Error>(found)
    };
    let (waited, mut found) = tokio::try_join!(waiting, others)?;
    found.extend(waited.into_iter().flatten());
    found.retain(|one| filter.takes(one.rule));
    let place = |one: &Finding| {
        let stack = setup.stacks.iter().position(|stack| stack.to_string() == one.stack);
        (stack, RULES.iter().position(|rule| rule.id == one.rule))
    };
    found.sort_by_key(place);
    Ok(found)
}

async fn on_stack(
    experiments: &[&'static Experiment],
    bench: &Bench<'_>,
    progress: &Progress,
) -> Result<Vec<Finding>, Error> {
    let (alone, together): (Vec<_>, Vec<_>) =
        experiments.iter().copied().partition(|one| one.is_timed());
    let together = stream::iter(together.into_iter().map(|one| try_out(one, bench, progress)));
    let mut found = Vec::new();
    let mut together = together.buffered(AT_ONCE);
    while let Some(some) = together.next().await {
        found.extend(some?);
    }
    for one in alone {
        found.extend(try_out(one, bench, progress).await?);
    }
    Ok(found)
}

async fn try_out(
    experiment: &Experiment,
    bench: &Bench<'_>,
    progress: &Progress,
) -> Result<Vec<Finding>, Error> {
    let found = experiment.make(bench).await?;
    progress.tell(&found);
    Ok(found)
}

/// Lines on stderr: what is done, and at once what is broken.
#[derive(Debug, Default)]
struct Progress(Mutex<usize>);

impl Progress {
    fn tell(&self, found: &[Finding]) {
        let mut judged = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for one in found {
            *judged += 1;
            if one.outcome == RuleOutcome::Fail {
                eprintln!("[{judged}] {} ({}) is broken", one.rule, one.stack);
            }
        }
        if let (Some(first), count) = (found.first(), found.len()) {
            let more = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
            eprintln!("[{judged}] judged {}{more} ({})", first.rule, first.stack);
        }
    }
}
