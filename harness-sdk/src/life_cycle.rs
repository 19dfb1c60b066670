//! From a configuration to an exit status: what a node's process does.

use std::future::Future;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use crate::config::{Config, Role, Settings};
use crate::dial::dial;
use crate::document::Document;
use crate::failure::{Class, Failure, Phase};
use crate::listen::{Announce, listen};
use crate::node::Node;
use crate::plan::Measurements;
use crate::progress::{Event, Form, Progress};
use crate::report::Report;
use crate::signals::{Signals, Stop};
use crate::{logging, panics};

/// How a process ended.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What goes to stdout: a dialer's alone.
    pub document: Option<Document>,
    /// Why the status is not 0.
    pub failure: Option<Failure>,
    /// How that is told on stderr.
    pub form: Form,
}

impl Outcome {
    /// An outcome without a document.
    pub fn from_result(result: Result<(), Failure>) -> Self {
        Self { failure: result.err(), ..Self::default() }
    }

    /// A configuration that was refused; a dialer's document says so too.
    pub fn refused(node: &impl Node, role: Option<Role>, failure: Failure) -> Self {
        let document = (role == Some(Role::Dialer)).then(|| {
            let report = Report { name: node.name(), version: node.version(), ..Report::default() };
            report.document(&Measurements::default(), Some(&failure))
        });
        Self { document, failure: Some(failure), form: Form::default() }
    }
}

/// How the document is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// YAML, as the contract has it.
    #[default]
    Yaml,
    /// The same document as JSON.
    Json,
}

/// A whole node in contract mode, on a multi-threaded tokio runtime: what `fn main` returns.
pub fn main(mut node: impl Node) -> ExitCode {
    panics::remember();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let failure = Failure::new(Class::Environment, Phase::Configuration, error.to_string());
            return exit(&Outcome::from_result(Err(failure)), Format::Yaml);
        }
    };
    let settings = Settings::from_env().with_variables(node.variables());
    let configured = Config::from_contract(&settings)
        .and_then(|config| node.configure(&settings).map(|()| config));
    let outcome = match configured {
        Ok(config) => runtime.block_on(run(Arc::new(node), config)),
        Err(invalid) => Outcome::refused(&node, settings.role(), invalid.into()),
    };
    let code = exit(&outcome, Format::Yaml);
    // What still runs has nothing more to say; waiting for it would only delay the exit.
    runtime.shutdown_background();
    code
}

/// Contract mode: listens or dials as configured, meeting the other side through Redis.
pub async fn run<N: Node>(node: Arc<N>, config: Config) -> Outcome {
    logging::init::<N>(config.debug);
    match config.role {
        Role::Listener => {
            let listening = async move { listen(node.as_ref(), &config, &Announce::Redis).await };
            Outcome::from_result(contain(listening).await)
        }
        Role::Dialer => dial(node, config, None).await,
    }
}

/// By hand: binds, prints one dialable address a line on stdout, and on stderr what `hint` makes of
/// the first of them; serves until a signal.
pub async fn listen_by_hand<N: Node>(
    node: Arc<N>,
    config: Config,
    hint: impl Fn(&str) -> String + Send + Sync + 'static,
) -> Outcome {
    logging::init::<N>(config.debug);
    let announce = Announce::Stdout(Box::new(hint));
    let listening = async move { listen(node.as_ref(), &config, &announce).await };
    Outcome::from_result(contain(listening).await)
}

/// By hand: dials `address` once and measures.
pub async fn dial_by_hand<N: Node>(node: Arc<N>, config: Config, address: String) -> Outcome {
    // What is JSON is nothing else.
    if config.progress.form != Form::Json {
        logging::init::<N>(config.debug);
    }
    dial(node, config, Some(address)).await
}

/// By hand: whatever else a node does on `config`'s stack, until it is done or a signal ends it.
pub async fn work_by_hand<N: Node>(
    node: Arc<N>,
    config: Config,
    work: impl Future<Output = Result<(), Failure>> + Send + 'static,
) -> Outcome {
    logging::init::<N>(config.debug);
    let working = async move {
        let mut signals = catch_signals()?;
        check_stack(node.as_ref(), &config)?;
        let (class, signal) = tokio::select! {
            result = work => return result,
            stop = signals.stop() => match stop {
                Stop::Interrupt => (Class::Interrupted, "SIGINT"),
                Stop::Terminate => (Class::Transfer, "SIGTERM"),
            },
        };
        Err(Failure::new(class, Phase::Dial, format!("ended by {signal} before it was done")))
    };
    Outcome::from_result(contain(working).await)
}

/// Prints the document on stdout and a failure's last line on stderr; the process's status.
pub fn exit(outcome: &Outcome, format: Format) -> ExitCode {
    let mut failure = outcome.failure.clone();
    if let Some(document) = &outcome.document
        && let Err(error) = print(document, format)
    {
        let message = format!("cannot write the document to stdout: {error}");
        // The document says why it failed; that it could not be read is told only of a good one.
        failure.get_or_insert(Failure::new(Class::Environment, Phase::Report, message));
    }
    let Some(failure) = failure else { return ExitCode::SUCCESS };
    match outcome.form {
        Form::Json => {
            Progress { form: Form::Json, interval: None }.tell(&Event::failure(&failure));
        }
        // Where stderr is gone too, the status is what remains.
        Form::Log | Form::Text => {
            let _ = writeln!(std::io::stderr().lock(), "{}", failure.last_line());
        }
    }
    ExitCode::from(failure.class.exit_status())
}

fn print(document: &Document, format: Format) -> std::io::Result<()> {
    let text = match format {
        Format::Yaml => document.to_yaml(),
        Format::Json => document.to_json()?,
    };
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Ends a run on a stack that the node does not speak, before anything else is tried.
pub(crate) fn check_stack<N: Node>(node: &N, config: &Config) -> Result<(), Failure> {
    node.speaks(&config.stack).map_err(|reason| {
        let message = format!("{} does not speak ({}): {reason}", node.name(), config.stack);
        Failure::new(Class::Unsupported, Phase::Configuration, message)
    })
}

pub(crate) fn catch_signals() -> Result<Signals, Failure> {
    Signals::catch().map_err(|error| {
        let message = format!("cannot catch signals: {error}");
        Failure::new(Class::Environment, Phase::Configuration, message)
    })
}

/// Runs `task`; a panic in it, or in anything it started, is an internal failure.
pub(crate) async fn contain(
    task: impl Future<Output = Result<(), Failure>> + Send + 'static,
) -> Result<(), Failure> {
    let result = tokio::spawn(task)
        .await
        .unwrap_or_else(|error| Err(Failure::new(Class::Internal, Phase::Dial, error.to_string())));
    match (result, panics::first()) {
        (Err(failure), Some(panic)) => {
            Err(Failure::new(Class::Internal, failure.phase, format!("a bug: {panic}")))
        }
        (result, _) => result,
    }
}
