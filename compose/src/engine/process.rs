//! The process engine: builds nodes and runs them as processes on loopback. No Docker.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use harness_sdk::Role;
use harness_sdk::config::VARIABLES;
use nix::sys::signal::Signal;
use perf_coordinator::{Coordinator, Limits};
use tokio::process::Command;
use tokio::time::sleep;

use super::group::Group;
use super::legacy::{self, Translation};
use super::pair::Pair;
use super::pin::{self, Pinning, Slots};
use super::tail::last_line;
use super::variables::{Rendezvous, variables};
use super::{Availability, Captured, CellOutcome, Engine, Error, Exit, Job, SideOutcome};
use crate::definitions::{Implementation, Process, Words};
use crate::leftovers;
use crate::matrix::Cell;
use crate::results::Sides;
use crate::tools;

/// How often it is looked for what has to be translated: nothing is measured before that is done.
const LOOK: Duration = Duration::from_millis(10);

/// Runs nodes as processes of this machine, which meet at a coordinator of the engine's own.
#[derive(Debug)]
pub struct ProcessEngine {
    root: PathBuf,
    target: PathBuf,
    coordinator: Coordinator,
    slots: Slots,
}

impl ProcessEngine {
    /// An engine for implementations whose paths are relative to `root`, built in `target`.
    pub async fn start(root: PathBuf, target: PathBuf) -> Result<Self, Error> {
        let coordinator = Coordinator::start(Limits::default()).await?;
        Ok(Self { root, target, coordinator, slots: Slots::default() })
    }

    /// The engine with each side of a cell bound to processors of its own.
    pub fn pinned(self, pinning: Pinning) -> Self {
        Self { slots: Slots::new(pinning), ..self }
    }

    /// `words` as a command in the implementation's folder, with the runner's environment less the
    /// contract's variables: what the runner does not set, a node must not find.
    fn command(&self, words: &Words, implementation: &Implementation) -> Option<Command> {
        let (program, arguments) = words.0.split_first()?;
        let mut command = Command::new(self.program(program, implementation));
        command.args(arguments.iter().map(|word| self.expand(word)));
        command.current_dir(self.folder_of(implementation)).stdin(Stdio::null());
        for variable in VARIABLES {
            command.env_remove(variable.name);
        }
        if implementation.legacy {
            legacy::names().for_each(|name| {
                command.env_remove(name);
            });
        }
        command.envs(&implementation.env);
        // Should this runner be killed, the next one knows what it left.
        command.envs(leftovers::mark().map(|mark| (leftovers::MARK, mark)));
        Some(command)
    }

    /// `implementation`'s node as a command that is not started yet, with no variable of the contract set.
    pub(crate) fn node(&self, implementation: &Implementation) -> Option<Command> {
        let process = implementation.process.as_ref()?;
        self.command(&process.command, implementation)
    }

    /// Where nodes meet.
    pub(crate) fn redis(&self) -> SocketAddr {
        self.coordinator.addr()
    }

    /// Starts one side of a cell, which meets the other at `addr`.
    fn start_side(
        &self,
        role: Role,
        job: &Job<'_>,
        addr: SocketAddr,
        sides: Option<&Sides>,
    ) -> Result<io::Result<Group>, Error> {
        let implementation = job.cell.side(role);
        let log = match role {
            Role::Dialer => &job.logs.dialer,
            Role::Listener => &job.logs.listener,
        };
        let meet = Rendezvous { redis_addr: addr.to_string(), listener_ip: addr.ip().to_string() };
        let (stdout, stderr) = create_log(log)?;
        let command = implementation.process.as_ref();
        let Some(mut command) =
            command.and_then(|process| self.command(&process.command, implementation))
        else {
            return Ok(Err(io::Error::other("its definition has no `process.command`")));
        };
        for (variable, value) in variables(role, job, &meet) {
            command.env(variable, value);
        }
        command.stderr(stderr);
        command.stdout(if role == Role::Dialer { Stdio::piped() } else { stdout });
        tracing::debug!(test = %job.cell.name, %role, ?command, "start");
        let cpus = sides.map(|sides| match role {
            Role::Dialer => &sides.dialer,
            Role::Listener => &sides.listener,
        });
        Ok(match cpus {
            Some(cpus) => pin::bound(cpus, || Group::spawn(&mut command)),
            None => Group::spawn(&mut command),
        })
    }

