//! What dead runs left, found by labels and removed.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::sleep;

use super::client::{Error, docker};
use super::names::{HOST_LABEL, LOCK_LABEL, RUN_LABEL};
use crate::lock::is_dead;

/// Something that carries a run's labels.
#[derive(Debug)]
struct Found {
    id: String,
    lock: PathBuf,
}

impl Found {
    /// `id`, lock and host, separated by tabs; `None`: it belongs to another machine.
    fn parse(line: &str, host: &str) -> Option<Self> {
        let mut fields = line.split('\t');
        let (id, lock, its_host) = (fields.next()?, fields.next()?, fields.next()?);
        (its_host == host).then(|| Self { id: id.to_owned(), lock: PathBuf::from(lock) })
    }
}

/// Removes every container and network of runs of `host` that are dead. Asks Docker twice; where
/// nothing is left that is all.
pub(super) async fn sweep(host: &str) -> Result<(), Error> {
    let format =
        format!("{{{{.ID}}}}\t{{{{.Label \"{LOCK_LABEL}\"}}}}\t{{{{.Label \"{HOST_LABEL}\"}}}}");
    let filter = format!("label={RUN_LABEL}");
    let list = |words: &'static [&'static str]| {
        docker(words.iter().copied())
            .args(["--no-trunc", "--filter", &filter, "--format", &format])
            .text()
    };
    let (containers, networks) =
        tokio::try_join!(list(&["ps", "--all"]), list(&["network", "ls"]))?;
    let dead = |text: &str| -> Vec<String> {
        let found = text.lines().filter_map(|line| Found::parse(line, host));
        found.filter(|found| is_dead(&found.lock)).map(|found| found.id).collect()
    };
    let (containers, networks) = (dead(&containers), dead(&networks));
    remove_containers(&containers).await?;
    for network in networks {
        remove_network(&network).await?;
    }
    Ok(())
}

/// Removes everything that carries `filter`'s label. `again`: Docker may still be making some of it.
pub(super) async fn remove_all(filter: &str, network: &str, again: bool) -> Result<(), Error> {
    let mut quiet = !again;
    loop {
        let listed =
            docker(["ps", "--all", "--quiet", "--no-trunc", "--filter", filter]).text().await?;
        let ids: Vec<_> = listed.lines().map(str::to_owned).collect();
        match (ids.is_empty(), quiet) {
            (true, true) => break,
            (true, false) => {
                sleep(LATE).await;
                quiet = true;
            }
            (false, _) => remove_containers(&ids).await?,
        }
    }
    remove_network(network).await
}

/// A container that was asked for when its run was interrupted appears within this time.
const LATE: Duration = Duration::from_millis(700);
/// What another removal is busy with is gone by then.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(100);

async fn remove_containers(ids: &[String]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    persist(|| docker(["rm", "--force", "--volumes"]).args(ids).text()).await
}

async fn remove_network(network: &str) -> Result<(), Error> {
    persist(|| docker(["network", "rm", network]).text()).await
}

/// Calls until it succeeds or says that there is no such thing; for a while.
async fn persist<F: Future<Output = Result<String, Error>>>(
    call: impl Fn() -> F,
) -> Result<(), Error> {
    let mut tries = 0;
    loop {
        match call().await {
            Ok(_) => return Ok(()),
            Err(Error::Failed { said, .. })
                if said.contains("o such") || said.contains("not found") =>
            {
                return Ok(());
            }
            Err(Error::Failed { .. }) if tries < TRIES => {
                tries += 1;
                sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_another_machine_is_not_judged() {
        assert!(Found::parse("id\t/x.lock\there", "here").is_some());
        assert!(Found::parse("id\t/x.lock\tthere", "here").is_none());
        assert!(Found::parse("id\t\t", "here").is_none());
    }
}
