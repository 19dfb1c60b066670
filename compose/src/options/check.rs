//! `perf-compose check`: its arguments, and what they mean.

use std::path::PathBuf;
use std::str::FromStr;

use clap::ArgGroup;
use harness_sdk::{Muxer, SecureChannel, Transport};

use super::args::EngineName;
use super::{Error, Surroundings, Task, cache_dirs, find_definitions};
use crate::check::rules::RuleFilter;
use crate::check::{CheckFormat, CheckOptions, StackWords, SubjectName};
use crate::suggestion;

/// Hold a node against the contract, rule by rule.
///
/// Starts the node many times, with sound and with broken surroundings, and lets perf-node be its peer: one
/// that behaves, and ones that do not. Nothing the node says of itself is believed that a peer or a clock
/// could contradict: a node that sleeps and prints a document fails client-upload-rate.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP, group = ArgGroup::new("what").required(true))]
pub(super) struct CheckArgs {
    /// An implementation's id, the path of a program, or an image that Docker has.
    #[arg(value_name = "IMPLEMENTATION|PROGRAM|IMAGE", group = "what")]
    subject: Option<String>,
    /// A command with its arguments, behind `--`.
    #[arg(last = true, value_name = "COMMAND", group = "what")]
    command: Vec<String>,
    /// Print every rule, a line each, and check nothing.
    #[arg(long, group = "what")]
    list_rules: bool,

    /// Transports, separated by commas [default: those declared; tcp for a program or an image].
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = named::<Transport>)]
    transports: Vec<Transport>,
    /// Secure channels for tcp and ws [default: those declared; noise for a program or an image].
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = named::<SecureChannel>)]
    secure_channels: Vec<SecureChannel>,
    /// Muxers for tcp and ws [default: those declared; yamux for a program or an image].
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = named::<Muxer>)]
    muxers: Vec<Muxer>,

    /// Only this rule, or the rules whose ids begin with this word; may be repeated.
    #[arg(long, value_name = "ID")]
    rule: Vec<String>,
    /// Not this rule, or not the rules whose ids begin with this word; may be repeated.
    #[arg(long, value_name = "ID")]
    skip_rule: Vec<String>,
    /// Warnings make the check fail as well.
    #[arg(long)]
    strict: bool,

    /// How the report on stdout is written.
    #[arg(long, value_enum, value_name = "FORM", default_value_t = CheckFormat::Text)]
    format: CheckFormat,
    /// What runs an implementation: its `process`, or the image of its `source`.
    #[arg(long, value_enum, default_value_t = EngineName::Process)]
    engine: EngineName,
    /// The perf-node that is the peer [default: rust-v0.56 of the definitions, which is built where it has to be].
    #[arg(long, value_name = "PATH")]
    probe: Option<PathBuf>,
    /// Keep what every process said on stderr here.
    #[arg(long, value_name = "FOLDER")]
    logs: Option<PathBuf>,
    /// Definitions of implementations [default: impls/impls.yaml, here or in a folder above].
    #[arg(long, value_name = "FILE")]
    impls: Option<PathBuf>,
    /// Where it is kept what images were built from [default: /srv/cache, else the user's cache].
    #[arg(long, value_name = "FOLDER")]
    cache_dir: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
Examples:
  perf-compose check rust-v0.56
  perf-compose check go-v0.45 --transports quic-v1 --rule client --rule server
  perf-compose check my/image:tag --transports tcp --secure-channels noise,tls --muxers yamux
  perf-compose check --format junit -- node dist/main.js > check.xml
  perf-compose check ./my-node --rule client-upload-rate --logs logs

Every stack is held against the rules; those of the contract that no stack can change, once. A rule that
results depend on fails; one that only this project's contract has, or that does no harm, warns. What cannot
be judged is shown as skipped, with the reason. docs/check.md explains each rule.

Exit status:
  0    no rule is broken (warnings allowed, unless --strict)
  1    a rule is broken, or none could be judged
  2    the command line or the definitions are wrong, or there is no such node
  3    the node, perf-node, an engine or a coordinator could not be started
  130  interrupted";

impl CheckArgs {
    pub(super) fn task(self, around: &Surroundings) -> Result<Task, Error> {
        if self.list_rules {
            return Ok(Task::ListRules);
        }
        let subject = match self.subject {
            Some(name) => SubjectName::Named(name),
            None => SubjectName::Command(self.command),
        };
        let definitions = match self.impls {
            Some(file) => Some(around.current_dir.join(file)),
            // A program can be checked anywhere.
            None => find_definitions(&around.current_dir).ok(),
        };
        Ok(Task::Check(Box::new(CheckOptions {
            subject,
            definitions,
            engine: self.engine,
            stacks: StackWords {
                transports: self.transports,
                secure_channels: self.secure_channels,
                muxers: self.muxers,
            },
            rules: RuleFilter::new(self.rule, self.skip_rule)?,
            probe: self.probe,
            logs: self.logs.map(|folder| around.current_dir.join(folder)),
            cache: cache_dirs(self.cache_dir.as_ref(), around),
            format: self.format,
            strict: self.strict,
            colours: around.stdout_takes_colours,
            current_dir: around.current_dir.clone(),
        })))
    }
}

/// A word of one of the contract's vocabularies.
fn named<T: FromStr + Named>(word: &str) -> Result<T, String> {
    let known = T::names();
    word.parse().map_err(|_| {
        let hint = suggestion::known(word, known.iter().copied());
        format!("there is no \"{word}\"{hint}")
    })
}

trait Named {
    fn names() -> Vec<&'static str>;
}

macro_rules! named {
    ($($name:ty),+) => {
        $(impl Named for $name {
            fn names() -> Vec<&'static str> {
                Self::ALL.iter().map(|value| value.as_str()).collect()
            }
        })+
    };
}

named!(Transport, SecureChannel, Muxer);