    /// Runs the build; `None`: it succeeded, else why the implementation is unavailable.
    async fn build(
        &self,
        build: &Words,
        implementation: &Implementation,
        log: &Path,
    ) -> Result<Option<String>, Error> {
        let (stdout, stderr) = create_log(log)?;
        let Some(mut command) = self.command(build, implementation) else { return Ok(None) };
        command.env("CARGO_TARGET_DIR", &self.target);
        let status = match Group::spawn(command.stdout(stdout).stderr(stderr)) {
            Ok(mut group) => group.ended().await,
            Err(error) => {
                let program = build.0.first().map_or("", String::as_str);
                return Ok(Some(format!("its build could not be started: {program}: {error}")));
            }
        };
        let exit = Exit::from(status);
        if exit == Exit::Status(0) {
            return Ok(None);
        }
        let said = last_line(log).map(|line| format!(": {line}")).unwrap_or_default();
        Ok(Some(format!("its build {exit}{said} (all of it: {})", log.display())))
    }

    /// Where the implementation is built and run.
    fn folder_of(&self, implementation: &Implementation) -> PathBuf {
        self.root.join(&implementation.source.path)
    }

    fn expand(&self, word: &str) -> String {
        word.replace("{target}", &self.target.to_string_lossy())
    }

    /// A program's whole path; a bare name stays one, and is looked up in PATH by the system.
    fn program(&self, word: &str, implementation: &Implementation) -> PathBuf {
        match self.expand(word) {
            path if path.contains('/') => self.folder_of(implementation).join(path),
            name => PathBuf::from(name),
        }
    }

    /// The program to start, where it is a path and is not there.
    fn missing(&self, process: &Process, implementation: &Implementation) -> Option<PathBuf> {
        let path = self.program(process.command.0.first()?, implementation);
        (path.is_absolute() && !path.is_file()).then_some(path)
    }
}

impl Engine for ProcessEngine {
    fn name(&self) -> &'static str {
        "process"
    }

    fn runs_children(&self) -> bool {
        true
    }

    async fn prepare(
        &self,
        implementation: &Implementation,
        log: &Path,
    ) -> Result<Availability, Error> {
        let process = match obstacle(implementation, &self.root) {
            Ok(process) => process,
            Err(reason) => return Ok(Availability::Unavailable(reason)),
        };
        if let Some(build) = &process.build
            && let Some(reason) = self.build(build, implementation, log).await?
        {
            return Ok(Availability::Unavailable(reason));
        }
        Ok(match self.missing(process, implementation) {
            Some(path) => Availability::Unavailable(format!(
                "there is no {}; its build should have made it",
                path.display()
            )),
            None => Availability::Ready,
        })
    }

    async fn run_cell(&self, job: &Job<'_>) -> Result<CellOutcome, Error> {
        let began = Instant::now();
        let killed_before = killed_for_memory();
        let slot = self.slots.take();
        let sides = slot.as_ref().map(|slot| &slot.sides);
        // Older nodes all meet at one key: two of them at a time need a place of their own.
        let own = match legacy::is_in(job.cell) {
            true => Some(Coordinator::start(Limits::default()).await?),
            false => None,
        };
        let coordinator = own.as_ref().unwrap_or(&self.coordinator);
        let listener = self.start_side(Role::Listener, job, coordinator.addr(), sides)?;
        let dialer = self.start_side(Role::Dialer, job, coordinator.addr(), sides)?;
        let mut outcome = match (listener, dialer) {
            (Ok(listener), Ok(dialer)) => tokio::select! {
                outcome = Pair::new(listener, dialer, began).run(job.timeout) => outcome,
                never = translate(coordinator, job.cell) => match never {},
            },
            (listener, dialer) => not_started(listener.err(), dialer.err()),
        };
        if let Some(own) = own {
            own.shutdown().await;
        }
        outcome.dialer.last_line = last_line(&job.logs.dialer);
        outcome.listener.last_line = last_line(&job.logs.listener);
        for side in [&mut outcome.dialer, &mut outcome.listener] {
            side.exit = explained(side, killed_before, killed_for_memory());
        }
        outcome.duration = began.elapsed();
        Ok(outcome)
    }

    async fn clean_up(self) -> Result<(), Error> {
        self.coordinator.shutdown().await;
        Ok(())
    }
}

