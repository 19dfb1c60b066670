//! The files of a snapshot: what a repository has, or what a folder has and no build put there.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::{Error, at};
use crate::definitions::{Implementation, SourceKind};
use crate::tools;

/// What builds leave, and a history: not sources.
const NOT_SOURCES: [&str; 4] = [".git", "target", "node_modules", "dist"];

/// Copies the sources of `sides`, which are below `root`, to the same places below `to`; those that
/// cannot be, one line each.
pub(super) async fn copy_of(
    sides: &[&Implementation],
    root: &Path,
    to: &Path,
) -> Result<Vec<String>, Error> {
    let mut folders = BTreeSet::new();
    let mut missing = Vec::new();
    for side in sides.iter().filter(|side| side.source.kind == SourceKind::Local) {
        let path = &side.source.path;
        let context = side.source.build_context.iter().map(|context| path.join(context));
        for folder in std::iter::once(path.clone()).chain(context) {
            match below(&folder) {
                Some(folder) if root.join(&folder).is_dir() => {
                    folders.insert(folder);
                }
                Some(folder) => missing.push(format!(
                    "{}: {} is not there",
                    side.build_name(),
                    folder.display()
                )),
                None => missing.push(format!(
                    "{}: {} is outside of the definitions' folder",
                    side.build_name(),
                    folder.display()
                )),
            }
        }
    }
    let files = match tools::listed_files(root).await {
        Some(files) => files,
        None => walk(root)?,
    };
    for file in files.iter().filter(|file| folders.iter().any(|folder| file.starts_with(folder))) {
        copy(&root.join(file), &to.join(file))?;
    }
    Ok(missing)
}

/// `path` without `.` and `..`, where it does not lead out of what it is relative to.
fn below(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => plain.push(name),
            Component::ParentDir if plain.pop() => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(plain)
}

/// Copies everything in the folder `from`.
pub(super) fn copy_all(from: &Path, to: &Path) -> Result<(), Error> {
    at(to, fs::create_dir_all(to))?;
    for entry in at(from, fs::read_dir(from))? {
        let entry = at(from, entry)?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        match at(&path, entry.file_type())?.is_dir() {
            true => copy_all(&path, &target)?,
            false => copy(&path, &target)?,
        }
    }
    Ok(())
}

/// Every file below `root`, relative to it.
fn walk(root: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let path = root.join(&folder);
        for entry in at(&path, fs::read_dir(&path))? {
            let entry = at(&path, entry)?;
            let name = entry.file_name();
            let kind = at(&path, entry.file_type())?;
            if !kind.is_dir() {
                files.push(folder.join(name));
            } else if !NOT_SOURCES.iter().any(|not| name.as_bytes() == not.as_bytes())
                && !is_cache(&entry.path())
            {
                folders.push(folder.join(name));
            }
        }
    }
    Ok(files)
}

/// The runner's own folder of runs, which may be anywhere.
fn is_cache(folder: &Path) -> bool {
    folder.join("test-runs").is_dir()
}

/// Copies a file with its permissions, or a link as one. What is neither has no content.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let copy = || {
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        let kind = match fs::symlink_metadata(from) {
            // Known to the repository, and removed since.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            kind => kind?.file_type(),
        };
        if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(from)?, to)
        } else if kind.is_file() {
            fs::copy(from, to).map(drop)
        } else {
            Ok(())
        }
    };
    at(from, copy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        for (path, expected) in [
            (".", Some("")),
            ("impls/go", Some("impls/go")),
            ("impls/https/v1.0/../../..", Some("")),
            ("impls/../..", None),
            ("/usr", None),
        ] {
            assert_eq!(below(Path::new(path)), expected.map(PathBuf::from), "{path}");
        }
    }

    #[test]
    fn builds_and_runs_are_no_sources() {
        let root = tempfile::tempdir().unwrap();
        for file in ["a", "b/c", "target/x", "b/node_modules/x", "cache/test-runs/y/z"] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let mut files = walk(root.path()).unwrap();
        files.sort();
        assert_eq!(files, [PathBuf::from("a"), PathBuf::from("b/c")]);
    }
}
