//! The machine that figures come from.

use std::collections::BTreeMap;

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
    /// What sets the processors' frequency; `None`: the system lets nothing set it, as in most
    /// virtual machines.
    #[serde(default)]
    pub governor: Option<String>,
    /// Settings of the network that figures depend on, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctls: BTreeMap<String, String>,
    /// Runnable processes, averaged over 1, 5 and 15 minutes, where the system tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_average: Option<[f64; 3]>,
    /// The same, at the end of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_average_end: Option<[f64; 3]>,
}

const SYSCTLS: [&str; 5] = [
    "net.core.rmem_max",
    "net.core.wmem_max",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
    "net.ipv4.tcp_congestion_control",
];

/// A load above this, for each core, at the start of a run is somebody else's.
const QUIET_LOAD: f64 = 0.5;

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
            governor: governor(&read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
            sysctls: SYSCTLS.into_iter().filter_map(sysctl).collect(),
            load_average: load_average(&read("/proc/loadavg")),
            load_average_end: None,
        }
    }

    /// Looks again, at the end of a run.
    pub fn look_again(&mut self) {
        let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        self.load_average_end = load_average(&text);
    }

    /// Why the machine was busy before anything was run on it, if it was.
    pub fn busy(&self) -> Option<String> {
        let [load, ..] = self.load_average?;
        let cores = self.cores;
        (load > QUIET_LOAD * cores as f64).then(|| {
            format!(
                "the machine was not quiet: at the start its load average was {load} on {cores} cores, more than {QUIET_LOAD} for each"
            )
        })
    }
}

fn governor(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A setting of the kernel, its white space made plain.
fn sysctl(name: &str) -> Option<(String, String)> {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    let value = std::fs::read_to_string(path).ok()?;
    Some((name.to_owned(), value.split_whitespace().collect::<Vec<_>>().join(" ")))
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
    fn a_load_is_somebodys_from_half_a_core_on() {
        let machine =
            |load| Machine { cores: 2, load_average: Some([load, 9.0, 9.0]), ..Machine::default() };
        assert_eq!(machine(1.0).busy(), None);
        assert!(machine(1.1).busy().unwrap().contains("was 1.1 on 2 cores, more than 0.5"));
        assert_eq!(Machine::default().busy(), None);
        assert_eq!(governor("schedutil\n").as_deref(), Some("schedutil"));
        assert_eq!(governor(""), None);
    }

    #[test]
    fn this_machine_has_a_core_and_a_kernel() {
        let machine = Machine::look();
        assert!(machine.cores > 0 && !machine.kernel.is_empty());
        assert!(machine.platform.contains(" / "), "{}", machine.platform);
    }
}
