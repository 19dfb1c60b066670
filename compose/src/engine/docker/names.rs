//! What a run and its cells are called in Docker, and the labels by which they are found again.

use std::path::Path;

use crate::matrix::Cell;

/// The run that something belongs to; everything that a run makes carries it.
pub(super) const RUN_LABEL: &str = "perf-compose.run";
/// The file that is locked for as long as the run lives.
pub(super) const LOCK_LABEL: &str = "perf-compose.lock";
/// The machine that the file is on.
pub(super) const HOST_LABEL: &str = "perf-compose.host";

/// A run's names.
#[derive(Clone, Debug)]
pub(super) struct RunNames {
    id: String,
    lock: String,
    host: String,
}

impl RunNames {
    /// Names of the run `id` on the machine `host`, which shows by `lock` that it lives.
    pub(super) fn new(id: String, lock: &Path, host: &str) -> Self {
        Self { id, lock: lock.to_string_lossy().into_owned(), host: host.to_owned() }
    }

    /// The same, of a run that has its lock since.
    pub(super) fn locked_by(&mut self, lock: &Path) {
        self.lock = lock.to_string_lossy().into_owned();
    }

    pub(super) fn network(&self) -> String {
        format!("perf-{}", self.id)
    }

    /// The container that every cell of the run meets at.
    pub(super) fn redis(&self) -> String {
        format!("perf-{}-redis", self.id)
    }

    /// What nodes call it, as in libp2p's unified-testing.
    pub(super) fn redis_host(&self) -> &'static str {
        "perf-redis"
    }

    pub(super) fn labels(&self) -> [(&'static str, String); 3] {
        [
            (RUN_LABEL, self.id.clone()),
            (LOCK_LABEL, self.lock.clone()),
            (HOST_LABEL, self.host.clone()),
        ]
    }

    /// The labels as arguments of `docker run` and `docker network create`.
    pub(super) fn label_arguments(&self) -> Vec<String> {
        let labels = self.labels().into_iter();
        labels.flat_map(|(key, value)| ["--label".to_owned(), format!("{key}={value}")]).collect()
    }

    /// Selects what belongs to this run.
    pub(super) fn filter(&self) -> String {
        format!("label={RUN_LABEL}={}", self.id)
    }
}

/// A cell's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CellNames {
    /// The Compose project.
    pub(super) project: String,
    /// Containers.
    pub(super) listener: String,
    pub(super) dialer: String,
    pub(super) redis: String,
    /// The host name of a Redis of the cell's own: a DNS label, which the project may be too long for.
    pub(super) redis_host: String,
}

impl CellNames {
    pub(super) fn of(cell: &Cell<'_>, run: &RunNames) -> Self {
        let slug = cell.slug.to_lowercase();
        // Compose wants a letter or a digit first.
        let project = format!("{}-{}", slug.trim_start_matches('_'), run.id);
        Self {
            listener: format!("{project}-listener"),
            dialer: format!("{project}-dialer"),
            redis: format!("{project}-redis"),
            redis_host: format!("redis-{}-{}", run.id, cell.key()),
            project,
        }
    }

    pub(super) fn containers(&self) -> [&str; 3] {
        [&self.listener, &self.dialer, &self.redis]
    }
}
