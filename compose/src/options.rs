//! From the command line to what is to be done. Nothing else reads arguments or the environment.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use harness_sdk::config::{
    Config, DOWNLOAD_BYTES, DOWNLOAD_ITERATIONS, DURATION, Invalid, LATENCY_ITERATIONS, Role,
    Settings, UPLOAD_BYTES, UPLOAD_ITERATIONS,
};
use harness_sdk::plan::Plan;

use crate::definitions::root_of;
use crate::folder::CacheDirs;
use crate::selection::{FilterText, FilterTexts};

/// Measures implementations against each other and leaves results that can be trusted.
///
/// Every dialer × listener × stack that the definitions allow is one test; each one is run with
/// real processes on loopback, and what they print is checked before it is believed.
#[derive(Debug, Parser)]
#[command(name = "perf-compose", version, after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<SubCommand>,

    /// Print the selected tests, one a line, and run nothing.
    #[arg(long, conflicts_with = "list_impls")]
    list_tests: bool,
    /// Print the implementations, one a line, and run nothing.
    #[arg(long)]
    list_impls: bool,

    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    work: WorkArgs,

    /// Definitions of implementations [default: impls/impls.yaml, here or in a folder above].
    #[arg(long, value_name = "FILE")]
    impls: Option<PathBuf>,
    /// What runs the nodes.
    #[arg(long, value_enum, default_value_t = EngineName::Process)]
    engine: EngineName,
    /// Where runs are kept, in test-runs/ [default: /srv/cache if it can be written, else the user's cache].
    #[arg(long, value_name = "FOLDER")]
    cache_dir: Option<PathBuf>,
    /// An unavailable implementation does not make the run fail.
    #[arg(long)]
    allow_unavailable: bool,
    /// Do not ask before running.
    #[arg(long, short)]
    yes: bool,
    /// Nodes say more in their logs, and the runner on stderr.
    #[arg(long)]
    debug: bool,
}

#[derive(Debug, Subcommand)]
enum SubCommand {
    /// Run the coordinator alone until Ctrl-C, to try nodes by hand; prints its address for REDIS_ADDR.
    Coordinator {
        /// A port of 127.0.0.1; 0: any free one.
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum EngineName {
    /// Plain processes on loopback.
    Process,
    /// Containers, with Docker Compose. Not there yet.
    Docker,
}

/// What to test. Filters are terms separated by `|`: text that is contained, `~alias`, or `!` and a term.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Selection")]
struct SelectArgs {
    /// Tests to run, by name [default: all].
    #[arg(
        long,
        alias = "test-filter",
        value_name = "TERMS",
        default_value = "",
        hide_default_value = true
    )]
    test_select: String,
    /// Tests of those to leave out, by name [default: none].
    #[arg(long, value_name = "TERMS", default_value = "", hide_default_value = true)]
    test_ignore: String,
    /// Implementations to take, by id; a test needs both of its sides.
    #[arg(long, value_name = "TERMS", default_value = "", hide_default_value = true)]
    impl_select: String,
    /// Implementations to leave out, by id.
    #[arg(long, value_name = "TERMS", default_value = "", hide_default_value = true)]
    impl_ignore: String,
    /// Transports to take.
    #[arg(long, value_name = "TERMS", default_value = "", hide_default_value = true)]
    transport_select: String,
    /// Transports to leave out.
    #[arg(long, value_name = "TERMS", default_value = "", hide_default_value = true)]
    transport_ignore: String,
    /// Secure channels to take; transports with their own are not judged.
    #[arg(long, value_name = "TERMS", default_value = "", hide_default_value = true)]
    secure_select: String,
    /// Secure channels to leave out.
    #[arg(long, value_name = "TERMS", default_value = "", hide_default_value = true)]
    secure_ignore: String,
    /// Muxers to take; transports with their own are not judged.
    #[arg(long, value_name = "TERMS", default_value = "", hide_default_value = true)]
    muxer_select: String,
    /// Muxers to leave out.
    #[arg(long, value_name = "TERMS", default_value = "", hide_default_value = true)]
    muxer_ignore: String,
    /// Take implementations with `default: false` as well, without naming them.
    #[arg(long)]
    all_impls: bool,
}

