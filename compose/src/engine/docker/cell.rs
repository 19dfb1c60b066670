//! One cell: its containers brought up, watched to their end, read and removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::time::{sleep, timeout};

use super::super::tail::last_line;
use super::super::{Captured, CellOutcome, Error, Exit, Job, SideOutcome};
use super::client::docker;
use super::names::CellNames;
use super::state::{Container, State};
use super::{DockerEngine, DockerError, RedisId, file};
use crate::results::Sides;

/// A node asked to end has this many seconds before it is killed.
const STOP_GRACE: &str = "2";
/// A dialer whose listener is gone has this long to find out and say so itself.
const REPORT_GRACE: Duration = Duration::from_secs(2);
/// A million samples in each of three sections fit twice over.
const STDOUT_LIMIT: usize = 64 << 20;

/// Removes a cell's containers where its future is dropped before it has.
struct Guard<'a> {
    names: CellNames,
    dropped: &'a AtomicBool,
    done: bool,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.dropped.store(true, Ordering::SeqCst);
            docker(["rm", "--force", "--volumes"]).args(self.names.containers()).detached();
        }
    }
}

/// What happened first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    DialerEnded,
    ListenerEnded,
    TimeOut,
    /// Not both sides could be started.
    NotUp,
}

/// What is known when all has ended.
struct Ended {
    first: First,
    /// Whether the dialer had to be ended.
    dialer_stopped: bool,
    stdout: Captured,
}

impl Ended {
    /// Nothing ran that could have printed something.
    fn without_words(first: First) -> Self {
        Self { first, dialer_stopped: false, stdout: Captured::default() }
    }
}

/// Runs a cell that meets at the run's `shared_redis`, or at one of its own, its sides on the processors
/// `cpus`, or on any.
pub(super) async fn run(
    engine: &DockerEngine,
    job: &Job<'_>,
    shared_redis: Option<RedisId>,
    cpus: Option<&Sides>,
) -> Result<CellOutcome, Error> {
    let (began, clock) = (Instant::now(), OffsetDateTime::now_utc());
    let names = CellNames::of(job.cell, &engine.names);
    let compose = write_file(engine, job, &names, cpus)?;
    let mut guard = Guard { names, dropped: &engine.dropped, done: false };
    let names = &guard.names;

    let log = job.folder.join("logs").join(format!("{}.compose.log", job.cell.slug));
    let up = docker(["compose", "--progress", "plain", "--file"])
        .args([&compose])
        .args(["up", "--detach", "--no-build", "--pull", "never"])
        .logged(&log);
    let limit = job.timeout;
    let up = timeout(limit, up).await;
    let ended = match &up {
        Ok(up) if *up.as_ref().unwrap_or(&false) => {
            watch(job, names, limit.saturating_sub(began.elapsed())).await?
        }
        Ok(_) => Ended::without_words(First::NotUp),
        Err(_) => Ended::without_words(First::TimeOut),
    };
    if let Ok(up) = up {
        up?;
    }
    let read = async {
        match ended.first {
            First::NotUp => Ok(()),
            _ => read_all(&names.listener, &job.logs.listener).await,
        }
    };
    let (states, ()) = tokio::try_join!(States::look(names, shared_redis.as_ref()), read)?;
    docker(["rm", "--force", "--volumes"]).args(names.containers()).text().await?;
    guard.done = true;
    if let Some(redis) = shared_redis.filter(|_| !states.redis_up) {
        engine.forget_redis(&redis).await;
    }

    let mut outcome = states.outcome(&ended, clock, last_line(&log));
    outcome.stdout = ended.stdout;
    outcome.timed_out = (ended.first == First::TimeOut).then_some(limit);
    outcome.dialer.last_line = last_line(&job.logs.dialer);
    outcome.listener.last_line = last_line(&job.logs.listener);
    outcome.duration = began.elapsed();
    Ok(outcome)
}

fn write_file(
    engine: &DockerEngine,
    job: &Job<'_>,
    names: &CellNames,
    cpus: Option<&Sides>,
) -> Result<PathBuf, Error> {
    let folder = job.folder.join("docker-compose");
    let path = folder.join(format!("{}-compose.yaml", job.cell.slug));
    let write = || {
        let text =
            file::compose_file(job, &engine.names, names, cpus).map_err(std::io::Error::other)?;
        fs::create_dir_all(&folder)?;
        fs::write(&path, text)
    };
    write().map_err(|source| Error::Log { path: path.clone(), source })?;
    Ok(path)
}

