//! What the system says of itself, unjudged.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Copies;

/// Each as the system wrote it, trimmed; `None` where it did not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    /// Largest receive buffer a socket may ask for, in bytes: `net.core.rmem_max`.
    pub rmem_max: Option<String>,
    /// Largest send buffer: `net.core.wmem_max`.
    pub wmem_max: Option<String>,
    /// Receive buffer of a socket that asks for none: `net.core.rmem_default`.
    pub rmem_default: Option<String>,
    /// TCP's congestion control: `net.ipv4.tcp_congestion_control`.
    pub congestion_control: Option<String>,
    /// Least, first and largest receive buffer of TCP, in bytes: `net.ipv4.tcp_rmem`.
    pub tcp_rmem: Option<String>,
    /// The same for sending: `net.ipv4.tcp_wmem`.
    pub tcp_wmem: Option<String>,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// `/proc/cpuinfo`.
    pub cpuinfo: Option<String>,
    /// The first processor's frequency governor.
    pub governor: Option<String>,
    /// Processors that this process may use.
    pub processors: Option<usize>,
    /// `/proc/loadavg`.
    pub loadavg: Option<String>,
    /// `/proc/self/limits`.
    pub limits: Option<String>,
    /// What the kernel tells the time by.
    pub clock_source: Option<String>,
    /// How fast memory is copied; measured, where the rest is read.
    pub copies: Option<Copies>,
    /// By network interface that is up, but for loopback.
    pub offloads: Vec<Offloads>,
}

/// What `ethtool -k` says of one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offloads {
    /// The interface's name.
    pub interface: String,
    /// Its output; `None` where the tool is not there, or refused.
    pub features: Option<String>,
}

impl Readings {
    /// Reads the machine that this process runs on.
    pub fn take() -> Self {
        let readings = Self::under(Path::new("/"));
        let offloads = interfaces(Path::new("/sys/class/net"))
            .into_iter()
            .map(|interface| Offloads { features: ethtool(&interface), interface })
            .collect();
        let processors = std::thread::available_parallelism().ok().map(usize::from);
        Self { offloads, processors, copies: Some(Copies::measure()), ..readings }
    }

    /// Reads the files of a system whose root is `root`.
    fn under(root: &Path) -> Self {
        let read = |path: &str| {
            let text = fs::read_to_string(root.join(path)).ok()?;
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        Self {
            rmem_max: read("proc/sys/net/core/rmem_max"),
            wmem_max: read("proc/sys/net/core/wmem_max"),
            rmem_default: read("proc/sys/net/core/rmem_default"),
            congestion_control: read("proc/sys/net/ipv4/tcp_congestion_control"),
            tcp_rmem: read("proc/sys/net/ipv4/tcp_rmem"),
            tcp_wmem: read("proc/sys/net/ipv4/tcp_wmem"),
            kernel: read("proc/sys/kernel/osrelease"),
            cpuinfo: read("proc/cpuinfo"),
            governor: read("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            loadavg: read("proc/loadavg"),
            limits: read("proc/self/limits"),
            clock_source: read("sys/devices/system/clocksource/clocksource0/current_clocksource"),
            processors: None,
            copies: None,
            offloads: Vec::new(),
        }
    }
}

/// The interfaces that are up, but for loopback, by name.
fn interfaces(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let up = |name: &String| {
        let state = fs::read_to_string(folder.join(name).join("operstate")).unwrap_or_default();
        name != "lo" && state.trim() == "up"
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(up).collect();
    names.sort();
    names
}

fn ethtool(interface: &str) -> Option<String> {
    let output = Command::new("ethtool")
        .args(["-k", interface])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_and_absent_ones_are_none() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("proc/sys/net/core/rmem_max", "212992\n");
        write("proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n");
        write("proc/loadavg", "\n");
        let readings = Readings::under(root.path());
        let expected = Readings {
            rmem_max: Some("212992".to_owned()),
            tcp_rmem: Some("4096\t131072\t6291456".to_owned()),
            ..Readings::default()
        };
        assert_eq!(readings, expected);
    }

    #[test]
    fn interfaces_are_those_that_are_up() {
        let folder = tempfile::tempdir().unwrap();
        for (name, state) in
            [("lo", "unknown"), ("eth1", "up\n"), ("eth0", "up\n"), ("wlan0", "down\n")]
        {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("operstate"), state).unwrap();
        }
        assert_eq!(interfaces(folder.path()), ["eth0", "eth1"]);
    }
}
