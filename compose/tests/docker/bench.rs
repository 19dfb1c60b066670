//! A cache of its own for runs of the real binary, and what Docker has of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use perf_compose::results::Results;
use tempfile::TempDir;

pub(crate) struct Bench {
    folder: TempDir,
}

/// What a command left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn cache(&self) -> PathBuf {
        self.path().join("cache")
    }

    /// The binary with `--engine docker`, told to measure little.
    pub(crate) fn command(&self, definitions: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_perf-compose"));
        command.args(["--engine", "docker", "--yes", "--cache-dir"]).arg(self.cache());
        command.arg("--impls").arg(definitions).args(arguments).stdin(Stdio::null());
        command.args(["--iterations", "2", "--latency-iterations", "3"]);
        command
    }

    /// A run of [`command`](Self::command) to its end.
    pub(crate) fn run(&self, definitions: &Path, arguments: &[&str]) -> Ran {
        ran(&mut self.command(definitions, arguments))
    }

    pub(crate) fn spawn(&self, definitions: &Path, arguments: &[&str]) -> Child {
        let mut command = self.command(definitions, arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// The folders of all runs, oldest first.
    pub(crate) fn runs(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.cache().join("test-runs")).unwrap();
        let mut runs: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        runs.sort_by_key(|run| fs::metadata(run.join("impls.yaml")).unwrap().modified().unwrap());
        runs
    }

    pub(crate) fn results(&self) -> Results {
        let text = fs::read_to_string(self.runs().last().unwrap().join("results.yaml")).unwrap();
        serde_yaml::from_str(&text).unwrap()
    }

    /// What of this bench's runs is in Docker: containers and networks, by name.
    pub(crate) fn left(&self) -> Vec<String> {
        let cache = fs::canonicalize(self.cache()).unwrap();
        let mut left = Vec::new();
        for words in [["ps", "--all"].as_slice(), &["network", "ls"]] {
            let name = if words[0] == "ps" { "{{.Names}}" } else { "{{.Name}}" };
            let format = format!("{name}\t{{{{.Label \"perf-compose.lock\"}}}}");
            let listed = docker(&[words, &["--format", &format]].concat()).stdout;
            let lines = listed.lines().filter_map(|line| line.split_once('\t'));
            let ours = lines.filter(|(_, lock)| Path::new(lock).starts_with(&cache));
            left.extend(ours.map(|(name, _)| name.to_owned()));
        }
        left
    }
}

/// The committed definitions.
pub(crate) fn committed() -> PathBuf {
    root().join("impls/impls.yaml")
}

pub(crate) fn root() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
}

pub(crate) fn docker(arguments: &[&str]) -> Ran {
    ran(Command::new("docker").args(arguments))
}

pub(crate) fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran {
        status: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}
