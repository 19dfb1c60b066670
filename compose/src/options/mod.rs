//! From the command line to what is to be done. Nothing else reads arguments or the environment.

mod args;
mod check;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use harness_sdk::config::Invalid;
use harness_sdk::plan::Plan;

pub use args::Args;
pub use args::EngineName;
use args::{ProgressName, SubCommand};

use crate::check::{CheckOptions, rules};
use crate::continuation::{self, Continuation, Which};
use crate::definitions::root_of;
use crate::dependencies::Needs;
use crate::engine::{PinError, Pinning};
use crate::folder::CacheDirs;
use crate::progress::Form;
use crate::selection::FilterTexts;

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Run the coordinator alone.
    Coordinator {
        /// Of 127.0.0.1; 0: any free one.
        port: u16,
    },
    /// Print the selected tests.
    ListTests(Selection),
    /// Print the implementations that take part.
    ListImplementations(Selection),
    /// Print where a test stands, and why.
    Why {
        /// Which tests are selected.
        selection: Selection,
        /// The test.
        test: String,
    },
    /// Print what the selected tests need of this machine.
    CheckDependencies {
        /// Which tests.
        selection: Selection,
        /// What relative paths of the definitions are relative to.
        root: PathBuf,
        /// What would run them.
        needs: Needs,
    },
    /// Run the selected tests.
    Run(Box<RunOptions>),
    /// Hold a node against the rules.
    Check(Box<CheckOptions>),
    /// Print the rules.
    ListRules,
}

/// Which tests.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// The definitions; absolute.
    pub definitions: PathBuf,
    /// What to take of them.
    pub filters: FilterTexts,
    /// Whether the tests that filters leave out are shown as well.
    pub show_ignored: bool,
    /// The tests of the run that is taken up again or repeated, in place of what is selected: where no
    /// filter is given. Defaults are none that are given; what they were then is in what was selected.
    pub only: Option<Vec<String>>,
}

/// A run, validated.
#[derive(Clone, Debug, PartialEq)]
pub struct RunOptions {
    /// What runs the nodes.
    pub engine: EngineName,
    /// Which tests.
    pub selection: Selection,
    /// What relative paths of the definitions are relative to.
    pub root: PathBuf,
    /// Where builds put what they make: `target` in the root, whatever the environment says, so
    /// that what runs is what was built.
    pub target: PathBuf,
    /// What each dialer measures.
    pub plan: Plan,
    /// Longest that a test may take.
    pub timeout: Duration,
    /// Where runs are kept, in order of preference.
    pub cache: CacheDirs,
    /// Whether unavailable implementations are forgiven.
    pub allow_unavailable: bool,
    /// Whether to ask before running.
    pub ask: bool,
    /// How progress is shown.
    pub progress: Form,
    /// How many tests run at a time.
    pub workers: usize,
    /// The processors of each worker's two sides, where they are bound.
    pub pinning: Option<Pinning>,
    /// The run that is taken up again.
    pub continues: Option<Continuation>,
    /// The run whose tests this one runs again.
    pub repeats: Option<Continuation>,
    /// Whether the run is packed into an archive when it has ended.
    pub snapshot: bool,
    /// Whether that has its images.
    pub export_images: bool,
    /// Whether the matrix is made even where the cache has it.
    pub rebuild_matrix: bool,
    /// Whether implementations are built from nothing.
    pub rebuild: bool,
    /// Whether nodes say more in their logs.
    pub debug: bool,
}

impl RunOptions {
    /// The run that is taken up again or repeated, where its tests are those that are run.
    pub fn selects_as(&self) -> Option<&Continuation> {
        let earlier = self.continues.as_ref().or(self.repeats.as_ref());
        earlier.filter(|_| self.selection.only.is_some())
    }
}

