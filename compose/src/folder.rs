//! A run's folder: everything that it leaves behind.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::engine::SideLogs;
use crate::journal::{Entry, Journal};
use crate::lock::{self, RunLock};

/// The journal's name.
const JOURNAL: &str = "journal.jsonl";

/// Something could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub struct Error {
    /// The file or folder.
    pub path: PathBuf,
    /// What the system says.
    pub source: io::Error,
}

/// Where runs are kept, in order of preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheDirs(pub Vec<PathBuf>);

impl CacheDirs {
    /// The first place that lets itself be written.
    pub fn folder(&self) -> Result<PathBuf, Error> {
        self.test_runs().map(|runs| runs.parent().unwrap_or(&runs).to_owned())
    }

    /// Makes `test-runs/` in the first place that lets it be written.
    pub fn test_runs(&self) -> Result<PathBuf, Error> {
        let mut refused = None;
        for place in &self.0 {
            match writable(&place.join("test-runs")) {
                Ok(path) => return Ok(path),
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.unwrap_or_else(|| Error {
            path: PathBuf::from("test-runs"),
            source: io::Error::other("there is no cache folder; give one with --cache-dir"),
        }))
    }
}

/// Why a run cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    /// There is none yet.
    #[error("there is no run in {}", places(.0))]
    None(Vec<PathBuf>),
    /// There is none of that name.
    #[error("there is no run \"{name}\" in {}", places(.tried))]
    Name {
        /// What was asked for.
        name: String,
        /// Where it was looked for.
        tried: Vec<PathBuf>,
    },
}

fn places(tried: &[PathBuf]) -> String {
    tried.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", ")
}

impl CacheDirs {
    /// The folder of the run called `run`: its name, its path, or `last` for the one that wrote last.
    pub fn find(&self, run: &str) -> Result<PathBuf, NotFound> {
        let runs: Vec<_> = self.0.iter().map(|place| place.join("test-runs")).collect();
        if run == "last" {
            return newest(&runs).ok_or(NotFound::None(runs));
        }
        let named = std::iter::once(PathBuf::from(run)).chain(runs.iter().map(|all| all.join(run)));
        let found = named.into_iter().find(|path| path.join(JOURNAL).is_file());
        found.ok_or_else(|| NotFound::Name { name: run.to_owned(), tried: runs })
    }
}

fn newest(places: &[PathBuf]) -> Option<PathBuf> {
    let runs = places.iter().filter_map(|place| fs::read_dir(place).ok()).flatten().flatten();
    let written = runs.filter_map(|entry| {
        let written = fs::metadata(entry.path().join(JOURNAL)).ok()?.modified().ok()?;
        Some((written, entry.path()))
    });
    written.max().map(|(_, path)| path)
}

/// The file `name` of the folder `cache`, whose name says everything that determines what it holds: as
/// it is there, else as `make` makes it. `anew`: made in any case.
pub fn cached(
    cache: &Path,
    name: &str,
    anew: bool,
    make: impl FnOnce() -> String,
) -> Result<String, Error> {
    let path = cache.join(name);
    if !anew && let Ok(text) = fs::read_to_string(&path) {
        return Ok(text);
    }
    let text = make();
    let unfinished = cache.join(format!("{name}.{}", std::process::id()));
    let written = fs::create_dir_all(cache)
        .and_then(|()| fs::write(&unfinished, &text))
        .and_then(|()| fs::rename(&unfinished, &path));
    written.map(|()| text).map_err(|source| Error { path, source })
}

/// The journal of the run in `folder`.
pub fn read_journal(folder: &Path) -> Result<Vec<u8>, Error> {
    let path = folder.join(JOURNAL);
    fs::read(&path).map_err(|source| Error { path, source })
}

fn writable(folder: &Path) -> Result<PathBuf, Error> {
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    let written = fs::create_dir_all(folder)
        .and_then(|()| fs::write(&probe, "x"))
        .and_then(|()| fs::remove_file(&probe));
    match written {
        Ok(()) => Ok(folder.to_owned()),
        Err(source) => Err(Error { path: folder.join(lock::NAME), source }),
    }
}

/// The folder of one run, made before its work starts, so that a place that cannot be written is
/// found out before anything is measured.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    journal: Journal,
    lock: RunLock,
}

impl RunFolder {
    /// Makes the folder `name` in `test_runs`; where there is one already, with a suffix.
    pub fn create(test_runs: &Path, name: &str) -> Result<Self, Error> {
        let path = unused(test_runs, name)?;
        for folder in ["logs", "results"] {
            let folder = path.join(folder);
            fs::create_dir(&folder).map_err(|source| Error { path: folder, source })?;
        }
        let journal = path.join(JOURNAL);
        let file = File::options().create_new(true).append(true).open(&journal);
        let file = file.map_err(|source| Error { path: journal, source })?;
        let lock = lock(&path)?;
        Ok(Self { path, journal: Journal::new(file), lock })
    }

