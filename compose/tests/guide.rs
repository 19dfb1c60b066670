//! docs/adding-an-implementation.md, followed word for word in an empty folder.
//!
//! Two things are not as on a reader's machine, both to save time. `--release` is left out: nothing
//! here is a figure. And what is built goes into the folder that holds this test, where most of the
//! SDK's dependencies are built already.

// Helpers are not test functions, where clippy.toml allows these.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use perf_compose::results::{Results, Status};

const GUIDE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/adding-an-implementation.md"));

/// As the workspace builds its own.
const CARGO_CONFIG: &str = "\
[profile.dev]
debug = \"line-tables-only\"

[profile.dev.package.\"*\"]
opt-level = 1
debug = false

[net]
offline = true
";

/// What the guide asks for, in its order.
#[derive(Debug, PartialEq)]
enum Step<'a> {
    /// Commands for a shell.
    Run(&'a str),
    /// A file and its content.
    Write(&'a str, &'a str),
}

/// The blocks marked `sh`, and those behind `<!-- file: NAME -->`.
fn steps(guide: &str) -> Vec<Step<'_>> {
    let mut file = None;
    let mut steps = Vec::new();
    for (text, block) in blocks(guide) {
        if let Some((_, rest)) = text.rsplit_once("<!-- file: ") {
            file = rest.split_once(" -->").map(|(name, _)| name);
        }
        let (language, content) = block.split_once('\n').unwrap();
        match (language, file.take()) {
            ("sh", None) => steps.push(Step::Run(content)),
            (_, Some(name)) => steps.push(Step::Write(name, content)),
            _ => {}
        }
    }
    steps
}

/// Each fenced block, from its language on, with the text between it and the one before.
fn blocks(guide: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts: Vec<_> = guide.split("```").collect();
    let pairs: Vec<_> = parts.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    pairs.into_iter()
}

/// An empty folder, always the same one, so that what is built in the end replaces what was built
/// last time; and a shell that stands in it.
struct Reader {
    folder: PathBuf,
    target: PathBuf,
}

impl Reader {
    fn new() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guide");
        // A run that was killed leaves it.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join(".cargo")).unwrap();
        let runner = Path::new(env!("CARGO_BIN_EXE_perf-compose"));
        let target = runner.parent().and_then(Path::parent).unwrap().to_owned();
        fs::write(folder.join(".cargo/config.toml"), CARGO_CONFIG).unwrap();
        // Where the runner of this reader will build: in its own folder's `target`.
        fs::create_dir(folder.join("my-node")).unwrap();
        std::os::unix::fs::symlink(&target, folder.join("my-node/target")).unwrap();
        Self { folder, target }
    }

    fn node(&self) -> PathBuf {
        self.folder.join("my-node")
    }

    /// Runs `commands`, from the folder that the guide has gone to.
    fn run(&self, commands: &str) {
        // The folder is there already, with its `target`.
        let commands = commands.replace("mkdir my-node my-node/src", "mkdir my-node/src");
        let into = commands.contains("cd my-node");
        let folder = if into { self.folder.clone() } else { self.node() };
        let commands =
            commands.replace("--release", "").replace("{target}/release", "{target}/debug");
        let output = self.shell(&folder).arg(&commands).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "{commands}\n{}\n{said}", output.status);
    }

    fn shell(&self, folder: &Path) -> Command {
        let here = Path::new(env!("CARGO_BIN_EXE_perf-compose")).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("sh");
        shell.args(["-eu", "-c"]).current_dir(folder).stdin(Stdio::null());
        shell.env("PATH", format!("{}:{path}", here.display()));
        shell.env("REPOSITORY", fs::canonicalize(repository()).unwrap());
        shell.env("CARGO_TARGET_DIR", &self.target);
        shell
    }

    /// What the one run left.
    fn results(&self) -> Results {
        let runs = fs::read_dir(self.node().join("cache/test-runs")).unwrap();
        let runs: Vec<_> = runs.map(|run| run.unwrap().path().join("results.yaml")).collect();
        let runs: Vec<_> = runs.iter().filter(|file| file.is_file()).collect();
        let [file] = runs[..] else { panic!("not one run: {runs:?}") };
        serde_yaml::from_str(&fs::read_to_string(file).unwrap()).unwrap()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn who_follows_the_guide_has_a_node_that_passes() {
    let reader = Reader::new();
    for step in steps(GUIDE) {
        match step {
            Step::Run(commands) => reader.run(commands),
            Step::Write(name, content) => fs::write(reader.node().join(name), content).unwrap(),
        }
    }
    let results = reader.results();
    let [test] = &results.tests[..] else { panic!("not one test: {:?}", results.tests) };
    assert_eq!(test.test, "my-node-v0.1 x my-node-v0.1 (raw-tcp)");
    assert_eq!((test.status, &test.reason), (Status::Pass, &None));
    let counts: Vec<_> = test.sections().map(|(_, section)| section.samples.len()).collect();
    assert_eq!(counts, [3, 3, 20]);
}

#[test]
fn the_guides_node_is_the_template() {
    let template = fs::read_to_string(repository().join("impls/template/src/main.rs")).unwrap();
    let node = Step::Write("src/main.rs", &template);
    assert!(
        steps(GUIDE).contains(&node),
        "docs/adding-an-implementation.md and impls/template differ"
    );
    assert!(template.lines().count() < 100);
}

#[test]
fn steps_are_read_in_order() {
    let guide =
        "a\n```sh\nls\n```\n<!-- file: x -->\n```rust\nfn\n```\n```yaml\nz\n```\n```sh\nc\n```\n";
    let expected = [Step::Run("ls\n"), Step::Write("x", "fn\n"), Step::Run("c\n")];
    assert_eq!(steps(guide), expected);
}
