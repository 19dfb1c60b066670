//! The command line as clap reads it: flags, their help, what each takes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use harness_sdk::config::{
    Config, DOWNLOAD_BYTES, DOWNLOAD_ITERATIONS, DURATION, LATENCY_ITERATIONS, Role, Settings,
    UPLOAD_BYTES, UPLOAD_ITERATIONS,
};
use harness_sdk::plan::Plan;

use super::Error;
use super::check::CheckArgs;
use crate::selection::{FilterText, FilterTexts};

/// Measures implementations against each other and leaves results that can be trusted.
///
/// Every dialer × listener × stack that the definitions allow is one test; each one is run with
/// real processes on loopback, and what they print is checked before it is believed.
#[derive(Debug, Parser)]
#[command(name = "perf-compose", version, after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    pub(super) command: Option<SubCommand>,

    /// Print the selected tests, one a line, and run nothing.
    #[arg(long, conflicts_with = "list_impls")]
    pub(super) list_tests: bool,
    /// Print the implementations, one a line, and run nothing.
    #[arg(long, visible_alias = "list-images")]
    pub(super) list_impls: bool,
    /// Show the tests that filters leave out as well, each with the term that does.
    #[arg(long, conflicts_with_all = ["list_impls", "resume", "rerun_failed", "repeat"])]
    pub(super) show_ignored: bool,
    /// Print why a test is selected, or is not, and run nothing.
    #[arg(long, value_name = "TEST", conflicts_with_all = ["list_impls", "list_tests", "show_ignored"])]
    pub(super) why: Option<String>,
    /// Print what the selected tests need of this machine and what is not there, and run nothing.
    #[arg(long, conflicts_with_all = ["list_impls", "list_tests", "show_ignored", "why"])]
    pub(super) check_deps: bool,

    #[command(flatten)]
    pub(super) select: SelectArgs,
    #[command(flatten)]
    pub(super) work: WorkArgs,

    /// Definitions of implementations [default: impls/impls.yaml, here or in a folder above].
    #[arg(long, value_name = "FILE")]
    pub(super) impls: Option<PathBuf>,
    /// What runs the nodes [default: process].
    #[arg(long, value_enum)]
    pub(super) engine: Option<EngineName>,
    /// Where runs are kept, in test-runs/ [default: /srv/cache if it can be written, else the user's cache].
    #[arg(long, value_name = "FOLDER")]
    pub(super) cache_dir: Option<PathBuf>,
    /// Finish a run that ended early: its name, its folder, or `last`. What is not given is as it was then.
    #[arg(long, value_name = "RUN", conflicts_with = "rerun_failed")]
    pub(super) resume: Option<String>,
    /// Run again those tests of a run that have not passed, and are not unsupported.
    #[arg(long, value_name = "RUN")]
    pub(super) rerun_failed: Option<String>,
    /// Run the tests of an earlier run again, all of them and as a run of its own. What is not given is as it was then.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["resume", "rerun_failed"])]
    pub(super) repeat: Option<String>,
    /// How many tests run at a time; with more than one, their figures share the machine.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) workers: u16,
    /// Bind each side of a test to processors of its own.
    #[arg(long)]
    pub(super) pin: bool,
    /// How progress is shown on stderr.
    #[arg(long, value_enum, value_name = "FORM", default_value_t = ProgressName::Auto)]
    pub(super) progress: ProgressName,
    /// Make the test matrix anew, even where the cache has it.
    #[arg(long)]
    pub(super) force_matrix_rebuild: bool,
    /// Build every implementation from nothing: in a build folder of its own (target/fresh), or as an image.
    #[arg(long)]
    pub(super) force_image_rebuild: bool,
    /// Pack the run into an archive that runs its tests again elsewhere: results, definitions, sources.
    #[arg(long)]
    pub(super) snapshot: bool,
    /// The same, with the images of --engine docker, so that nothing is built there.
    #[arg(long)]
    pub(super) export_docker_images: bool,
    /// An unavailable implementation does not make the run fail.
    #[arg(long)]
    pub(super) allow_unavailable: bool,
    /// Do not ask before running.
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Nodes say more in their logs, and the runner on stderr.
    #[arg(long)]
    pub(super) debug: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum SubCommand {
    /// Run the coordinator alone until Ctrl-C, to try nodes by hand; prints its address for REDIS_ADDR.
    Coordinator {
        /// A port of 127.0.0.1; 0: any free one.
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    Check(Box<CheckArgs>),
}

/// What runs the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EngineName {
    /// Plain processes on loopback.
    Process,
    /// Containers, with Docker Compose.
    Docker,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ProgressName {
    /// A bar on a terminal, lines elsewhere.
    Auto,
    /// Plain lines.
    Lines,
    /// One JSON object a line, for programs.
    Json,
}

/// What to test. Filters are terms separated by `|`: text that is contained, `~alias`, or `!` and a term.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Selection")]
pub(super) struct SelectArgs {
    /// Tests to run, by name [default: test-filter in test-selection.yaml, else all].
    #[arg(long, alias = "test-filter", value_name = "TERMS")]
    test_select: Option<String>,
    /// Tests of those to leave out, by name [default: test-ignore in test-selection.yaml, else none].
    #[arg(long, value_name = "TERMS")]
    test_ignore: Option<String>,
    /// Implementations to take, by id; a test needs both of its sides.
    #[arg(long, visible_alias = "image-select", value_name = "TERMS")]
    impl_select: Option<String>,
    /// Implementations to leave out, by id.
    #[arg(long, visible_alias = "image-ignore", value_name = "TERMS")]
    impl_ignore: Option<String>,
    /// Baselines to take, by id, in place of what --impl-select says of them; others are not judged.
    #[arg(long, value_name = "TERMS")]
    baseline_select: Option<String>,
    /// Baselines to leave out, by id.
    #[arg(long, value_name = "TERMS")]
    baseline_ignore: Option<String>,
    /// Transports to take.
    #[arg(long, value_name = "TERMS")]
    transport_select: Option<String>,
    /// Transports to leave out.
    #[arg(long, value_name = "TERMS")]
    transport_ignore: Option<String>,
    /// Secure channels to take; transports with their own are not judged.
    #[arg(long, value_name = "TERMS")]
    secure_select: Option<String>,
    /// Secure channels to leave out.
    #[arg(long, value_name = "TERMS")]
    secure_ignore: Option<String>,
    /// Muxers to take; transports with their own are not judged.
    #[arg(long, value_name = "TERMS")]
    muxer_select: Option<String>,
    /// Muxers to leave out.
    #[arg(long, value_name = "TERMS")]
    muxer_ignore: Option<String>,
    /// Take implementations with `default: false` as well, without naming them.
    #[arg(long, alias = "full-matrix-test")]
    all_impls: bool,
}

/// What each test measures; the texts are the contract's variables, which are checked where nodes check them.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Workload")]
pub(super) struct WorkArgs {
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
    /// Longest that a test may take, as 600 or 0.5s [default: 600].
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub(super) timeout: Option<Duration>,
}

const AFTER_HELP: &str = "\
Examples:
  perf-compose --list-tests
  perf-compose --yes --iterations 3 --upload-bytes 100M --download-bytes 100M
  perf-compose --yes --test-select 'quic-v1|noise' --test-ignore '!~rust'
  perf-compose --test-ignore '~js' --why 'js-v3.x x js-v3.x (webtransport)'
  perf-compose --check-deps
  perf-compose --yes --resume last
  perf-compose coordinator --port 6379
  perf-compose check rust-v0.56

Exit status:
  0    every test passed, or is of a stack that a side does not speak
  1    a test failed, or is partial, unavailable or not run; --check-deps: one could not run
  2    the command line or the definitions are wrong, or nothing is selected
  3    no engine, no coordinator, or nowhere to write (what was finished is in the journal)
  130  interrupted; what was finished is kept";

impl WorkArgs {
    /// What each dialer measures; what is not given is as in `earlier`, by the contract's variables.
    pub(super) fn plan(self, earlier: &BTreeMap<String, String>) -> Result<Plan, Error> {
        let both = self.iterations;
        let given = [
            (&UPLOAD_ITERATIONS, self.upload_iterations.or_else(|| both.clone())),
            (&DOWNLOAD_ITERATIONS, self.download_iterations.or(both)),
            (&LATENCY_ITERATIONS, self.latency_iterations),
            (&UPLOAD_BYTES, self.upload_bytes),
            (&DOWNLOAD_BYTES, self.download_bytes),
            (&DURATION, self.duration),
        ];
        let settings =
            given.into_iter().fold(Settings::default(), |settings, (variable, value)| {
                settings.with_flag(variable, value.or_else(|| earlier.get(variable.name).cloned()))
            });
        Ok(Config::by_hand(Role::Dialer, settings)?.plan)
    }
}

impl From<SelectArgs> for FilterTexts {
    fn from(args: SelectArgs) -> Self {
        let filter = |select, ignore| FilterText { select, ignore };
        Self {
            tests: filter(args.test_select, args.test_ignore),
            implementations: filter(args.impl_select, args.impl_ignore),
            baselines: filter(args.baseline_select, args.baseline_ignore),
            transports: filter(args.transport_select, args.transport_ignore),
            secure_channels: filter(args.secure_select, args.secure_ignore),
            muxers: filter(args.muxer_select, args.muxer_ignore),
            all_implementations: args.all_impls,
        }
    }
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.strip_suffix('s').unwrap_or(text).parse::<f64>().ok();
    // A week bounds what timers are asked for.
    let accepted = seconds.filter(|seconds| *seconds > 0.0 && *seconds <= 604_800.0);
    accepted
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "it takes seconds above 0, a week at most, as 600 or 0.5s".to_owned())
}
