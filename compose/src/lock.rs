//! The lock by which a run shows that it lives. The system gives it back when its process ends, however
//! that ends: what a run left behind is judged by it, and so is whether the run can be taken up again.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// The file, in the run's folder.
pub(crate) const NAME: &str = "run.lock";

/// Somebody who only looks holds the lock no longer than this many pauses.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(10);

/// A lock that is held until it is dropped, or until its process is gone.
#[derive(Debug)]
pub(crate) struct RunLock {
    path: PathBuf,
    /// Locked for as long as it is open.
    _file: File,
}

impl RunLock {
    /// Takes the lock of the run in `folder`; refused while that run lives.
    pub(crate) fn take(folder: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(folder)?.join(NAME);
        let file = File::options().create(true).append(true).open(&path)?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Self { path, _file: file }),
                Err(TryLockError::WouldBlock) => sleep(PAUSE),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Err(io::Error::other("this run is still going on"))
    }

    /// The file; absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether the run that locked `path` has ended. In doubt it has not.
pub(crate) fn is_dead(path: &Path) -> bool {
    match File::open(path) {
        Err(error) => error.kind() == io::ErrorKind::NotFound,
        // Shared, so that two that look at once do not take each other for the run.
        Ok(file) => !matches!(
            file.try_lock_shared(),
            Err(TryLockError::WouldBlock | TryLockError::Error(_))
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_whether_its_run_lives() {
        let folder = tempfile::tempdir().unwrap();
        let lock = RunLock::take(folder.path()).unwrap();
        let path = lock.path().to_owned();
        assert!(!is_dead(&path));
        let error = RunLock::take(folder.path()).unwrap_err().to_string();
        assert!(error.contains("still going on"), "{error}");
        drop(lock);
        assert!(path.exists() && is_dead(&path), "a killed run leaves a file that nobody holds");
        fs::remove_file(&path).unwrap();
        assert!(is_dead(&path), "and a run whose folder was removed, not even that");
        assert!(RunLock::take(folder.path()).is_ok());
    }
}
