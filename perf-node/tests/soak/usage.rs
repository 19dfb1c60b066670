//! What /proc says of a process.

use std::fs;

/// At one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Resident memory in bytes: `Rss` of smaps_rollup, which is exact where VmRSS may be off by what each processor
    /// has not yet added up.
    pub(crate) rss: f64,
    /// Open descriptors.
    pub(crate) descriptors: usize,
}

impl Usage {
    /// `None` where the process is gone.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let rss = rollup.lines().find_map(|line| line.strip_prefix("Rss:"))?;
        let kib: f64 = rss.trim().strip_suffix("kB")?.trim().parse().ok()?;
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
        Some(Self { rss: kib * 1024.0, descriptors })
    }
}
