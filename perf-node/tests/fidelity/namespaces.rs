//! Network namespaces of this process: named after it, gone with it.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const PREFIX: &str = "perf-fidelity-";

/// A network namespace; removed when dropped. What no destructor removed, because its process was killed, the next
/// run does: the name says whose it was.
pub(crate) struct Namespace {
    pub(crate) name: String,
}

impl Namespace {
    /// A new, empty one. An error is what `ip` said, where the right to make any is missing.
    pub(crate) fn add() -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{PREFIX}{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let output = output("ip", &["netns", "add", &name]);
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        let namespace = Self { name };
        namespace.run("ip", &["link", "set", "lo", "up"]);
        Ok(namespace)
    }

    /// Runs a program in it to its end; what it printed.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        run("ip", &[&["netns", "exec", &self.name, program], arguments].concat())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // An error has nobody to go to here; the sweep of the next run tries again.
        let _ = Command::new("ip").args(["netns", "del", &self.name]).output();
    }
}

/// Removes what runs that are gone have left, and ends what they had started in there.
pub(crate) fn sweep() {
    for line in run("ip", &["netns", "list"]).lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            println!("removing {name}, which a killed run has left");
            for pid in run("ip", &["netns", "pids", name]).split_whitespace() {
                // An error means that it has ended by itself.
                let _ = kill(Pid::from_raw(pid.parse().unwrap()), Signal::SIGKILL);
            }
            // Another run's sweep may have been quicker.
            let _ = output("ip", &["netns", "del", name]);
        }
    }
}

/// Runs a program to its end, which has to be good; what it printed.
#[track_caller]
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = output(program, arguments);
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(&output.stdout)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn output(program: &str, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; `make test-deps` installs it"))
}
