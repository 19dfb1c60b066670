//! What a definition says for engines that run containers.

use serde::Deserialize;

/// What the containers of an implementation are given beyond what all are: nobody's user, a root
/// that cannot be written, no privileges.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerOptions {
    /// `uid:gid` or a name that the image knows; `None`: nobody's.
    pub user: Option<String>,
    /// Whether it writes to its root.
    pub writable: bool,
    /// Most memory that a container may take, as Docker writes it: `512m`; `None`: the machine's.
    pub memory: Option<String>,
    /// Most processors that a container may take the time of: `1.5`; `None`: the machine's.
    pub cpus: Option<f64>,
    /// Whether it ignores TEST_KEY, and so must not share a Redis with other cells.
    pub own_redis: bool,
}

impl ContainerOptions {
    /// What a container may take, where it is less than what the machine has: `cpus 1.5, memory 512m`.
    pub fn limits(&self) -> Option<String> {
        let cpus = self.cpus.map(|cpus| format!("cpus {cpus}"));
        let memory = self.memory.as_ref().map(|memory| format!("memory {memory}"));
        let limits: Vec<_> = cpus.into_iter().chain(memory).collect();
        (!limits.is_empty()).then(|| limits.join(", "))
    }
}