/// What each test measures; the texts are the contract's variables, which are checked where nodes check them.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Workload")]
struct WorkArgs {
    /// Uploads and downloads, each; 0 skips both [default: 10].
    #[arg(long, value_name = "N")]
    iterations: Option<String>,
    /// Uploads, where they differ.
    #[arg(long, value_name = "N")]
    upload_iterations: Option<String>,
    /// Downloads, where they differ.
    #[arg(long, value_name = "N")]
    download_iterations: Option<String>,
    /// One-byte exchanges; 0 skips them [default: 100].
    #[arg(long, value_name = "N")]
    latency_iterations: Option<String>,
    /// Bytes of an upload, as 1048576, 1024K, 1M [default: 1G].
    #[arg(long, value_name = "BYTES")]
    upload_bytes: Option<String>,
    /// Bytes of a download [default: 1G].
    #[arg(long, value_name = "BYTES")]
    download_bytes: Option<String>,
    /// Length of an iteration, as 20 or 0.5s, for a direction without bytes.
    #[arg(long, value_name = "SECONDS")]
    duration: Option<String>,
    /// Longest that a test may take, as 600 or 0.5s.
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = parse_seconds)]
    timeout: Duration,
}

const AFTER_HELP: &str = "\
Examples:
  perf-compose --list-tests
  perf-compose --yes --iterations 3 --upload-bytes 100M --download-bytes 100M
  perf-compose --yes --test-select 'quic-v1|noise' --test-ignore '!~rust'
  perf-compose coordinator --port 6379

Exit status:
  0    every test passed, or is of a stack that a side does not speak
  1    a test failed, or is partial, unavailable or not run
  2    the command line or the definitions are wrong, or nothing is selected
  3    no engine, no coordinator, or nowhere to write
  130  interrupted; what was finished is kept";

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
    /// Run the selected tests.
    Run(Box<RunOptions>),
}

/// Which tests.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// The definitions; absolute.
    pub definitions: PathBuf,
    /// What to take of them.
    pub filters: FilterTexts,
}

/// A run, validated.
#[derive(Clone, Debug, PartialEq)]
pub struct RunOptions {
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
    /// Whether progress is a bar.
    pub bar: bool,
    /// Whether nodes say more in their logs.
    pub debug: bool,
}

/// Why a command line cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value that nodes would refuse.
    #[error(transparent)]
    Work(#[from] Invalid),
    /// Every section is skipped.
    #[error("nothing would be measured: all iterations are 0")]
    NoWork,
    /// An engine of a later version.
    #[error("--engine docker is not there yet; --engine process runs nodes without Docker")]
    NoDocker,
    /// No definitions.
    #[error("there is no impls/impls.yaml in {} or a folder above; name one with --impls", .0.display())]
    NoDefinitions(PathBuf),
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
        if let Some(SubCommand::Coordinator { port }) = self.command {
            return Ok(Task::Coordinator { port });
        }
        let definitions = match &self.impls {
            Some(file) => around.current_dir.join(file),
            None => find_definitions(&around.current_dir)?,
        };
        let selection = Selection { definitions, filters: self.select.into() };
        if self.list_tests {
            return Ok(Task::ListTests(selection));
        }
        if self.list_impls {
            return Ok(Task::ListImplementations(selection));
        }
        if self.engine == EngineName::Docker {
            return Err(Error::NoDocker);
        }
        if !self.yes && !around.stdin_is_terminal {
            return Err(Error::NobodyToAsk);
        }
        let root = root_of(&selection.definitions);
        Ok(Task::Run(Box::new(RunOptions {
            timeout: self.work.timeout,
            plan: self.work.plan()?,
            target: root.join("target"),
            root,
            selection,
            cache: cache_dirs(self.cache_dir, around),
            allow_unavailable: self.allow_unavailable,
            ask: !self.yes,
            bar: around.stderr_is_terminal,
            debug: self.debug,
        })))
    }
}

