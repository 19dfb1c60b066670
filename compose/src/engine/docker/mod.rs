//! The Docker engine: nodes as containers of a Compose file, in a network of the run's own.
//!
//! What became of a cell is read from its containers, never from the Compose command's status.

mod cell;
mod client;
mod content;
mod file;
mod ignore;
mod image;
mod leftovers;
mod names;
mod state;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

pub use client::Error as DockerError;

use self::client::docker;
use self::leftovers::RunLock;
use self::names::RunNames;
use super::{Availability, CellOutcome, Engine, Error, Job};
use crate::definitions::Implementation;

/// Runs nodes as containers, which meet at a Redis of the run's own.
#[derive(Debug)]
pub struct DockerEngine {
    root: PathBuf,
    cache: PathBuf,
    names: RunNames,
    /// Whether the run's Redis is up; held while it is brought up again.
    redis_up: Mutex<bool>,
    /// Whether a cell was dropped: Docker may still be at work for it.
    dropped: AtomicBool,
    /// Whether images are built from nothing, whatever there is.
    anew: bool,
    _lock: RunLock,
}

/// A Redis that does not answer by then never will.
const REDIS_PATIENCE: Duration = Duration::from_secs(15);

impl DockerEngine {
    /// An engine for implementations whose paths are relative to `root`; `cache` keeps what it
    /// knows of images, and its lock. Removes what dead runs left.
    pub async fn start(root: PathBuf, cache: PathBuf) -> Result<Self, Error> {
        let host = nix::sys::utsname::uname()
            .map(|name| name.nodename().to_string_lossy().into_owned())
            .unwrap_or_default();
        tokio::try_join!(check_engine(), check_compose())?;
        leftovers::sweep(&host).await?;
        let id = new_id();
        let locks = cache.join("locks");
        let lock =
            RunLock::take(&locks, &id).map_err(|source| Error::Log { path: locks, source })?;
        let names = RunNames::new(id, lock.path(), &host);
        let engine = Self {
            root,
            cache,
            names,
            redis_up: Mutex::new(false),
            dropped: AtomicBool::new(false),
            anew: false,
            _lock: lock,
        };
        if let Err(error) = engine.set_up().await {
            // The first error is the one that tells; what this leaves, the next run removes.
            let _: Result<(), _> = engine.remove_all().await;
            return Err(error.into());
        }
        Ok(engine)
    }

    /// The same, building every image from nothing.
    #[must_use]
    pub fn building_anew(self) -> Self {
        Self { anew: true, ..self }
    }

    async fn set_up(&self) -> Result<(), DockerError> {
        let labels = self.names.label_arguments();
        docker(["network", "create"]).args(labels).args([self.names.network()]).text().await?;
        self.ensure_redis().await
    }

    /// Brings the run's Redis up where it is not, or is not any more.
    async fn ensure_redis(&self) -> Result<(), DockerError> {
        let mut up = self.redis_up.lock().await;
        if !*up {
            let name = self.names.redis();
            // What is left of one that died has its name.
            docker(["rm", "--force", "--volumes", &name]).text().await?;
            self.start_redis(&name).await?;
            *up = true;
        }
        Ok(())
    }

    async fn start_redis(&self, name: &str) -> Result<(), DockerError> {
        let network = self.names.network();
        docker(["run", "--detach", "--name", name, "--network", &network])
            .args(["--network-alias", self.names.redis_host(), "--init", "--read-only"])
            .args(["--user", file::NOBODY, "--cap-drop", "ALL"])
            .args(["--security-opt", "no-new-privileges:true", "--log-driver", "json-file"])
            // Rarely: a check is a process, and figures are being taken.
            .args(["--health-cmd", "redis-cli ping", "--health-interval", "60s"])
            .args(self.names.label_arguments())
            .args([file::REDIS_IMAGE])
            .args(file::REDIS_COMMAND)
            .text()
            .await?;
        let deadline = Instant::now() + REDIS_PATIENCE;
        loop {
            let answer = docker(["exec", name, "redis-cli", "ping"]).text().await;
            match answer {
                Ok(answer) if answer.trim() == "PONG" => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error),
                _ => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    async fn remove_all(&self) -> Result<(), DockerError> {
        let again = self.dropped.load(Ordering::SeqCst);
        leftovers::remove_all(&self.names.filter(), &self.names.network(), again).await
    }
}

impl Engine for DockerEngine {
    fn name(&self) -> &'static str {
        "docker"
    }

    async fn prepare(
        &self,
        implementation: &Implementation,
        log: &Path,
    ) -> Result<Availability, Error> {
        image::prepare(implementation, &self.root, &self.cache, self.anew, log).await
    }

    async fn run_cell(&self, job: &Job<'_>) -> Result<CellOutcome, Error> {
        if !file::own_redis(job) {
            self.ensure_redis().await?;
        }
        cell::run(self, job).await
    }

    async fn clean_up(self) -> Result<(), Error> {
        Ok(self.remove_all().await?)
    }
}

/// Why `implementation`'s image cannot be built from what is in `root`, as far as that shows without
/// building it.
pub fn obstacle(implementation: &Implementation, root: &Path) -> Option<String> {
    image::obstacle(implementation, root)
}

/// Whether an engine answers.
async fn check_engine() -> Result<(), DockerError> {
    match docker(["version", "--format", "{{.Server.Version}}"]).text().await {
        Ok(_) => Ok(()),
        Err(DockerError::Failed { said, .. }) => Err(DockerError::NoEngine(said)),
        Err(error) => Err(error),
    }
}

async fn check_compose() -> Result<(), DockerError> {
    match docker(["compose", "version", "--short"]).text().await {
        Ok(_) => Ok(()),
        Err(DockerError::Failed { .. }) => Err(DockerError::NoCompose),
        Err(error) => Err(error),
    }
}

/// Eight hexadecimal digits that no run of this machine has had.
fn new_id() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut id = content::of_text(&format!("{} {}", now.as_nanos(), std::process::id()));
    id.truncate(8);
    id
}
