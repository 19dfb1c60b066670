//! A place with definitions and fake nodes, in which the real binary is run.
//!
//! A fake is a shell script. `listener` and `dialer` hold what each side does; both note their
//! process group first, so that a test can tell whether anything is left of it.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use perf_compose::results::{Results, TestResult};
use tempfile::TempDir;

/// No test takes longer; what does is killed and fails.
const LIMIT: Duration = Duration::from_secs(30);

/// Two samples in each direction and three of latency: what [`Bench::run`] asks for.
pub(crate) const DOCUMENT: &str = "\
upload:
  iterations: 2
  min: 6.0
  q1: 6.25
  median: 6.5
  q3: 6.75
  max: 7.0
  outliers: []
  samples: [6.0, 7.0]
  unit: Gbps
download:
  iterations: 2
  min: 6.0
  q1: 6.25
  median: 6.5
  q3: 6.75
  max: 7.0
  outliers: []
  samples: [6.0, 7.0]
  unit: Gbps
latency:
  iterations: 3
  min: 0.1
  q1: 0.15
  median: 0.2
  q3: 0.25
  max: 0.3
  outliers: []
  samples: [0.1, 0.2, 0.3]
  unit: ms
";

/// Serves until it is asked to end, and leaves a child behind.
pub(crate) const SERVES: &str = "trap 'exit 0' TERM; sleep 1000 & wait";

/// Prints [`DOCUMENT`] and ends well.
pub(crate) fn prints_document() -> String {
    format!("cat <<'END'\n{DOCUMENT}END\n")
}

pub(crate) struct Bench {
    folder: TempDir,
    implementations: String,
}

/// What a run of the binary left.
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("impls")).unwrap();
        Self { folder, implementations: "implementations:\n".to_owned() }
    }

    /// A bench with one fake called `node`, over quic-v1.
    pub(crate) fn with_node(listener: &str, dialer: &str) -> Self {
        let mut bench = Self::new();
        bench.add("node", "[quic-v1]", listener, dialer);
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn add(&mut self, id: &str, transports: &str, listener: &str, dialer: &str) {
        self.write_node(id, "IS_DIALER", listener, dialer);
        self.add_entry(&format!(
            "{{id: {id}, transports: {transports}, process: {{command: ./{id}.sh}}}}"
        ));
    }

    /// A fake, `<id>.sh`, that reads its role from the variable `role`.
    pub(crate) fn write_node(&self, id: &str, role: &str, listener: &str, dialer: &str) {
        let note = format!("echo $$ >> '{}'", self.path("groups").display());
        let script = format!(
            "#!/bin/sh\n{note}\nif [ \"${role}\" = true ]; then\n{dialer}\nelse\n{listener}\nfi\n"
        );
        let path = self.path(&format!("{id}.sh"));
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn add_entry(&mut self, entry: &str) {
        self.implementations.push_str(&format!("  - {entry}\n"));
        fs::write(self.path("impls/impls.yaml"), &self.implementations).unwrap();
    }

    /// The binary in this bench, with `args`.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_perf-compose"));
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The command of a run of everything, at the counts of [`DOCUMENT`].
    pub(crate) fn run_command(&self, args: &[&str]) -> Command {
        let usual =
            ["--yes", "--cache-dir", "cache", "--iterations", "2", "--latency-iterations", "3"];
        self.command(&[&usual, args].concat())
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        finish(self.run_command(args).spawn().unwrap())
    }

    /// Runs everything, and answers the one test's result.
    pub(crate) fn run_one(&self, args: &[&str]) -> (Ran, TestResult) {
        let ran = self.run(args);
        let mut tests = self.results().tests;
        assert_eq!(tests.len(), 1, "{}", ran.stderr);
        (ran, tests.remove(0))
    }

    /// The folder of the one run there was.
    pub(crate) fn run_folder(&self) -> PathBuf {
        let runs = fs::read_dir(self.path("cache/test-runs")).unwrap();
        let mut runs: Vec<_> = runs.map(|entry| entry.unwrap().path()).collect();
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs.remove(0)
    }

    pub(crate) fn results(&self) -> Results {
        let text = fs::read_to_string(self.run_folder().join("results.yaml")).unwrap();
        serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
    }

    /// Fails where a process of any fake's group is still there after a moment.
    pub(crate) fn assert_nothing_runs(&self) {
        let groups = fs::read_to_string(self.path("groups")).unwrap();
        let groups: Vec<&str> = groups.lines().collect();
        assert!(!groups.is_empty(), "no fake was ever started");
        // Killed is not yet gone: the system takes a moment.
        within(
            Duration::from_secs(5),
            || members(&groups).is_empty(),
            || format!("still there: {:?}", members(&groups)),
        );
    }
}

/// Waits for `child` and takes what it printed.
pub(crate) fn finish(child: Child) -> Ran {
    finish_within(child, LIMIT)
}

/// The same, for what may take longer.
pub(crate) fn finish_within(mut child: Child, limit: Duration) -> Ran {
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let reader = |mut pipe: Box<dyn Read + Send>| {
        std::thread::spawn(move || {
            let mut text = String::new();
            pipe.read_to_string(&mut text).map(|_| text)
        })
    };
    let (stdout, stderr) = (reader(Box::new(stdout)), reader(Box::new(stderr)));
    let mut status = None;
    let deadline = Instant::now() + limit;
    while status.is_none() && Instant::now() < deadline {
        status = child.try_wait().unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    if status.is_none() {
        child.kill().unwrap();
    }
    let ran = Ran {
        status: status.and_then(|status| status.code()).unwrap_or(-1),
        stdout: stdout.join().unwrap().unwrap(),
        stderr: stderr.join().unwrap().unwrap(),
    };
    assert!(status.is_some(), "took longer than {limit:?}\n{}\n{}", ran.stdout, ran.stderr);
    ran
}

/// Waits until `true_by_now`.
pub(crate) fn within(
    limit: Duration,
    true_by_now: impl Fn() -> bool,
    otherwise: impl Fn() -> String,
) {
    let deadline = Instant::now() + limit;
    while !true_by_now() {
        assert!(Instant::now() < deadline, "{}", otherwise());
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn wait_for(path: &Path) {
    within(LIMIT, || path.exists(), || format!("{} never came", path.display()));
}

pub(crate) fn interrupt(child: &Child) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
}

/// `stat` of every process in one of `groups` that is more than a zombie.
fn members(groups: &[&str]) -> Vec<String> {
    let stats = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("stat")).ok());
    // pid (name) state parent group …
    let in_group = |stat: &String| {
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let fields: Vec<&str> = fields.split_whitespace().collect();
        fields.len() > 2 && groups.contains(&fields[2]) && !matches!(fields[0], "Z" | "X")
    };
    stats.filter(in_group).collect()
}