    /// Opens the folder of a run that ended early, to go on after the first `whole` bytes of its
    /// journal. Refused while that run lives.
    pub fn reopen(path: PathBuf, whole: u64) -> Result<Self, Error> {
        let lock = lock(&path)?;
        let journal = path.join(JOURNAL);
        let open = || {
            let file = File::options().append(true).open(&journal)?;
            file.set_len(whole)?;
            Ok(file)
        };
        let file = open().map_err(|source| Error { path: journal.clone(), source })?;
        Ok(Self { path, journal: Journal::new(file), lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run's name: the folder's.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// What shows that the run lives; absolute.
    pub fn lock(&self) -> &Path {
        self.lock.path()
    }

    /// Where the output of building `id` goes.
    pub fn build_log(&self, id: &str) -> PathBuf {
        self.path.join("logs").join(format!("build-{id}.log"))
    }

    /// Where the two sides of the test `slug` log.
    pub fn side_logs(&self, slug: &str) -> SideLogs {
        let side = |side| self.path.join("logs").join(format!("{slug}.{side}.log"));
        SideLogs { dialer: side("dialer"), listener: side("listener") }
    }

    /// Writes the file `name`, whole or not at all: a reader never sees half of it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<(), Error> {
        let path = self.path.join(name);
        let unfinished = self.path.join(format!("{name}.part"));
        let written = fs::write(&unfinished, content).and_then(|()| fs::rename(&unfinished, &path));
        written.map_err(|source| {
            // On a full disk, what was written of it is in the way; that it stays is no worse.
            let _: io::Result<()> = fs::remove_file(&unfinished);
            Error { path, source }
        })
    }

    /// Appends to the journal.
    pub fn record(&self, entry: &Entry) -> Result<(), Error> {
        let path = self.path.join(JOURNAL);
        self.journal.append(entry).map_err(|source| Error { path, source })
    }

    #[cfg(test)]
    pub(crate) fn with_journal(self, journal: File) -> Self {
        Self { journal: Journal::new(journal), ..self }
    }
}

fn lock(folder: &Path) -> Result<RunLock, Error> {
    RunLock::take(folder).map_err(|source| Error { path: folder.join(lock::NAME), source })
}

/// Makes `name`, or `name-2`, `name-3` …: making is what finds out whether it is there.
fn unused(test_runs: &Path, name: &str) -> Result<PathBuf, Error> {
    let mut path = test_runs.join(name);
    let mut suffix = 2;
    loop {
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                path = test_runs.join(format!("{name}-{suffix}"));
                suffix += 1;
            }
            Err(source) => return Err(Error { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_that_can_be_written_is_taken() {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("file");
        fs::write(&file, "").unwrap();
        let good = temporary.path().join("cache");
        let dirs = CacheDirs(vec![file.clone(), good.clone()]);
        assert_eq!(dirs.test_runs().unwrap(), good.join("test-runs"));
        let error = CacheDirs(vec![file]).test_runs().unwrap_err().to_string();
        assert!(error.starts_with("cannot write "), "{error}");
    }

    #[test]
    fn two_runs_of_one_second_have_a_folder_each() {
        let temporary = tempfile::tempdir().unwrap();
        let names: Vec<_> =
            (0..3).map(|_| RunFolder::create(temporary.path(), "perf-x").unwrap().name()).collect();
        assert_eq!(names, ["perf-x", "perf-x-2", "perf-x-3"]);
    }

    #[test]
    fn a_run_is_found_by_name_by_path_and_as_the_last_one() {
        let temporary = tempfile::tempdir().unwrap();
        let dirs = CacheDirs(vec![temporary.path().join("none"), temporary.path().to_owned()]);
        let error = dirs.find("last").unwrap_err().to_string();
        assert!(error.starts_with("there is no run in "), "{error}");
        let runs = dirs.0[1].join("test-runs");
        fs::create_dir(&runs).unwrap();
        let folder = RunFolder::create(&runs, "perf-x").unwrap();
        let path = folder.path().to_owned();
        for name in ["perf-x", "last", path.to_str().unwrap()] {
            assert_eq!(dirs.find(name).unwrap(), path, "{name}");
        }
        let error = dirs.find("perf-y").unwrap_err().to_string();
        assert!(error.starts_with("there is no run \"perf-y\" in "), "{error}");
    }

    #[test]
    fn a_run_that_lives_is_left_alone() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(temporary.path(), "perf-x").unwrap();
        let path = folder.path().to_owned();
        let error = RunFolder::reopen(path.clone(), 0).unwrap_err();
        assert!(error.source.to_string().contains("still going on"), "{error:?}");
        drop(folder);
        assert!(RunFolder::reopen(path, 0).is_ok());
    }
}