/// Why a command line cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value that nodes would refuse.
    #[error(transparent)]
    Work(#[from] Invalid),
    /// No definitions.
    #[error("there is no impls/impls.yaml in {} or a folder above; name one with --impls", .0.display())]
    NoDefinitions(PathBuf),
    /// There are images only where there are containers.
    #[error(
        "--export-docker-images packs what --engine docker runs; add that, or take --snapshot alone"
    )]
    NoImages,
    /// The run to take up again.
    #[error(transparent)]
    Continuation(#[from] continuation::Error),
    /// Too few processors.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// A rule that there is not.
    #[error(transparent)]
    Rule(#[from] rules::Unknown),
    /// Nobody to ask.
    #[error("nobody can be asked, since stdin is not a terminal; add --yes to run without asking")]
    NobodyToAsk,
}

/// What the process finds around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// Where it was started.
    pub current_dir: PathBuf,
    /// XDG_CACHE_HOME, else ~/.cache.
    pub user_cache: Option<PathBuf>,
    /// Whether questions are answered by a person.
    pub stdin_is_terminal: bool,
    /// Whether progress is watched by one.
    pub stderr_is_terminal: bool,
    /// Whether the answer is read on a terminal, and NO_COLOR says nothing against colours.
    pub stdout_takes_colours: bool,
}

impl Surroundings {
    /// Looks around.
    pub fn look() -> Self {
        let absolute =
            |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        Self {
            current_dir: std::env::current_dir().unwrap_or_default(),
            user_cache: absolute("XDG_CACHE_HOME")
                .or_else(|| absolute("HOME").map(|home| home.join(".cache"))),
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
            stdout_takes_colours: std::io::stdout().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }
}

impl Args {
    /// Whether the runner says more on stderr.
    pub fn debug(&self) -> bool {
        self.debug
    }

    /// What they mean.
    pub fn task(self, around: &Surroundings) -> Result<Task, Error> {
        match self.command {
            Some(SubCommand::Coordinator { port }) => return Ok(Task::Coordinator { port }),
            Some(SubCommand::Check(args)) => return args.task(around),
            None => {}
        }
        let cache = cache_dirs(self.cache_dir.as_ref(), around);
        let continues = match (&self.resume, &self.rerun_failed) {
            (Some(run), _) => Some(Continuation::open(&cache, run, Which::Unfinished)?),
            (None, Some(run)) => Some(Continuation::open(&cache, run, Which::NotPassed)?),
            (None, None) => None,
        };
        let repeats = match &self.repeat {
            Some(run) => Some(Continuation::open(&cache, run, Which::Unfinished)?),
            None => None,
        };
        let earlier = continues.as_ref().or(repeats.as_ref());
        let earlier = earlier.map(|earlier| &earlier.past.header);
        let definitions = match (&self.impls, earlier) {
            (Some(file), _) => around.current_dir.join(file),
            (None, Some(earlier)) => PathBuf::from(&earlier.metadata.provenance.definitions),
            (None, None) => find_definitions(&around.current_dir)?,
        };
        let filters = FilterTexts::from(self.select);
        let only = earlier.filter(|_| filters == FilterTexts::default());
        let only = only.map(|earlier| earlier.tests.clone());
        let selection = Selection { definitions, filters, show_ignored: self.show_ignored, only };
        let earlier = earlier.map(|earlier| &earlier.metadata);
        if let Some(test) = self.why {
            return Ok(Task::Why { selection, test });
        }
        let root = root_of(&selection.definitions);
        if self.list_tests {
            return Ok(Task::ListTests(selection));
        }
        if self.list_impls {
            return Ok(Task::ListImplementations(selection));
        }
        let engine = self
            .engine
            .or_else(|| EngineName::from_str(&earlier?.engine, false).ok())
            .unwrap_or(EngineName::Process);
        if self.check_deps {
            let needs = match engine {
                EngineName::Process => Needs::Processes,
                EngineName::Docker => Needs::Containers,
            };
            return Ok(Task::CheckDependencies { selection, root, needs });
        }
        if self.export_docker_images && engine != EngineName::Docker {
            return Err(Error::NoImages);
        }
        if !self.yes && !around.stdin_is_terminal {
            return Err(Error::NobodyToAsk);
        }
        let workers = usize::from(self.workers);
        let target = root.join("target");
        Ok(Task::Run(Box::new(RunOptions {
            engine,
            timeout: self
                .work
                .timeout
                .or(earlier.map(|earlier| earlier.timeout.into()))
                .unwrap_or(DEFAULT_TIMEOUT),
            plan: self
                .work
                .plan(&earlier.map(|earlier| earlier.workload.clone()).unwrap_or_default())?,
            target: if self.force_image_rebuild { target.join("fresh") } else { target },
            root,
            selection,
            cache,
            allow_unavailable: self.allow_unavailable,
            ask: !self.yes,
            progress: match self.progress {
                ProgressName::Auto if around.stderr_is_terminal => Form::Bar,
                ProgressName::Auto | ProgressName::Lines => Form::Lines,
                ProgressName::Json => Form::Json,
            },
            workers,
            pinning: self.pin.then(|| Pinning::plan(workers)).transpose()?,
            rebuild_matrix: self.force_matrix_rebuild,
            rebuild: self.force_image_rebuild,
            debug: self.debug,
            snapshot: self.snapshot || self.export_docker_images,
            export_images: self.export_docker_images,
            continues,
            repeats,
        })))
    }
}

/// A cell's time-out where none is given.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);

fn find_definitions(start: &Path) -> Result<PathBuf, Error> {
    let candidates = start.ancestors().map(|folder| folder.join("impls").join("impls.yaml"));
    let mut candidates = candidates.filter(|file| file.is_file());
    candidates.next().ok_or_else(|| Error::NoDefinitions(start.to_owned()))
}

/// What is given, and only that; else the machine's cache where there is one, else the user's.
fn cache_dirs(given: Option<&PathBuf>, around: &Surroundings) -> CacheDirs {
    if let Some(given) = given {
        return CacheDirs(vec![around.current_dir.join(given)]);
    }
    let shared = PathBuf::from("/srv/cache");
    let shared = shared.is_dir().then_some(shared);
    let own = around.user_cache.as_ref().map(|cache| cache.join("perf-compose"));
    CacheDirs(shared.into_iter().chain(own).collect())
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};
    use harness_sdk::plan::{Amount, Direction};

