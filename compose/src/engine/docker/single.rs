//! One container in the foreground, for whoever looks at a node alone: `perf-compose check`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use tokio::process::Command;

use super::client::{Error, docker};
use super::{DockerEngine, file, image};
use crate::definitions::{ContainerOptions, Implementation};

impl DockerEngine {
    /// `docker run` of `image` as the container `name`, kept as any node of a run is. It passes signals on and ends
    /// with the container's status (125 where there never was one).
    pub(crate) fn foreground(
        &self,
        image: &str,
        name: &str,
        options: &ContainerOptions,
        environment: &BTreeMap<String, String>,
    ) -> Command {
        let ContainerOptions { user, writable, memory, cpus, own_redis: _ } = options;
        let user = user.as_deref().unwrap_or(file::NOBODY);
        let mut call = docker(["run", "--rm", "--init", "--name", name, "--pull", "never"])
            .args(["--network".to_owned(), self.names.network()])
            .args(["--user", user, "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"])
            .args(self.names.label_arguments());
        if !writable {
            call = call.args(["--read-only", "--tmpfs", "/tmp"]);
        }
        if let Some(memory) = memory {
            call = call.args(["--memory", memory, "--memory-swap", memory]);
        }
        if let Some(cpus) = cpus {
            call = call.args(["--cpus".to_owned(), cpus.to_string()]);
        }
        let given = environment.iter();
        call.args(given.flat_map(|(key, value)| ["--env".to_owned(), format!("{key}={value}")]))
            .args([image])
            .command()
    }

    /// A name for a container of this run.
    pub(crate) fn container(&self, number: u64) -> String {
        format!("{}-check-{number}", self.names.network())
    }

    /// Removes a container at some time, without waiting: for where nobody can.
    pub(crate) fn remove_later(name: &str) {
        docker(["rm", "--force", "--volumes", name]).detached();
    }

    /// Where the run's Redis answers, and the address at which this machine is reached from containers.
    pub(crate) async fn addresses(&self) -> Result<(SocketAddr, IpAddr), Error> {
        let template = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.Gateway}}{{end}}";
        let redis = self.names.redis();
        let text = docker(["inspect", "--format", template, &redis]).text().await?;
        let mut words = text.split_whitespace().map(str::parse::<IpAddr>);
        match (words.next(), words.next()) {
            (Some(Ok(redis)), Some(Ok(gateway))) => {
                Ok((SocketAddr::new(redis, file::REDIS_PORT), gateway))
            }
            _ => Err(Error::Output { command: "inspect".to_owned(), reason: text }),
        }
    }

    /// Whether this machine has the image `name`.
    pub(crate) async fn has_image(name: &str) -> bool {
        image::is_here(name).await
    }

    /// The image that [`prepare`](super::Engine::prepare) makes of `implementation`.
    pub(crate) fn image_of(implementation: &Implementation) -> String {
        image::name(implementation.build_name())
    }
}
