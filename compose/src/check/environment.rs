//! Rules about variables: `env-…`.

use std::time::Duration;

use futures::{FutureExt, StreamExt, stream};
use harness_sdk::Role;
use harness_sdk::config::{
    DEBUG, DOWNLOAD_BYTES, DOWNLOAD_ITERATIONS, DURATION, IS_DIALER, LATENCY_ITERATIONS,
    LISTENER_IP, MUXER, PERF_LISTENER_PORT, PERF_STALL_SECS, PERF_WARMUP, REDIS_ADDR,
    SECURE_CHANNEL, TEST_KEY, TRANSPORT, UPLOAD_BYTES, UPLOAD_ITERATIONS, Variable,
};
use nix::sys::signal::Signal;

use super::Error;
use super::bench::Bench;
use super::experiment::{Experiment, Need};
use super::finding::{Finding, Seen, finding};
use super::variables::{LEAST, Vars};

/// How many processes that end at once are started at once.
const AT_ONCE: usize = 4;
/// How many problems of one rule are shown.
const ENOUGH: usize = 3;

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment::new(&["env-missing"], Need::Nothing, |bench| missing(bench).boxed()),
    Experiment::new(&["env-null-is-absent", "redis-bare-key"], Need::Nothing, |bench| {
        null(bench).boxed()
    }),
    Experiment::new(&["env-bad-value"], Need::Nothing, |bench| bad(bench).boxed()),
    Experiment::new(&["env-bad-value-ours"], Need::Nothing, |bench| bad_ours(bench).boxed()),
    Experiment::new(&["env-zero-bytes"], Need::Nothing, |bench| zero_bytes(bench).boxed()),
    Experiment::new(&["env-layers-refused"], Need::Nothing, |bench| layers(bench).boxed())
        .on_every_stack(),
    Experiment::new(&["env-is-dialer"], Need::Peer, |bench| is_dialer(bench).boxed()),
];

/// A change to sound variables after which the node must refuse to run.
struct Refusal {
    role: Role,
    variable: &'static Variable,
    /// `None`: the variable is not set.
    value: Option<&'static str>,
}

const ROLES: [Role; 2] = [Role::Dialer, Role::Listener];

impl Refusal {
    fn both(variable: &'static Variable, value: Option<&'static str>) -> [Self; 2] {
        ROLES.map(|role| Self { role, variable, value })
    }

    fn vars(&self, bench: &Bench<'_>) -> Vars {
        let vars = match self.role {
            Role::Dialer => bench.dialer(&bench.test_key(), LEAST),
            Role::Listener => bench.listener(&bench.test_key()),
        };
        // So that what is refused is the value, and not that it has no effect.
        let vars = if self.value.is_some() && sizes(self.variable) {
            vars.without(&DURATION)
        } else {
            vars
        };
        match self.value {
            Some(value) => vars.with(self.variable, value),
            None => vars.without(self.variable),
        }
    }

    fn name(&self) -> String {
        let role = match self.role {
            Role::Dialer => "dialer",
            Role::Listener => "listener",
        };
        match self.value {
            Some(value) => format!("{}=\"{value}\" ({role})", self.variable.name),
            None => format!("{} not set ({role})", self.variable.name),
        }
    }

    /// What is wrong about how the node took it, if something is.
    async fn problem(self, bench: &Bench<'_>) -> Result<Option<String>, Error> {
        let ended = bench.run(&self.vars(bench), bench.patience()).await?;
        let named =
            ended.stderr.contains(self.variable.name) || ended.out().contains(self.variable.name);
        Ok(match ended.status() {
            Some(2) if named => None,
            Some(2) => Some(format!("{}: status 2, without naming it", self.name())),
            _ => Some(format!("{}: {}", self.name(), ended.how())),
        })
    }
}

fn sizes(variable: &Variable) -> bool {
    [&UPLOAD_BYTES, &DOWNLOAD_BYTES].contains(&variable)
}

/// Tries each, and says in `rule`'s finding which were not refused.
async fn refused(
    bench: &Bench<'_>,
    rule: &'static str,
    refusals: Vec<Refusal>,
) -> Result<Vec<Finding>, Error> {
    let count = refusals.len();
    let tried = stream::iter(refusals.into_iter().map(|refusal| refusal.problem(bench)));
    let mut tried = tried.buffered(AT_ONCE);
    let mut problems = Vec::new();
    while let Some(problem) = tried.next().await {
        problems.extend(problem?);
        // A node that refuses nothing runs on each time: to see it once more teaches nobody.
        if problems.len() == ENOUGH {
            problems.push("the rest was not tried".to_owned());
            break;
        }
    }
    let expected = "status 2 within a moment, the variable named on stderr";
    let fine = format!("so it was in all {count} tries");
    Ok(vec![finding(rule, expected, Seen::of(&problems, fine))])
}