/// How `implementation` is built and started, or why it cannot be, as far as that shows without trying.
pub(super) fn obstacle<'a>(
    implementation: &'a Implementation,
    root: &Path,
) -> Result<&'a Process, String> {
    let Some(process) = &implementation.process else {
        let reason = "its definition has no `process`: nothing says how to build and start it without Docker";
        return Err(implementation.source.not_here(root).unwrap_or_else(|| reason.to_owned()));
    };
    let folder = &implementation.source.path;
    if !root.join(folder).is_dir() {
        return Err(format!("its node is not there yet ({})", folder.display()));
    }
    match tools::missing_tool(implementation) {
        Some(reason) => Err(reason),
        None => Ok(process),
    }
}

/// Repeats what a listener publishes where its dialer looks for it, if that is another key.
async fn translate(coordinator: &Coordinator, cell: &Cell<'_>) -> Infallible {
    if let Some(Translation { from, string, list }) = Translation::of(cell) {
        let address = loop {
            if let Some(address) = from.iter().find_map(|key| coordinator.first(key)) {
                break address;
            }
            sleep(LOOK).await;
        };
        coordinator.set(&string, &address);
        if let Some(list) = list {
            coordinator.push(list, &address);
        }
    }
    std::future::pending().await
}

/// How many processes the system has killed for want of memory; 0 where it does not tell.
fn killed_for_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/vmstat").unwrap_or_default();
    let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

/// How a side ended. A SIGKILL that nobody here sent, while the system killed for want of memory, was one
/// of those.
fn explained(side: &SideOutcome, before: u64, after: u64) -> Exit {
    let killed = !side.stopped && side.exit == Exit::Signal(Signal::SIGKILL as i32);
    if killed && after > before { Exit::OutOfMemory } else { side.exit.clone() }
}

/// The outcome where not both sides could be started; the one that could was ended at once.
fn not_started(listener: Option<io::Error>, dialer: Option<io::Error>) -> CellOutcome {
    let side = |error: Option<io::Error>| SideOutcome {
        stopped: error.is_none(),
        exit: match error {
            Some(error) => Exit::NotStarted(error.to_string()),
            None => Exit::Signal(Signal::SIGKILL as i32),
        },
        ended_after: Duration::ZERO,
        last_line: None,
    };
    CellOutcome {
        dialer: side(dialer),
        listener: side(listener),
        stdout: Captured::default(),
        timed_out: None,
        duration: Duration::ZERO,
    }
}

/// A log, opened twice: for a process's stdout and its stderr.
fn create_log(path: &Path) -> Result<(Stdio, Stdio), Error> {
    let create = || {
        // Appending, so that the two do not write over each other; from nothing, so that what an
        // earlier try of the same test said is not taken for this one's words.
        let file = File::options().create(true).append(true).open(path)?;
        file.set_len(0)?;
        Ok((Stdio::from(file.try_clone()?), Stdio::from(file)))
    };
    create().map_err(|source| Error::Log { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_kill_that_nobody_here_sent_was_for_want_of_memory() {
        let side = |exit, stopped| SideOutcome {
            exit,
            stopped,
            ended_after: Duration::ZERO,
            last_line: None,
        };
        let killed = Exit::Signal(9);
        assert_eq!(explained(&side(killed.clone(), false), 1, 2), Exit::OutOfMemory);
        assert_eq!(explained(&side(killed.clone(), false), 1, 1), killed);
        assert_eq!(explained(&side(killed.clone(), true), 1, 2), killed);
        assert_eq!(explained(&side(Exit::Status(1), false), 1, 2), Exit::Status(1));
    }
}
