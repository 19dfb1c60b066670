//! A snapshot: a run in one archive, with all that it takes to run the same tests again elsewhere.
//!
//! | in it | what it is |
//! |---|---|
//! | `README.md`, `re-run.sh` | what this is; runs the same tests again |
//! | `bin/perf-compose` | the runner that ran them |
//! | `run/` | the run's folder: results, matrix, Compose files, logs, journal |
//! | `impls/impls.yaml` and beside it | definitions and sources, at the paths that they had to each other |
//! | `docker-images/` | the images, where they were asked for |

mod sources;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::definitions::{EXPECTED_FAILURES, SourceKind};
use crate::engine;
use crate::folder::RunFolder;
use crate::matrix::{self, Cell};
use crate::options::{EngineName, RunOptions};
use crate::results::Results;

/// Runs the same tests again.
const RE_RUN: &str = include_str!("re-run.sh");

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("no snapshot: {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The images.
    #[error("no snapshot: its images")]
    Images(#[from] engine::Error),
    /// The archive.
    #[error("no snapshot: {program} {said}")]
    Program {
        /// What packs it.
        program: &'static str,
        /// How it ended.
        said: String,
    },
}

/// Packs the run in `folder` into `<cache>/snapshots/<run>.tar.gz`; the archive's path, and what is not
/// in it.
pub async fn take(
    options: &RunOptions,
    cells: &[Cell<'_>],
    folder: &RunFolder,
    results: &Results,
) -> Result<(PathBuf, Vec<String>), Error> {
    let run = folder.path();
    // <cache>/test-runs/<run>
    let cache = run.parent().and_then(Path::parent).unwrap_or(run);
    let snapshots = cache.join("snapshots");
    let staging = snapshots.join(format!(".{}", std::process::id()));
    let top = staging.join(folder.name());
    at(&top, fs::create_dir_all(&top))?;
    let filled = fill(options, cells, run, results, &top).await;
    let packed = match filled {
        Ok(missing) => pack(&staging, &folder.name(), &snapshots).await.map(|path| (path, missing)),
        Err(error) => Err(error),
    };
    at(&staging, fs::remove_dir_all(&staging))?;
    packed
}

async fn fill(
    options: &RunOptions,
    cells: &[Cell<'_>],
    run: &Path,
    results: &Results,
    top: &Path,
) -> Result<Vec<String>, Error> {
    sources::copy_all(run, &top.join("run"))?;
    let sides = matrix::builds(cells);
    let mut missing = sources::copy_of(&sides, &options.root, top).await?;
    let definitions = definitions(options);
    write(&top.join(&definitions), fs::read(run.join("impls.yaml")), 0o644)?;
    let expected = options.selection.definitions.with_file_name(EXPECTED_FAILURES);
    if expected.is_file() {
        let beside = definitions.with_file_name(EXPECTED_FAILURES);
        write(&top.join(beside), fs::read(&expected), 0o644)?;
    }
    let runner = std::env::current_exe().and_then(fs::read);
    write(&top.join("bin/perf-compose"), runner, 0o755)?;
    let images = top.join("docker-images");
    if options.export_images {
        at(&images, fs::create_dir_all(&images))?;
        engine::export_images(&sides, &images).await?;
    } else {
        let elsewhere = sides.iter().filter(|side| side.source.kind != SourceKind::Local);
        missing.extend(elsewhere.map(|side| {
            format!(
                "{}: its sources are not on this machine; --export-docker-images packs its image",
                side.build_name()
            )
        }));
    }
    let script = RE_RUN.replace("@definitions@", &definitions.to_string_lossy());
    write(&top.join("re-run.sh"), Ok(script.into_bytes()), 0o755)?;
    let readme = readme(options, results, &definitions, &missing);
    write(&top.join("README.md"), Ok(readme.into_bytes()), 0o644)?;
    Ok(missing)
}

/// Where the definitions stand in the snapshot: paths in them must mean the same.
fn definitions(options: &RunOptions) -> PathBuf {
    let file = &options.selection.definitions;
    file.strip_prefix(&options.root).unwrap_or(Path::new("impls/impls.yaml")).to_owned()
}

fn readme(
    options: &RunOptions,
    results: &Results,
    definitions: &Path,
    missing: &[String],
) -> String {
    let metadata = &results.metadata;
    let missing: String = missing.iter().map(|what| format!("- {what}\n")).collect();
    let missing = match missing.is_empty() {
        true => "Nothing that this machine had.\n".to_owned(),
        false => missing,
    };
    let needs = match (options.engine, options.export_images) {
        (EngineName::Process, _) => {
            "The tools that build the nodes; `./re-run.sh --check-deps` lists them."
        }
        (EngineName::Docker, true) => {
            "Docker with Compose. The images are loaded, and not built again."
        }
        (EngineName::Docker, false) => {
            "Docker with Compose, and what the images are built from: base images and packages, as their Dockerfiles name them."
        }
    };
    include_str!("README.in.md")
        .replace("@run@", &metadata.test_pass)
        .replace("@when@", &metadata.started_at)
        .replace("@runner@", &metadata.runner)
        .replace("@platform@", &metadata.platform)
        .replace("@summary@", &crate::report::summary_line(&results.summary))
        .replace("@definitions@", &definitions.to_string_lossy())
        .replace("@needs@", needs)
        .replace("@missing@\n", &missing)
}

/// With the system's tar, which keeps what a reader would miss: links, and who may execute what.
async fn pack(staging: &Path, name: &str, snapshots: &Path) -> Result<PathBuf, Error> {
    let archive = snapshots.join(format!("{name}.tar.gz"));
    let unfinished = snapshots.join(format!("{name}.tar.gz.part"));
    let mut tar = Command::new("tar");
    tar.arg("--create").arg("--gzip").arg("--file").arg(&unfinished);
    tar.arg("--directory").arg(staging).arg(name);
    run("tar", tar).await?;
    at(&archive, fs::rename(&unfinished, &archive))?;
    Ok(archive)
}

/// Runs `command`, the call of `program`, to its end.
pub(crate) async fn run(program: &'static str, mut command: Command) -> Result<(), Error> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let failed = |said: String| Error::Program { program, said };
    let output = command.output().await.map_err(|error| failed(error.to_string()))?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(failed(format!("{}: {}", output.status, said.trim())))
        }
    }
}

fn write(path: &Path, content: io::Result<Vec<u8>>, mode: u32) -> Result<(), Error> {
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, content?)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    };
    at(path, write())
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, Error> {
    result.map_err(|source| Error::File { path: path.to_owned(), source })
}
