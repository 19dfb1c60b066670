//! A cell's Compose file: what runs, and what can be run again by hand.

use std::collections::BTreeMap;

use harness_sdk::Role;
use serde::Serialize;

use super::super::Job;
use super::super::legacy::{self, Translation};
use super::super::variables::{Rendezvous, variables};
use super::names::{CellNames, RunNames};
use crate::definitions::{ContainerOptions, Implementation};
use crate::matrix::Cell;
use crate::results::Sides;

/// Where nodes of a run meet unless a definition asks for a Redis of its own.
pub(super) const REDIS_PORT: u16 = 6379;
/// The image of every Redis.
pub(super) const REDIS_IMAGE: &str = "redis:7-alpine";
/// Nobody on any machine.
pub(super) const NOBODY: &str = "65532:65532";
/// A Redis that keeps nothing: run by anyone, on a root that cannot be written.
pub(super) const REDIS_COMMAND: [&str; 7] =
    ["redis-server", "--save", "", "--appendonly", "no", "--protected-mode", "no"];

/// The network's name within the file.
const NETWORK: &str = "run";

#[derive(Serialize)]
struct File {
    name: String,
    services: BTreeMap<&'static str, Service>,
    networks: BTreeMap<&'static str, Network>,
}

#[derive(Serialize)]
struct Network {
    name: String,
    external: bool,
}

