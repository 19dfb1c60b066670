//! What a definition says for engines that run containers.

use serde::Deserialize;

/// What the containers of an implementation are given beyond what all are: nobody's user, a root
/// that cannot be written, no privileges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerOptions {
    /// `uid:gid` or a name that the image knows; `None`: nobody's.
    pub user: Option<String>,
    /// Whether it writes to its root.
    pub writable: bool,
    /// Most memory that a container may take, as Docker writes it: `512m`; `None`: the machine's.
    pub memory: Option<String>,
    /// Whether it ignores TEST_KEY, and so must not share a Redis with other cells.
    pub own_redis: bool,
}
