//! A node's process: started with nothing but what the test says, watched line by line, killed in
//! the end.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use harness_sdk::config::VARIABLES;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::watch;
use tokio::time::timeout;

use super::{Ended, LIMIT};

/// A process to be.
pub(crate) struct Launch {
    command: Command,
    /// What stands in a failed assertion.
    said: String,
}

impl Launch {
    /// `program` without any of the contract's variables.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        for variable in VARIABLES {
            command.env_remove(variable.name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, said: String::new() }
    }

    pub(crate) fn arg(self, argument: impl AsRef<str>) -> Self {
        self.args([argument.as_ref()])
    }

    pub(crate) fn args<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        for argument in arguments {
            self.command.arg(argument);
            self.said.push_str(&format!(" {argument}"));
        }
        self
    }

    pub(crate) fn var(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.command.env(name, value.as_ref());
        self.said.push_str(&format!(" {name}={}", value.as_ref()));
        self
    }

    pub(crate) fn vars<'a>(self, vars: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        vars.into_iter().fold(self, |launch, (name, value)| launch.var(name, value))
    }

    /// How much is measured: uploads and downloads of `bytes`, and latencies.
    pub(crate) fn measuring(self, [uploads, downloads, latencies]: [usize; 3], bytes: u64) -> Self {
        self.var("UPLOAD_ITERATIONS", uploads.to_string())
            .var("DOWNLOAD_ITERATIONS", downloads.to_string())
            .var("LATENCY_ITERATIONS", latencies.to_string())
            .var("UPLOAD_BYTES", bytes.to_string())
            .var("DOWNLOAD_BYTES", bytes.to_string())
    }

    /// In a network namespace: what was said so far, run by `ip netns exec`, which becomes that program.
    pub(crate) fn in_namespace(self, name: &str) -> Self {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", name]).arg(self.command.get_program());
        command.args(self.command.get_args());
        for (variable, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(variable, value),
                None => command.env_remove(variable),
            };
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, said: format!("in {name}:{}", self.said) }
    }

    /// Where stdout goes, in place of the test.
    pub(crate) fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.command.stdout(to);
        self
    }

    /// Where stderr goes, in place of the test.
    pub(crate) fn stderr(mut self, to: impl Into<Stdio>) -> Self {
        self.command.stderr(to);
        self
    }

    pub(crate) fn spawn(mut self) -> Process {
        let started = Instant::now();
        let mut child = self.command.spawn().unwrap();
        let stdout = Lines::of(child.stdout.take());
        let stderr = Lines::of(child.stderr.take());
        Process { said: self.said, started, child, stdout, stderr }
    }

    /// From start to end.
    pub(crate) async fn run(self) -> Ended {
        self.spawn().ended().await
    }
}

/// A process that runs; killed when dropped.
pub(crate) struct Process {
    said: String,
    started: Instant,
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

impl Process {
    /// The first line on stderr that contains `pattern`, waited for.
    pub(crate) async fn wait_for_stderr(&mut self, pattern: &str) -> String {
        let found = |lines: &[String]| lines.iter().find(|line| line.contains(pattern)).cloned();
        match self.stderr.wait_for(|lines| found(lines).is_some()).await {
            Some(lines) => found(&lines).unwrap(),
            None => panic!("{}\nnever said {pattern:?}:\n{}", self.said, self.stderr.text()),
        }
    }

    /// The first `count` lines on stdout, waited for.
    pub(crate) async fn wait_for_stdout(&mut self, count: usize) -> Vec<String> {
        match self.stdout.wait_for(|lines| lines.len() >= count).await {
            Some(mut lines) => {
                lines.truncate(count);
                lines
            }
            None => panic!("{}\nprinted fewer lines:\n{}", self.said, self.stderr.text()),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// The last line on stderr so far.
    pub(crate) fn last_on_stderr(&self) -> String {
        self.stderr.0.borrow().lines.last().cloned().unwrap_or_default()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(self) -> Ended {
        self.ended_within(LIMIT).await
    }

    /// Waits until it ends by itself, which it has to do in time.
    pub(crate) async fn ended_within(mut self, limit: Duration) -> Ended {
        let status = timeout(limit, async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await
        .unwrap_or_else(|_| {
            panic!("{}\ndid not end within {limit:?}:\n{}", self.said, self.stderr.text())
        });
        let lived = self.started.elapsed();
        for lines in [&mut self.stdout, &mut self.stderr] {
            lines.wait_for_the_end().await;
        }
        Ended {
            said: std::mem::take(&mut self.said),
            status: status_number(status),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
            lived,
        }
    }

    /// Ends it as a crash would.
    pub(crate) async fn kill(self) {
        self.signal(Signal::SIGKILL);
        self.ended().await;
    }

    /// Ends a listener, which has to take it as its due end.
    pub(crate) async fn stop(self, signal: Signal) -> Ended {
        self.signal(signal);
        let ended = self.ended_within(Duration::from_secs(1)).await;
        ended.assert_status(0);
        ended
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `$?` says of a process that ran under no shell; of one that a signal ended, the signal
/// below 0.
fn status_number(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| -status.signal().unwrap_or_default())
}

/// One stream of a process, read by a thread of its own until it ends.
struct Lines(watch::Receiver<Captured>);

#[derive(Default)]
struct Captured {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    fn of(stream: Option<impl Read + Send + 'static>) -> Self {
        let (sender, receiver) =
            watch::channel(Captured { ended: stream.is_none(), ..Captured::default() });
        if let Some(stream) = stream {
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    sender.send_modify(|read| read.lines.push(line));
                }
                sender.send_modify(|read| read.ended = true);
            });
        }
        Self(receiver)
    }

    /// The lines once `enough` of them are there; `None` where that never comes.
    async fn wait_for(&mut self, enough: impl Fn(&[String]) -> bool) -> Option<Vec<String>> {
        let waiting = self.0.wait_for(|read| enough(&read.lines) || read.ended);
        let read = timeout(LIMIT, waiting).await.ok()?.ok()?;
        enough(&read.lines).then(|| read.lines.clone())
    }

    async fn wait_for_the_end(&mut self) {
        let ended = timeout(LIMIT, self.0.wait_for(|read| read.ended)).await;
        assert!(ended.is_ok(), "the process is gone and its output still open");
    }

    fn text(&self) -> String {
        self.0.borrow().lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }
}
