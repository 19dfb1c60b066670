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

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

pub use client::Error as DockerError;

use self::client::docker;
use self::names::RunNames;
use super::pin::{Pinning, Slots};
use super::{Availability, CellOutcome, Engine, Error, Job};
use crate::definitions::Implementation;

/// Runs nodes as containers, which meet at a Redis of the run's own.
#[derive(Debug)]
pub struct DockerEngine {
    root: PathBuf,
    cache: PathBuf,
    names: RunNames,
    /// The run's Redis, where it is up; held while it is brought up again.
    redis: Mutex<Option<RedisId>>,
    /// Whether a cell was dropped: Docker may still be at work for it.
    dropped: AtomicBool,
    /// Whether images are built from nothing, whatever there is.
    anew: bool,
    /// The images that cells run, by implementation.
    images: std::sync::Mutex<BTreeMap<String, String>>,
    slots: Slots,
}

/// The id of a container.
type RedisId = String;

/// A Redis that does not answer by then never will.
const REDIS_PATIENCE: Duration = Duration::from_secs(15);

impl DockerEngine {
    /// An engine for implementations whose paths are relative to `root`; `cache` keeps what it
    /// knows of images. Removes what dead runs left.
    pub async fn start(root: PathBuf, cache: PathBuf) -> Result<Self, Error> {
        let host = nix::sys::utsname::uname()
            .map(|name| name.nodename().to_string_lossy().into_owned())
            .unwrap_or_default();
        tokio::try_join!(check_engine(), check_compose())?;
        leftovers::sweep(&host).await?;
        Ok(Self {
            root,
            cache,
            names: RunNames::new(new_id(), Path::new(""), &host),
            redis: Mutex::new(None),
            dropped: AtomicBool::new(false),
            anew: false,
            images: std::sync::Mutex::default(),
            slots: Slots::default(),
        })
    }

    /// The same, with each side of a cell bound to processors of its own.
    #[must_use]
    pub fn pinned(self, pinning: Pinning) -> Self {
        Self { slots: Slots::new(pinning), ..self }
    }

    /// The same, building every image from nothing.
    #[must_use]
    pub fn building_anew(self) -> Self {
        Self { anew: true, ..self }
    }

    async fn set_up(&self) -> Result<(), DockerError> {
        let labels = self.names.label_arguments();
        docker(["network", "create"]).args(labels).args([self.names.network()]).text().await?;
        self.ensure_redis().await.map(drop)
    }

    /// Brings the run's Redis up where it is not, or is not any more.
    async fn ensure_redis(&self) -> Result<RedisId, DockerError> {
        let mut known = self.redis.lock().await;
        if let Some(id) = &*known {
            return Ok(id.clone());
        }
        let name = self.names.redis();
        // What is left of one that died has its name.
        docker(["rm", "--force", "--volumes", &name]).text().await?;
        let id = self.start_redis(&name).await?;
        *known = Some(id.clone());
        Ok(id)
    }

    /// Takes note that the Redis `id` is no more: the next cell has another. One that took its place
    /// meanwhile, for a cell beside, is none of it.
    async fn forget_redis(&self, id: &RedisId) {
        let mut known = self.redis.lock().await;
        if known.as_ref() == Some(id) {
            *known = None;
        }
    }

    async fn start_redis(&self, name: &str) -> Result<RedisId, DockerError> {
        let network = self.names.network();
        let id = docker(["run", "--detach", "--name", name, "--network", &network])
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
                Ok(answer) if answer.trim() == "PONG" => return Ok(id.trim().to_owned()),
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

    async fn begin(&mut self, lock: &Path) -> Result<(), Error> {
        self.names.locked_by(lock);
        Ok(self.set_up().await?)
    }

    async fn prepare(
        &self,
        implementation: &Implementation,
        log: &Path,
    ) -> Result<Availability, Error> {
        let prepared =
            image::prepare(implementation, &self.root, &self.cache, self.anew, log).await?;
        Ok(match prepared {
            Ok(image) => {
                let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
                images.insert(implementation.build_name().to_owned(), image);
                Availability::Ready
            }
            Err(reason) => Availability::Unavailable(reason),
        })
    }

    fn images(&self) -> BTreeMap<String, String> {
        self.images.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn run_cell(&self, job: &Job<'_>) -> Result<CellOutcome, Error> {
        let redis = match file::own_redis(job) {
            true => None,
            false => Some(self.ensure_redis().await?),
        };
        let slot = self.slots.take();
        cell::run(self, job, redis, slot.as_ref().map(|slot| &slot.sides)).await
    }

    async fn clean_up(self) -> Result<(), Error> {
        Ok(self.remove_all().await?)
    }
}

/// Saves the images that cells of `implementations` take into files of `folder`, each as `docker load`
/// takes it.
pub async fn export_images(
    implementations: &[&Implementation],
    folder: &Path,
) -> Result<(), Error> {
    for implementation in implementations {
        image::export(&image::names(implementation), implementation.build_name(), folder).await?;
    }
    Ok(image::export(&[file::REDIS_IMAGE.to_owned()], "redis", folder).await?)
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
