//! What this process has used of the machine.

use nix::sys::resource::{UsageWho, getrusage};

/// CPU time and memory of this process so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Usage {
    /// User and system time, all threads, in seconds.
    pub(crate) cpu_seconds: f64,
    /// Largest resident set, in bytes.
    pub(crate) peak_rss_bytes: u64,
}

impl Usage {
    /// Reads the kernel's accounts; zeros where it keeps none.
    pub(crate) fn now() -> Self {
        let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
            return Self { cpu_seconds: 0.0, peak_rss_bytes: 0 };
        };
        // The kernel's ru_maxrss outlives exec: a process started by a large one would report its
        // parent's. VmHWM is this program's own.
        let peak_rss_bytes = high_water_mark()
            .unwrap_or_else(|| u64::try_from(usage.max_rss()).unwrap_or(0) * MAXRSS_UNIT);
        Self { cpu_seconds: seconds(&usage), peak_rss_bytes }
    }
}

/// [`Usage::cpu_seconds`] alone, which costs one system call.
pub(crate) fn cpu_seconds() -> f64 {
    getrusage(UsageWho::RUSAGE_SELF).as_ref().map_or(0.0, seconds)
}

fn seconds(usage: &nix::sys::resource::Usage) -> f64 {
    let times = [usage.user_time(), usage.system_time()];
    times.iter().map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6).sum()
}

/// getrusage(2): kilobytes on Linux, bytes on macOS.
const MAXRSS_UNIT: u64 = if cfg!(target_os = "macos") { 1 } else { 1024 };

fn high_water_mark() -> Option<u64> {
    parse_vm_hwm(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// The line `VmHWM: 31234 kB` of proc_pid_status(5), in bytes.
fn parse_vm_hwm(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_water_mark_is_read() {
        assert_eq!(parse_vm_hwm("VmPeak:\t 9 kB\nVmHWM:\t  2048 kB\n"), Some(2 << 20));
        assert_eq!(parse_vm_hwm("Name: x"), None);
    }

    #[test]
    fn this_process_uses_memory() {
        let usage = Usage::now();
        assert!(usage.peak_rss_bytes > 100_000, "{usage:?}");
        assert!(usage.cpu_seconds >= 0.0);
    }
}