/// Waits for the end, `limit` at most, ends what is still there then, and reads what was printed.
async fn watch(job: &Job<'_>, names: &CellNames, limit: Duration) -> Result<Ended, DockerError> {
    // Only to be looked at while it goes on: what counts is read when all is there.
    let live = docker(["logs", "--follow", &names.dialer]).watched(&job.logs.dialer)?;
    let dialer = docker(["wait", &names.dialer]).text();
    let listener = docker(["wait", &names.listener]).text();
    tokio::pin!(dialer);
    let first = tokio::select! {
        // In this order where several are true: a dialer that has ended is the better witness.
        biased;
        code = &mut dialer => code.map(|_| First::DialerEnded)?,
        code = listener => code.map(|_| First::ListenerEnded)?,
        () = sleep(limit) => First::TimeOut,
    };
    let dialer_stopped = match first {
        First::DialerEnded | First::NotUp => false,
        First::ListenerEnded => timeout(REPORT_GRACE, &mut dialer).await.is_err(),
        First::TimeOut => true,
    };
    if dialer_stopped {
        stop(&names.dialer).await?;
    }
    drop(live);
    // The dialer has ended: all that it printed is there, while its listener is still ending.
    let read = docker(["logs", &names.dialer]).captured(&job.logs.dialer, STDOUT_LIMIT);
    let (stdout, ()) = tokio::try_join!(read, stop(&names.listener))?;
    Ok(Ended { first, dialer_stopped, stdout })
}

/// Ends a container; that it has ended is no error.
async fn stop(container: &str) -> Result<(), DockerError> {
    docker(["stop", "--time", STOP_GRACE, container]).text().await.map(drop)
}

/// Writes everything that a container printed to `log`.
async fn read_all(container: &str, log: &Path) -> Result<(), DockerError> {
    docker(["logs", container]).logged(log).await.map(drop)
}

/// The two sides as Docker saw them, and the Redis they shared with others.
struct States {
    dialer: Option<State>,
    listener: Option<State>,
    redis_up: bool,
}

impl States {
    async fn look(names: &CellNames, redis: Option<&RedisId>) -> Result<Self, DockerError> {
        let text = docker(["container", "inspect", &names.dialer, &names.listener])
            .args(redis)
            .whatever_status()
            .await?;
        let containers: Vec<Container> = serde_json::from_str(&text).map_err(|error| {
            let command = "container inspect".to_owned();
            DockerError::Output { command, reason: error.to_string() }
        })?;
        let find = |name: &str| {
            let found = containers.iter().find(|one| one.name.trim_start_matches('/') == name);
            found.map(|one| one.state.clone())
        };
        Ok(Self {
            dialer: find(&names.dialer),
            listener: find(&names.listener),
            redis_up: redis
                .is_some_and(|id| containers.iter().any(|one| one.id == *id && one.state.running)),
        })
    }

    /// What the sides did; `said` is Compose's last line, for a side that has no container.
    fn outcome(self, how: &Ended, began: OffsetDateTime, said: Option<String>) -> CellOutcome {
        let ended = |state: &Option<State>| state.as_ref().and_then(State::finished);
        let (dialer_ended, listener_ended) = (ended(&self.dialer), ended(&self.listener));
        // By Docker's clock: whichever `docker wait` came back first may have been the slower one.
        let listener_first = match (listener_ended, dialer_ended) {
            (Some(listener), Some(dialer)) => listener < dialer,
            (_, _) => how.first == First::ListenerEnded,
        };
        let side = |state: Option<State>, ended: Option<OffsetDateTime>, stopped| {
            let exit = match &state {
                Some(state) => state.exit(),
                None => Exit::NotStarted(
                    said.clone().unwrap_or_else(|| "Docker made no container".to_owned()),
                ),
            };
            // What runs now is removed next.
            let running = state.as_ref().is_some_and(|state| state.running);
            let after = ended.and_then(|ended| Duration::try_from(ended - began).ok());
            SideOutcome {
                stopped: (stopped || running) && !matches!(exit, Exit::NotStarted(_)),
                exit,
                ended_after: after.unwrap_or_default(),
                last_line: None,
            }
        };
        CellOutcome {
            dialer: side(self.dialer, dialer_ended, how.dialer_stopped),
            listener: side(self.listener, listener_ended, !listener_first),
            stdout: Captured::default(),
            timed_out: None,
            duration: Duration::ZERO,
        }
    }
}