impl WorkArgs {
    fn plan(self) -> Result<Plan, Error> {
        let both = self.iterations;
        let settings = Settings::default()
            .with_flag(&UPLOAD_ITERATIONS, self.upload_iterations.or_else(|| both.clone()))
            .with_flag(&DOWNLOAD_ITERATIONS, self.download_iterations.or(both))
            .with_flag(&LATENCY_ITERATIONS, self.latency_iterations)
            .with_flag(&UPLOAD_BYTES, self.upload_bytes)
            .with_flag(&DOWNLOAD_BYTES, self.download_bytes)
            .with_flag(&DURATION, self.duration);
        let plan = Config::by_hand(Role::Dialer, settings)?.plan;
        match plan.upload.iterations + plan.download.iterations + plan.latency_iterations {
            0 => Err(Error::NoWork),
            _ => Ok(plan),
        }
    }
}

impl From<SelectArgs> for FilterTexts {
    fn from(args: SelectArgs) -> Self {
        let filter = |select, ignore| FilterText { select, ignore };
        Self {
            tests: filter(args.test_select, args.test_ignore),
            implementations: filter(args.impl_select, args.impl_ignore),
            transports: filter(args.transport_select, args.transport_ignore),
            secure_channels: filter(args.secure_select, args.secure_ignore),
            muxers: filter(args.muxer_select, args.muxer_ignore),
            all_implementations: args.all_impls,
        }
    }
}

fn find_definitions(start: &Path) -> Result<PathBuf, Error> {
    let candidates = start.ancestors().map(|folder| folder.join("impls").join("impls.yaml"));
    let mut candidates = candidates.filter(|file| file.is_file());
    candidates.next().ok_or_else(|| Error::NoDefinitions(start.to_owned()))
}

/// What is given, and only that; else the machine's cache where there is one, else the user's.
fn cache_dirs(given: Option<PathBuf>, around: &Surroundings) -> CacheDirs {
    if let Some(given) = given {
        return CacheDirs(vec![around.current_dir.join(given)]);
    }
    let shared = PathBuf::from("/srv/cache");
    let shared = shared.is_dir().then_some(shared);
    let own = around.user_cache.as_ref().map(|cache| cache.join("perf-compose"));
    CacheDirs(shared.into_iter().chain(own).collect())
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.strip_suffix('s').unwrap_or(text).parse::<f64>().ok();
    // A week bounds what timers are asked for.
    let accepted = seconds.filter(|seconds| *seconds > 0.0 && *seconds <= 604_800.0);
    accepted
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "it takes seconds above 0, a week at most, as 600 or 0.5s".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use harness_sdk::plan::{Amount, Direction};

    use super::*;

    fn task(args: &[&str], terminal: bool) -> Result<Task, String> {
        let around = Surroundings {
            current_dir: PathBuf::from("/repo"),
            user_cache: Some(PathBuf::from("/home/u/.cache")),
            stdin_is_terminal: terminal,
            stderr_is_terminal: terminal,
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
        assert!(options.ask && options.bar);
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
            (&["--upload-bytes", "0"], "UPLOAD_BYTES: 0 bytes take no time"),
            (&["--iterations", "0", "--latency-iterations", "0"], "nothing would be measured"),
            (&["--engine", "docker"], "--engine docker is not there yet"),
            (&["--timeout", "0"], "it takes seconds above 0"),
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
    fn without_a_terminal_yes_must_be_said() {
        assert!(task(&[], false).unwrap_err().contains("add --yes"));
        assert!(
            matches!(task(&["--yes"], false), Ok(Task::Run(options)) if !options.ask && !options.bar)
        );
        assert!(matches!(task(&["--list-tests"], false), Ok(Task::ListTests(_))));
    }

    #[test]
    fn the_old_name_of_test_select_works() {
        assert_eq!(run(&["--test-filter", "x"]).selection.filters.tests.select, "x");
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
