//! The machine that figures come from.

use serde::{Deserialize, Serialize};

/// What a reader of results must know of the machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// Architecture and system: `x86_64 / Linux`.
    #[serde(skip)]
    pub platform: String,
    /// The processor's name, where the system tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Processors that a process may use.
    pub cores: usize,
    /// Release of the kernel.
    pub kernel: String,
    /// Runnable processes, averaged over 1, 5 and 15 minutes, where the system tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_average: Option<[f64; 3]>,
}

impl Machine {
    /// Looks at this machine, now. What cannot be learnt is left out.
    pub fn look() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let (platform, kernel) = match nix::sys::utsname::uname() {
            Ok(name) => (
                format!("{} / {}", std::env::consts::ARCH, name.sysname().to_string_lossy()),
                name.release().to_string_lossy().into_owned(),
            ),
            Err(_) => (std::env::consts::ARCH.to_owned(), "unknown".to_owned()),
        };
        Self {
            platform,
            cpu: cpu_name(&read("/proc/cpuinfo")),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel,
            load_average: load_average(&read("/proc/loadavg")),
        }
    }
}

/// The first `model name` of /proc/cpuinfo.
fn cpu_name(text: &str) -> Option<String> {
    let mut entries = text.lines().filter_map(|line| line.split_once(':'));
    entries.find(|(key, _)| key.trim() == "model name").map(|(_, name)| name.trim().to_owned())
}

/// The first three numbers of /proc/loadavg.
fn load_average(text: &str) -> Option<[f64; 3]> {
    let numbers: Vec<f64> = text.split_whitespace().take(3).map_while(|n| n.parse().ok()).collect();
    numbers.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_read_or_left_out() {
        let cpuinfo =
            "processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\nflags: x\nmodel name\t: Other\n";
        assert_eq!(cpu_name(cpuinfo).as_deref(), Some("Some CPU @ 3 GHz"));
        assert_eq!(cpu_name(""), None);
        assert_eq!(load_average("0.52 0.58 0.59 1/389 12345\n"), Some([0.52, 0.58, 0.59]));
        assert_eq!(load_average("0.52 x"), None);
    }

    #[test]
    fn this_machine_has_a_core_and_a_kernel() {
        let machine = Machine::look();
        assert!(machine.cores > 0 && !machine.kernel.is_empty());
        assert!(machine.platform.contains(" / "), "{}", machine.platform);
    }
}