    use super::*;
    use crate::check::SubjectName;

    fn task(args: &[&str], terminal: bool) -> Result<Task, String> {
        let around = Surroundings {
            current_dir: PathBuf::from("/repo"),
            user_cache: Some(PathBuf::from("/home/u/.cache")),
            stdin_is_terminal: terminal,
            stderr_is_terminal: terminal,
            stdout_takes_colours: terminal,
        };
        let args = ["perf-compose", "--impls", "impls/impls.yaml"].iter().chain(args);
        let args = Args::try_parse_from(args).map_err(|error| error.to_string())?;
        args.task(&around).map_err(|error| error.to_string())
    }

    fn run(args: &[&str]) -> RunOptions {
        match task(args, true).unwrap() {
            Task::Run(options) => *options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn defaults_are_the_contracts() {
        let options = run(&[]);
        let gib = Direction { amount: Amount::Bytes(1 << 30), iterations: 10 };
        let plan = Plan { upload: gib, download: gib, latency_iterations: 100, warmup: 0 };
        assert_eq!((options.plan, options.timeout), (plan, Duration::from_secs(600)));
        assert_eq!(
            (options.root, options.target),
            (PathBuf::from("/repo"), PathBuf::from("/repo/target"))
        );
        assert_eq!(options.selection.definitions, PathBuf::from("/repo/impls/impls.yaml"));
        assert!(options.ask && options.progress == Form::Bar && options.workers == 1);
    }

    #[test]
    fn iterations_are_of_both_directions_where_nothing_else_is_said() {
        let plan =
            run(&["--iterations", "3", "--download-iterations", "4", "--upload-bytes", "1K"]).plan;
        assert_eq!((plan.upload.iterations, plan.download.iterations), (3, 4));
        assert_eq!(plan.upload.amount, Amount::Bytes(1024));
        let plan = run(&["--duration", "2s", "--upload-bytes", "5"]).plan;
        assert_eq!(plan.upload.amount, Amount::Bytes(5));
        assert_eq!(plan.download.amount, Amount::Duration(Duration::from_secs(2)));
    }

    #[test]
    fn what_cannot_be_followed_says_why() {
        let cases: &[(&[&str], &str)] = &[
            (
                &["--upload-bytes", "1e9"],
                "--upload-bytes: \"1e9\" is not accepted; it takes a whole number of bytes",
            ),
            (&["--upload-bytes", "0"], "--upload-bytes: 0 bytes take no time"),
            (&["--iterations", "0", "--latency-iterations", "0"], "nothing would be measured"),
            (&["--timeout", "0"], "it takes seconds above 0"),
            (&["--export-docker-images"], "--export-docker-images packs what --engine docker runs"),
            (&["--repeat", "x", "--resume", "x"], "cannot be used with"),
            (&["--workers", "0"], "0 is not in 1..=1024"),
            (&["--resume", "x", "--cache-dir", "/nowhere"], "there is no run \"x\" in /nowhere"),
            (&["--resume", "x", "--rerun-failed", "x"], "cannot be used with"),
            (&["--timeout", "nan"], "it takes seconds above 0"),
            (&["--list-tests", "--list-impls"], "cannot be used with"),
            (&["--list-test"], "a similar argument exists: '--list-tests'"),
        ];
        for (args, expected) in cases {
            let error = task(args, true).unwrap_err();
            assert!(error.contains(expected), "{args:?}: {error}");
        }
    }

    #[test]
    fn an_engine_is_named_or_it_is_processes() {
        let engine = |args: &[&str]| run(args).engine;
        assert_eq!(engine(&[]), EngineName::Process);
        assert_eq!(engine(&["--engine", "docker"]), EngineName::Docker);
    }

    #[test]
    fn without_a_terminal_yes_must_be_said() {
        assert!(task(&[], false).unwrap_err().contains("add --yes"));
        assert!(
            matches!(task(&["--yes"], false), Ok(Task::Run(options)) if !options.ask && options.progress == Form::Lines)
        );
        assert!(matches!(task(&["--list-tests"], false), Ok(Task::ListTests(_))));
    }

    #[test]
    fn a_check_is_of_a_name_or_of_a_command() {
        let check = |args: &[&str]| {
            let around = Surroundings {
                current_dir: PathBuf::from("/nowhere"),
                user_cache: None,
                stdin_is_terminal: false,
                stderr_is_terminal: false,
                stdout_takes_colours: false,
            };
            let args = ["perf-compose", "check"].iter().chain(args);
            let args = Args::try_parse_from(args).map_err(|error| error.to_string())?;
            match args.task(&around).map_err(|error| error.to_string())? {
                Task::Check(options) => Ok(*options),
                other => Err(format!("{other:?}")),
            }
        };
        let named = check(&["x", "--transports", "tcp,quic-v1"]).unwrap();
        assert_eq!(named.subject, SubjectName::Named("x".to_owned()));
        assert_eq!(named.stacks.transports.len(), 2);
        assert_eq!(named.definitions, None);
        let command = check(&["--strict", "--", "node", "--rule", "x"]).unwrap();
        let words = ["node", "--rule", "x"].map(str::to_owned);
        assert_eq!(command.subject, SubjectName::Command(words.to_vec()));
        assert!(command.strict && command.rules.only.is_empty());
        assert!(check(&[]).is_err() && check(&["x", "--", "y"]).is_err());
        assert!(check(&["--list-rules"]).unwrap_err().contains("ListRules"));
    }

    #[test]
    fn the_old_name_of_test_select_works() {
        assert_eq!(
            run(&["--test-filter", "x"]).selection.filters.tests.select.as_deref(),
            Some("x")
        );
    }

    #[test]
    fn a_cache_that_is_given_is_the_only_one() {
        assert_eq!(run(&["--cache-dir", "c"]).cache, CacheDirs(vec![PathBuf::from("/repo/c")]));
        let default = run(&[]).cache.0;
        assert_eq!(default.last(), Some(&PathBuf::from("/home/u/.cache/perf-compose")));
    }

    #[test]
    fn definitions_are_found_from_below() {
        let repository = tempfile::tempdir().unwrap();
        let below = repository.path().join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        assert!(matches!(find_definitions(&below), Err(Error::NoDefinitions(_))));
        let file = repository.path().join("impls/impls.yaml");
        std::fs::create_dir(repository.path().join("impls")).unwrap();
        std::fs::write(&file, "").unwrap();
        assert_eq!(find_definitions(&below).unwrap(), file);
    }
}