/// The variables without which there is no run.
fn required(bench: &Bench<'_>) -> Vec<&'static Variable> {
    let mut required = vec![&IS_DIALER, &TRANSPORT];
    if bench.stack.secure_channel.is_some() {
        required.extend([&SECURE_CHANNEL, &MUXER]);
    }
    required
}

async fn missing(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let refusals = required(bench).into_iter().flat_map(|variable| Refusal::both(variable, None));
    refused(bench, "env-missing", refusals.collect()).await
}

async fn bad(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let mut values = vec![
        (&IS_DIALER, "maybe"),
        (&REDIS_ADDR, "redis-without-port"),
        (&TRANSPORT, "carrier-pigeon"),
        (&LISTENER_IP, "localhost"),
        (&UPLOAD_BYTES, "-1"),
        (&DOWNLOAD_BYTES, "1e9"),
        (&UPLOAD_ITERATIONS, "ten"),
        (&DOWNLOAD_ITERATIONS, "1.5"),
        (&LATENCY_ITERATIONS, "many"),
        (&DURATION, "soon"),
        (&DEBUG, "loud"),
    ];
    if bench.stack.secure_channel.is_some() {
        values.extend([(&SECURE_CHANNEL, "plaintext"), (&MUXER, "spdy")]);
    }
    let refusals =
        values.into_iter().flat_map(|(variable, value)| Refusal::both(variable, Some(value)));
    refused(bench, "env-bad-value", refusals.collect()).await
}

async fn bad_ours(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let values = [
        (&TEST_KEY, "two words"),
        (&PERF_STALL_SECS, "0"),
        (&PERF_LISTENER_PORT, "65536"),
        (&PERF_WARMUP, "x"),
    ];
    let refusals =
        values.into_iter().flat_map(|(variable, value)| Refusal::both(variable, Some(value)));
    refused(bench, "env-bad-value-ours", refusals.collect()).await
}

async fn layers(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    if bench.stack.transport.is_layered() {
        return Ok(Vec::new());
    }
    let refusals = [(&SECURE_CHANNEL, "noise"), (&MUXER, "yamux")]
        .into_iter()
        .flat_map(|(variable, value)| Refusal::both(variable, Some(value)));
    refused(bench, "env-layers-refused", refusals.collect()).await
}

async fn zero_bytes(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let mut problems = Vec::new();
    for (bytes, iterations) in
        [(&UPLOAD_BYTES, &UPLOAD_ITERATIONS), (&DOWNLOAD_BYTES, &DOWNLOAD_ITERATIONS)]
    {
        let vars = bench.dialer(&bench.test_key(), LEAST).without(&DURATION);
        let vars = vars.with(bytes, 0).with(iterations, 1);
        let ended = bench.run(&vars, bench.patience()).await?;
        if ended.status() != Some(2) {
            problems.push(format!("{}=0: {}", bytes.name, ended.how()));
        }
    }
    let seen = Seen::of(&problems, "status 2, for UPLOAD_BYTES and for DOWNLOAD_BYTES");
    Ok(vec![finding("env-zero-bytes", "status 2: there is nothing to time", seen)])
}

/// What is required may not be `null` or empty; what is not, may.
async fn null(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let refusals = required(bench).into_iter().flat_map(|variable| {
        [
            Refusal { role: Role::Dialer, variable, value: Some("null") },
            Refusal { role: Role::Listener, variable, value: Some("") },
        ]
    });
    let mut found = refused(bench, "env-null-is-absent", refusals.collect()).await?;
    if !bench.can_listen() {
        let seen = Seen::Nothing(format!("it does not listen over {}", bench.stack.transport));
        found.push(finding("redis-bare-key", "listener_multiaddr", seen));
        return Ok(found);
    }
    let vars = bench.listener("null").with(&DEBUG, "").with(&PERF_LISTENER_PORT, "null");
    let mut node = bench.start(&vars)?;
    let entry = bench.place.published("listener_multiaddr", None, bench.patience()).await?;
    let seen = match entry.value {
        Some(address) => Seen::Right(format!("with TEST_KEY=null it published {address} there")),
        None if node.has_ended() => {
            Seen::Wrong(format!("with TEST_KEY=null it {}", node.ended(Duration::ZERO).await.how()))
        }
        None => {
            node.stop(Signal::SIGTERM).await;
            Seen::Wrong("with TEST_KEY=null nothing came to stand there".to_owned())
        }
    };
    found.push(finding("redis-bare-key", "an address at listener_multiaddr", seen));
    Ok(found)
}

async fn is_dialer(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let mut problems = Vec::new();
    if bench.can_listen() {
        for word in ["0", "FALSE"] {
            match bench.listening(|vars| vars.with(&IS_DIALER, word)).await? {
                Ok((node, _)) => drop(node.stop(Signal::SIGTERM).await),
                Err(problem) => problems.push(format!("IS_DIALER={word}: {problem}")),
            }
        }
    }
    let expected = "1 and True make a dialer, 0 and FALSE a listener";
    let peer = match bench.peer().await? {
        Ok(peer) => peer,
        Err(problem) => {
            return Ok(vec![finding("env-is-dialer", expected, Seen::Wrong(problem))]);
        }
    };
    for word in ["1", "True"] {
        let change = |vars: Vars| vars.with(&IS_DIALER, word);
        let ended = bench.dialing(peer.address(), LEAST, bench.patience(), change).await?;
        if ended.status() != Some(0) {
            problems.push(format!("IS_DIALER={word}: {}", ended.how()));
        }
    }
    peer.finish().await?;
    Ok(vec![finding("env-is-dialer", expected, Seen::of(&problems, "so they do"))])
}
