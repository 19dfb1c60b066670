//! Docker's command line, called: what it printed, or why it failed.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::super::Captured;
use super::super::capture::Capture;
use super::super::group::Group;

/// Why Docker did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no `docker`.
    #[error(
        "Docker is not on this machine; install Docker Engine with its Compose plugin \
         (https://docs.docker.com/engine/install), or use --engine process"
    )]
    NotInstalled,
    /// There is no `docker compose`.
    #[error(
        "Docker is here, but not its Compose plugin; install it \
         (https://docs.docker.com/compose/install/linux), or use --engine process"
    )]
    NoCompose,
    /// There is a `docker`, and no engine answers it.
    #[error(
        "no Docker engine answers ({0}); start it, or see that this user may use it, or use --engine process"
    )]
    NoEngine(String),
    /// The program could not be run.
    #[error("docker {command}")]
    Call {
        /// The first words of what was called.
        command: String,
        /// What the system says.
        source: io::Error,
    },
    /// It ended with a status that is not 0.
    #[error("docker {command}: {said}")]
    Failed {
        /// The first words of what was called.
        command: String,
        /// The last line of its stderr.
        said: String,
    },
    /// What it printed is not what was expected.
    #[error("docker {command} printed what cannot be read: {reason}")]
    Output {
        /// The first words of what was called.
        command: String,
        /// Why.
        reason: String,
    },
}

/// A call of `docker`, in a process group of its own. Dropped while it runs, it is killed.
#[derive(Debug)]
pub(super) struct Call {
    arguments: Vec<OsString>,
}

/// What a call printed.
#[derive(Debug)]
struct Printed {
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Bounded, since nothing that Docker prints about itself is long.
const LIMIT: usize = 16 << 20;
/// A closed pipe is closed at once: this is for what outlives its group.
const GRACE: Duration = Duration::from_secs(1);

/// `docker` with these arguments.
pub(super) fn docker<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> Call {
    Call { arguments: arguments.into_iter().map(Into::into).collect() }
}

impl Call {
    pub(super) fn args<A: Into<OsString>>(mut self, more: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(more.into_iter().map(Into::into));
        self
    }

    /// Its stdout, where it succeeded.
    pub(super) async fn text(self) -> Result<String, Error> {
        let name = self.name();
        let printed = self.printed().await?;
        if !printed.status.success() {
            let said = last_line(&printed.stderr)
                .unwrap_or_else(|| format!("it ended with {}", printed.status));
            return Err(Error::Failed { command: name, said });
        }
        Ok(String::from_utf8_lossy(&printed.stdout).into_owned())
    }

    /// Its stdout, whatever became of it: some of what was asked for may be absent.
    pub(super) async fn whatever_status(self) -> Result<String, Error> {
        let printed = self.printed().await?;
        Ok(String::from_utf8_lossy(&printed.stdout).into_owned())
    }

    /// Runs it with both outputs in `log`; whether it succeeded.
    pub(super) async fn logged(self, log: &Path) -> Result<bool, Error> {
        let name = self.name();
        let run = async || {
            let file = File::options().create(true).append(true).open(log)?;
            let mut command = self.command();
            command.stdout(file.try_clone()?).stderr(file);
            Group::spawn(&mut command)?.ended().await
        };
        let status = run().await;
        status.map(|status| status.success()).map_err(|source| call_error(name, source))
    }

    /// Runs it with its stdout kept, `limit` bytes at most, and its stderr in `log`.
    pub(super) async fn captured(self, log: &Path, limit: usize) -> Result<Captured, Error> {
        let name = self.name();
        let run = async || {
            let mut command = self.command();
            command.stdout(Stdio::piped()).stderr(File::create(log)?);
            let mut group = Group::spawn(&mut command)?;
            let mut capture = Capture::new(group.take_stdout(), limit);
            let status = tokio::select! {
                status = group.ended() => status?,
                never = capture.forever() => match never {},
            };
            let mut captured = capture.finish(GRACE).await;
            if !status.success() {
                captured.incomplete.get_or_insert_with(|| format!("docker {name}: {status}"));
            }
            Ok(captured)
        };
        run().await.map_err(|source| call_error(self.name(), source))
    }

    /// Starts it with its stderr in `log` and its stdout nowhere; dropped, it is killed.
    pub(super) fn watched(self, log: &Path) -> Result<Group, Error> {
        let run = || {
            let mut command = self.command();
            command.stdout(Stdio::null()).stderr(File::create(log)?);
            Group::spawn(&mut command)
        };
        run().map_err(|source| call_error(self.name(), source))
    }

    /// Starts it and lets it go its way: for where nobody can wait.
    pub(super) fn detached(self) {
        let mut command = std::process::Command::new(PROGRAM);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.args(self.arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Err(error) = command.spawn() {
            tracing::warn!(%error, "what a test started stays until the next run");
        }
    }

    async fn printed(self) -> Result<Printed, Error> {
        let run = async || {
            let mut command = self.command();
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut group = Group::spawn(&mut command)?;
            let mut stdout = Capture::new(group.take_stdout(), LIMIT);
            let pipe = group.take_stderr();
            let mut stderr = Vec::new();
            let read = async {
                if let Some(pipe) = pipe {
                    pipe.take(LIMIT as u64).read_to_end(&mut stderr).await?;
                }
                group.ended().await
            };
            let status = tokio::select! {
                status = read => status?,
                never = stdout.forever() => match never {},
            };
            Ok(Printed { status, stdout: stdout.finish(GRACE).await.bytes, stderr })
        };
        run().await.map_err(|source| call_error(self.name(), source))
    }

    pub(super) fn command(&self) -> Command {
        tracing::debug!(arguments = ?self.arguments, "docker");
        let mut command = Command::new(PROGRAM);
        command.args(&self.arguments).stdin(Stdio::null());
        command
    }

    /// What an error calls it: the words before the first flag.
    fn name(&self) -> String {
        let words = self.arguments.iter().map(|word| word.to_string_lossy());
        let words: Vec<_> = words.take_while(|word| !word.starts_with('-')).take(2).collect();
        words.join(" ")
    }
}

/// Makes `<file>.gz` of `file`.
pub(super) async fn compress(file: &Path) -> Result<(), Error> {
    let failed = |source| Error::Call { command: format!("save: gzip {}", file.display()), source };
    let mut command = Command::new("gzip");
    command.args(["--fast", "--force"]).arg(file).stdin(Stdio::null()).kill_on_drop(true);
    let status = command.status().await.map_err(failed)?;
    match status.success() {
        true => Ok(()),
        false => Err(failed(io::Error::other(status.to_string()))),
    }
}

const PROGRAM: &str = "docker";

fn call_error(command: String, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::NotFound => Error::NotInstalled,
        _ => Error::Call { command, source },
    }
}

pub(super) fn last_line(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
}
