//! The end of a log.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Longest end of a file that is looked at: a line is never longer than what a person reads.
const TAIL: u64 = 64 << 10;

/// The last non-empty line of the file at `path`; `None` where there is none or it cannot be read.
pub(super) fn last_line(path: &Path) -> Option<String> {
    last_match(path, |line| Some(line.trim()).filter(|line| !line.is_empty()).map(str::to_owned))
}

/// What `read` makes of the last line, near the end of the file at `path`, that it makes something of.
pub fn last_match<T>(path: &Path, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let tail = tail(path).ok()?;
    String::from_utf8_lossy(&tail).lines().rev().find_map(read)
}

fn tail(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail)?;
    Ok(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_lines_and_absent_files_have_nothing_to_say() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        assert_eq!(last_line(&path), None);
        std::fs::write(&path, "first\nlast \n\n  \n").unwrap();
        assert_eq!(last_line(&path).as_deref(), Some("last"));
        std::fs::write(&path, "\n").unwrap();
        assert_eq!(last_line(&path), None);
        std::fs::write(&path, format!("{}\nend", "x".repeat(1 << 20))).unwrap();
        assert_eq!(last_line(&path).as_deref(), Some("end"));
    }
}