#[derive(Serialize)]
struct Service {
    image: String,
    container_name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    command: Vec<String>,
    init: bool,
    user: String,
    read_only: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tmpfs: Vec<&'static str>,
    cap_drop: [&'static str; 1],
    security_opt: [&'static str; 1],
    /// The processors it runs on, `0,2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpuset: Option<String>,
    /// How many processors' time it may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpus: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mem_limit: Option<String>,
    /// Memory and swap together: the same, so that a limit is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    memswap_limit: Option<String>,
    logging: Logging,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    depends_on: Vec<&'static str>,
    networks: BTreeMap<&'static str, Attachment>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    environment: BTreeMap<String, String>,
    labels: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Attachment {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
}

#[derive(Serialize)]
struct Logging {
    driver: &'static str,
}

/// The file's text.
pub(super) fn compose_file(
    job: &Job<'_>,
    run: &RunNames,
    names: &CellNames,
    cpus: Option<&Sides>,
) -> Result<String, serde_yaml::Error> {
    let own = own_redis(job);
    let host = if own { names.redis_host.clone() } else { run.redis_host().to_owned() };
    let mut services = BTreeMap::new();
    for (service, role, container) in
        [("listener", Role::Listener, &names.listener), ("dialer", Role::Dialer, &names.dialer)]
    {
        let implementation = job.cell.side(role);
        let meet = Rendezvous {
            redis_addr: format!("{host}:{REDIS_PORT}"),
            listener_ip: "0.0.0.0".to_owned(),
        };
        // A definition's own variables do not undo the contract's.
        let mut environment = implementation.env.clone();
        environment.extend(variables(role, job, &meet));
        let mut side = node(implementation, container, run, environment);
        side.cpuset = cpus.map(|sides| match role {
            Role::Dialer => list(&sides.dialer),
            Role::Listener => list(&sides.listener),
        });
        if own {
            side.depends_on.push("redis");
        }
        services.insert(service, side);
    }
    if own {
        services.insert("redis", redis(job.cell, names, run));
    }
    let network = Network { name: run.network(), external: true };
    let file = File {
        name: names.project.clone(),
        services,
        networks: BTreeMap::from([(NETWORK, network)]),
    };
    // A `$` begins a variable of Compose's; ours are values, so each is written twice.
    Ok(serde_yaml::to_string(&file)?.replace('$', "$$"))
}

/// Whether a side of the cell ignores TEST_KEY, so that its cell must not share a Redis.
pub(super) fn own_redis(job: &Job<'_>) -> bool {
    legacy::is_in(job.cell)
        || [job.cell.dialer, job.cell.listener].into_iter().any(|side| side.docker.own_redis)
}

fn list(cpus: &[usize]) -> String {
    cpus.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn node(
    implementation: &Implementation,
    container: &str,
    run: &RunNames,
    environment: BTreeMap<String, String>,
) -> Service {
    let ContainerOptions { user, writable, memory, cpus, own_redis: _ } = &implementation.docker;
    Service {
        image: super::image::name(implementation.build_name()),
        user: user.clone().unwrap_or_else(|| NOBODY.to_owned()),
        read_only: !writable,
        tmpfs: if *writable { Vec::new() } else { vec!["/tmp"] },
        cpus: *cpus,
        mem_limit: memory.clone(),
        memswap_limit: memory.clone(),
        environment,
        ..service(container, run)
    }
}

fn redis(cell: &Cell<'_>, names: &CellNames, run: &RunNames) -> Service {
    let plain = || REDIS_COMMAND.map(str::to_owned).to_vec();
    let command = match Translation::of(cell) {
        None => plain(),
        Some(translation) => {
            let shell = ["sh".to_owned(), "-c".to_owned(), translation.script()];
            // The program's own name is $0; its arguments follow.
            shell.into_iter().chain(plain()).collect()
        }
    };
    let alias = Attachment { aliases: vec![names.redis_host.clone()] };
    Service {
        image: REDIS_IMAGE.to_owned(),
        command,
        networks: BTreeMap::from([(NETWORK, alias)]),
        ..service(&names.redis, run)
    }
}

/// What all have in common: no privileges, labels that tell whose they are.
fn service(container: &str, run: &RunNames) -> Service {
    Service {
        image: String::new(),
        container_name: container.to_owned(),
        command: Vec::new(),
        init: true,
        user: NOBODY.to_owned(),
        read_only: true,
        tmpfs: Vec::new(),
        cap_drop: ["ALL"],
        security_opt: ["no-new-privileges:true"],
        cpuset: None,
        cpus: None,
        mem_limit: None,
        memswap_limit: None,
        // What `docker logs` reads, whatever the engine's default is.
        logging: Logging { driver: "json-file" },
        depends_on: Vec::new(),
        networks: BTreeMap::from([(NETWORK, Attachment { aliases: Vec::new() })]),
        environment: BTreeMap::new(),
        labels: run.labels().into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use harness_sdk::plan::{Amount, Direction, Plan};
    use serde_yaml::Value;

    use super::*;
    use crate::definitions::Definitions;
    use crate::engine::SideLogs;
    use crate::matrix;

    fn file_of(extra: &str) -> Value {
        pinned(extra, None)
    }

    fn pinned(extra: &str, cpus: Option<&Sides>) -> Value {
        let text = format!(
            "implementations: [{{id: a, transports: [tcp], secureChannels: [tls], muxers: [yamux]{extra}}}]"
        );
        let definitions = Definitions::parse(&text, Path::new("impls.yaml")).unwrap();
        let cells = matrix::cells(&[&definitions.implementations[0]]).unwrap();
        let direction = Direction { amount: Amount::Bytes(7), iterations: 1 };
        let job = Job {
            cell: &cells[0],
            plan: &Plan {
                upload: direction,
                download: direction,
                latency_iterations: 3,
                warmup: 0,
            },
            timeout: Duration::from_secs(1),
            debug: false,
            logs: &SideLogs { dialer: PathBuf::new(), listener: PathBuf::new() },
            folder: Path::new(""),
        };
        let run = RunNames::new("0badcafe".to_owned(), Path::new("/c/0badcafe.lock"), "h");
        let names = CellNames::of(job.cell, &run);
        serde_yaml::from_str(&compose_file(&job, &run, &names, cpus).unwrap()).unwrap()
    }

    #[test]
    fn both_sides_are_told_the_contract_and_given_no_privileges() {
        let file = file_of(", env: {HOME: /x$y}");
        assert_eq!(file["name"], "a_x_a__tcp__tls__yamux_-0badcafe");
        for (side, dials) in [("listener", "false"), ("dialer", "true")] {
            let service = &file["services"][side];
            assert_eq!(service["image"], "perf-a");
            assert_eq!(service["environment"]["IS_DIALER"], dials);
            assert_eq!(service["environment"]["REDIS_ADDR"], "perf-redis:6379");
            assert_eq!(service["environment"]["HOME"], "/x$$y");
            assert_eq!(service["user"], NOBODY);
            assert_eq!(service["init"], true);
            assert_eq!(service["read_only"], true);
            assert_eq!(service["cap_drop"][0], "ALL");
            assert_eq!(service["labels"]["perf-compose.run"], "0badcafe");
        }
        assert_eq!(file["services"]["listener"]["environment"]["LISTENER_IP"], "0.0.0.0");
        assert_eq!(file["networks"]["run"]["name"], "perf-0badcafe");
        assert!(file["services"].get("redis").is_none());
    }

    #[test]
    fn sides_may_be_bound_to_processors() {
        let sides = Sides { dialer: vec![0, 2], listener: vec![1] };
        let file = pinned("", Some(&sides));
        assert_eq!(file["services"]["dialer"]["cpuset"], "0,2");
        assert_eq!(file["services"]["listener"]["cpuset"], "1");
        assert!(file_of("")["services"]["dialer"].get("cpuset").is_none());
    }

    #[test]
    fn a_variant_has_an_image_of_its_own() {
        let image = |extra: &str| file_of(extra)["services"]["dialer"]["image"].clone();
        assert_eq!(image(""), "perf-a");
        let variant = ", variants: [{name: Browser, transports: [tcp], source: {dockerfile: B}}]";
        assert_eq!(image(variant), "perf-a-browser");
    }

    #[test]
    fn a_definition_may_ask_for_a_redis_a_user_and_a_root_to_write() {
        let file = file_of(
            ", docker: {ownRedis: true, user: root, writable: true, memory: 20m, cpus: 1.5}",
        );
        let dialer = &file["services"]["dialer"];
        assert_eq!((&dialer["user"], &dialer["mem_limit"]), (&"root".into(), &"20m".into()));
        assert_eq!(dialer["cpus"], 1.5);
        assert_eq!(dialer["read_only"], false);
        let host = file["services"]["redis"]["networks"]["run"]["aliases"][0].as_str().unwrap();
        assert_eq!(dialer["environment"]["REDIS_ADDR"], format!("{host}:6379"));
        assert_eq!(file["services"]["redis"]["image"], REDIS_IMAGE);
    }
}
