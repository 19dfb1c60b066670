//! A process that is looked at: a node under test, or a peer of perf-node's.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::engine::capture::Capture;
use crate::engine::group::Group;
use crate::engine::{Captured, DockerEngine, Exit};

/// More than any document of a check.
const STDOUT_LIMIT: usize = 4 << 20;
/// For what a process that left its group still holds open.
const DRAIN_GRACE: Duration = Duration::from_millis(300);
/// How often a pipe is looked at for a line.
const GLANCE: Duration = Duration::from_millis(5);
/// A node asked to end has this long before it is killed.
const STOP_GRACE: Duration = Duration::from_secs(8);

/// A running process, with a group of its own. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Node {
    group: Group,
    stdout: Capture,
    log: PathBuf,
    began: Instant,
    /// Where it runs as one: killing the command that waits for a container does not end it.
    container: Option<String>,
}

/// How a process ended, and what it said.
#[derive(Debug)]
pub(super) struct Ended {
    /// `None`: it did not end in time, and was killed.
    pub(super) exit: Option<Exit>,
    /// From its start, or from where it was asked to end, to its end.
    pub(super) after: Duration,
    pub(super) stdout: Captured,
    pub(super) stderr: String,
}

impl Node {
    /// Starts `command` with its stderr in `log`.
    pub(super) fn start(
        mut command: Command,
        log: &Path,
        container: Option<String>,
    ) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(log)?);
        let mut group = Group::spawn(&mut command)?;
        let stdout = Capture::new(group.take_stdout(), STDOUT_LIMIT);
        Ok(Self { group, stdout, log: log.to_owned(), began: Instant::now(), container })
    }

    pub(super) fn signal(&self, signal: Signal) {
        self.group.signal(signal);
    }

    /// Whether it has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.group.has_ended(), Ok(None))
    }

    /// The first line of its stdout, once it is there; `None` where it ends first or takes longer.
    pub(super) async fn first_line(&mut self, limit: Duration) -> Option<String> {
        let deadline = Instant::now() + limit;
        loop {
            // What is in the pipe when it ends is read before that is noticed.
            let ended = self.has_ended();
            let pause = sleep(GLANCE);
            tokio::select! {
                never = self.stdout.forever() => match never {},
                () = pause => {}
            }
            let text = String::from_utf8_lossy(self.stdout.so_far());
            if let Some((line, _)) = text.split_once('\n') {
                return Some(line.trim().to_owned());
            }
            if ended || Instant::now() > deadline {
                return None;
            }
        }
    }

    /// Sends `signal` and waits for the end, [`STOP_GRACE`] at most.
    pub(super) async fn stop(mut self, signal: Signal) -> Ended {
        self.began = Instant::now();
        self.signal(signal);
        self.ended(STOP_GRACE).await
    }

    /// Waits for the end, `limit` at most; what is still there then is killed.
    pub(super) async fn ended(mut self, limit: Duration) -> Ended {
        let waited = {
            let ended = async {
                tokio::select! {
                    biased;
                    status = self.group.ended() => status,
                    never = self.stdout.forever() => match never {},
                }
            };
            timeout(limit, ended).await
        };
        let after = self.began.elapsed();
        let exit = waited.ok().map(Exit::from);
        self.group.kill();
        if exit.is_some() {
            self.container = None;
        }
        self.remove_container();
        let log = std::mem::take(&mut self.log);
        let stdout = std::mem::replace(&mut self.stdout, Capture::new(None, 0));
        let stdout = stdout.finish(DRAIN_GRACE).await;
        let bytes = std::fs::read(&log).unwrap_or_default();
        Ended { exit, after, stdout, stderr: String::from_utf8_lossy(&bytes).into_owned() }
    }

    fn remove_container(&mut self) {
        if let Some(container) = self.container.take() {
            DockerEngine::remove_later(&container);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.remove_container();
    }
}

impl Ended {
    /// Its stdout as text; what is not text is replaced.
    pub(super) fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout.bytes).into_owned()
    }

    /// The exit status, where it ended with one.
    pub(super) fn status(&self) -> Option<i32> {
        match self.exit {
            Some(Exit::Status(status)) => Some(status),
            _ => None,
        }
    }

    /// The last line of its stderr that is not empty.
    pub(super) fn last_line(&self) -> Option<&str> {
        self.stderr.lines().map(str::trim).rfind(|line| !line.is_empty())
    }

    /// `ended with status 0`, for a report on what is as it should be.
    pub(super) fn end(&self) -> String {
        match &self.exit {
            Some(exit) => exit.to_string(),
            None => format!("still ran after {:.1} s", self.after.as_secs_f64()),
        }
    }

    /// `ended with status 1 (its last words: …)`, for one on what is not.
    pub(super) fn how(&self) -> String {
        let end = self.end();
        match self.last_line() {
            Some(line) => format!("{end} (its last words: {})", shortened(line)),
            None => end,
        }
    }
}

/// A line that fits a report.
pub(super) fn shortened(line: &str) -> String {
    const LONGEST: usize = 160;
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
