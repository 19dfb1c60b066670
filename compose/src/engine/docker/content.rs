//! What a build depends on, as one number: so that what has not changed is not built again.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::ignore::Ignore;

/// What building leaves in a folder, and an image makes for itself: where no ignore file says what a
/// build sees, it does not count, or a build by the other engine would be a change.
const LEFT_BY_BUILDS: &str = "**/node_modules\ntarget\ndist";

/// SHA-256, in hexadecimal, over every file that building `context` with `dockerfile` sees: names,
/// contents, and whether they can be executed. `dockerfile` may lie outside.
pub(super) fn of_folder(context: &Path, dockerfile: &Path) -> io::Result<String> {
    let ignore = ignore_of(context, dockerfile)?;
    let mut files = Vec::new();
    collect(context, Path::new(""), &ignore, &mut files)?;
    files.sort();
    let mut digest = Sha256::new();
    // Hidden or not, and wherever it lies, a Dockerfile is read.
    let recipe = (PathBuf::from("Dockerfile"), dockerfile.to_owned());
    let files = files.into_iter().map(|file| (file.clone(), context.join(file)));
    for (file, path) in std::iter::once(recipe).chain(files) {
        let metadata = fs::symlink_metadata(&path)?;
        let (kind, content) = match metadata.is_symlink() {
            true => ("link", fs::read_link(&path)?.as_os_str().as_bytes().to_vec()),
            false if metadata.permissions().mode() & 0o111 != 0 => ("program", fs::read(&path)?),
            false => ("file", fs::read(&path)?),
        };
        digest.update(format!("{kind} {} ", content.len()));
        digest.update(file.as_os_str().as_bytes());
        digest.update(b"\0");
        digest.update(content);
    }
    Ok(hexadecimal(&digest.finalize()))
}

/// The same for what is named rather than read: a repository's commit.
pub(super) fn of_text(text: &str) -> String {
    hexadecimal(&Sha256::digest(text))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A Dockerfile may have an ignore file of its own beside it.
fn ignore_of(context: &Path, dockerfile: &Path) -> io::Result<Ignore> {
    let mut own = dockerfile.to_owned().into_os_string();
    own.push(".dockerignore");
    for file in [PathBuf::from(own), context.join(".dockerignore")] {
        match fs::read_to_string(file) {
            Ok(text) => return Ok(Ignore::parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Ignore::parse(LEFT_BY_BUILDS))
}

fn collect(
    context: &Path,
    folder: &Path,
    ignore: &Ignore,
    files: &mut Vec<PathBuf>,
) -> io::Result<()> {
    for entry in fs::read_dir(context.join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            // The history is in no image; reading it would make every commit a change.
            let history = path == Path::new(".git");
            if !history && !ignore.hides_all_below(&path) {
                collect(context, &path, ignore, files)?;
            }
        } else if (kind.is_file() || kind.is_symlink()) && !ignore.hides(&path) {
            // The rest, sockets and devices, has no content.
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_build_sees_counts() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let now = || of_folder(folder.path(), &folder.path().join("Dockerfile")).unwrap();
        write("Dockerfile", "FROM scratch");
        write(".dockerignore", "*\n!src");
        write("src/a.rs", "1");
        let first = now();
        write("README", "x");
        write(".git/HEAD", "x");
        write("target/src/a.rs", "x");
        assert_eq!(now(), first);
        write("src/a.rs", "2");
        let second = now();
        assert_ne!(second, first);
        write("src/b.rs", "");
        let third = now();
        assert!(third != first && third != second);
        fs::rename(folder.path().join("src/b.rs"), folder.path().join("src/c.rs")).unwrap();
        assert_ne!(now(), third);
        let fourth = now();
        write("Dockerfile", "FROM other");
        assert_ne!(now(), fourth);
    }

    #[test]
    fn a_dockerfile_may_lie_elsewhere_with_an_ignore_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let now = || {
            let dockerfile = folder.path().join("node/Dockerfile");
            of_folder(&folder.path().join("context"), &dockerfile).unwrap()
        };
        write("node/Dockerfile", "FROM scratch");
        write("context/a", "1");
        let first = now();
        for left in ["context/target/x", "context/dist/x", "context/web/node_modules/x"] {
            write(left, "x");
        }
        assert_eq!(now(), first, "what builds leave does not count");
        write("context/src/target/mod.rs", "x");
        let second = now();
        assert_ne!(second, first, "only at the top is `target` what a build leaves");
        write("node/Dockerfile", "FROM other");
        let third = now();
        assert_ne!(third, second);
        write("node/Dockerfile.dockerignore", "*\n!a");
        let fourth = now();
        write("context/src/b", "x");
        assert_eq!(now(), fourth);
    }
}
