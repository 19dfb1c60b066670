//! perf-node's well- and ill-behaved peers, started as any node is: `perf-node probe …`.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness_sdk::Stack;
use harness_sdk::config::VARIABLES;
use nix::sys::signal::Signal;
use serde::Deserialize;
use tokio::process::Command;

use super::Error;
use super::finding::Seen;
use super::node::{Ended, Node};

/// A peer that has not printed its address by then never will.
const START: Duration = Duration::from_secs(20);
/// All of the server's rules have deadlines of their own; together they may not take longer.
const SERVER_LIMIT: Duration = Duration::from_secs(150);

/// A perf-node with `probe`.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    /// The program and its first arguments.
    pub(super) words: Vec<OsString>,
    /// Where it is started.
    pub(super) folder: PathBuf,
}

/// What a peer does to the node that dials it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Behaviour {
    name: &'static str,
    /// Of reading or sending, where it is limited.
    pub(super) megabits: Option<u32>,
    /// Before it reads or sends at all.
    pub(super) delay: Duration,
}

impl Behaviour {
    /// A well-behaved peer.
    pub(super) const EXACT: Self = Self::named("exact");

    pub(super) const fn named(name: &'static str) -> Self {
        Self { name, megabits: None, delay: Duration::ZERO }
    }

    pub(super) const fn paced(name: &'static str, megabits: u32, delay: Duration) -> Self {
        Self { name, megabits: Some(megabits), delay }
    }
}

/// A peer that listens.
#[derive(Debug)]
pub(super) struct ProbeClient {
    node: Node,
    pub(super) address: String,
}

/// What a peer saw of the node that dialed it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(super) struct Observed {
    #[serde(default)]
    pub(super) streams: Vec<ObservedStream>,
    #[serde(default)]
    pub(super) connections: u64,
}

/// One stream of it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct ObservedStream {
    /// What the header asked for; `None`: it never came whole.
    pub(super) asked: Option<u64>,
    /// Payload that came.
    pub(super) received: u64,
    /// Payload that was sent back.
    #[serde(default)]
    pub(super) sent: u64,
    /// Whether the node closed its writing side.
    #[serde(default)]
    pub(super) half_closed: bool,
    /// By the peer's clock, from the stream's opening to the peer's own end of it.
    #[serde(default)]
    pub(super) seconds: f64,
}

impl ObservedStream {
    /// Payload by the peer's clock, in Gbps.
    pub(super) fn gbps(&self) -> f64 {
        (self.received + self.sent) as f64 * 8.0 / self.seconds / 1e9
    }
}

#[derive(Deserialize)]
struct Findings {
    findings: Vec<Judged>,
}

/// What the probe says of one rule of a server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Judged {
    pub(super) rule: String,
    outcome: String,
    #[serde(default)]
    pub(super) expected: String,
    #[serde(default)]
    seen: String,
}

impl Judged {
    pub(super) fn seen(&self) -> Seen {
        let seen = self.seen.clone();
        match self.outcome.as_str() {
            "pass" => Seen::Right(seen),
            "fail" => Seen::Wrong(seen),
            "warning" => Seen::Odd(seen),
            _ => Seen::Nothing(seen),
        }
    }
}

impl Probe {
    fn command(&self, words: &[&str], stack: &Stack) -> Option<Command> {
        let (program, first) = self.words.split_first()?;
        let mut command = Command::new(program);
        for variable in VARIABLES {
            command.env_remove(variable.name);
        }
        command.args(first).arg("probe").args(words).current_dir(&self.folder);
        command.args(["--transport", stack.transport.as_str()]);
        if let Some(channel) = stack.secure_channel {
            command.args(["--secure-channel", channel.as_str()]);
        }
        if let Some(muxer) = stack.muxer {
            command.args(["--muxer", muxer.as_str()]);
        }
        Some(command)
    }

    /// Starts a peer that behaves so, reached at `ip`.
    pub(super) async fn client(
        &self,
        behaviour: Behaviour,
        stack: &Stack,
        ip: IpAddr,
        log: &Path,
    ) -> Result<ProbeClient, Error> {
        let (ip, rate) = (ip.to_string(), behaviour.megabits.map(|rate| rate.to_string()));
        let delay = behaviour.delay.as_millis().to_string();
        let mut words = vec!["client", "--behaviour", behaviour.name, "--ip", &ip];
        words.extend(rate.iter().flat_map(|rate| ["--rate", rate]));
        if !behaviour.delay.is_zero() {
            words.extend(["--delay-ms", &delay]);
        }
        let Some(command) = self.command(&words, stack) else {
            return Err(Error::Probe("its command is empty".to_owned()));
        };
        let mut node = Node::start(command, log, None).map_err(Error::NotStarted)?;
        match node.first_line(START).await {
            Some(address) => Ok(ProbeClient { node, address }),
            None => {
                let ended = node.ended(Duration::ZERO).await;
                Err(Error::Probe(format!("the peer `{}`: {}", behaviour.name, ended.how())))
            }
        }
    }

    /// Holds the node that listens at `address` against `rules` of a server.
    pub(super) async fn server(
        &self,
        address: &str,
        stack: &Stack,
        rules: &[&str],
        stall: Duration,
        log: &Path,
    ) -> Result<Result<Vec<Judged>, String>, Error> {
        let stall = stall.as_secs().to_string();
        let mut words = vec!["server", address, "--stall-secs", &stall];
        words.extend(rules.iter().flat_map(|rule| ["--rule", rule]));
        let Some(command) = self.command(&words, stack) else {
            return Err(Error::Probe("its command is empty".to_owned()));
        };
        let node = Node::start(command, log, None).map_err(Error::NotStarted)?;
        let ended = node.ended(SERVER_LIMIT).await;
        match ended.status() {
            Some(0) => read_findings(&ended.out()).map(Ok),
            // It could not connect, or not go on: that is the node's doing.
            Some(4 | 5) => Ok(Err(format!("perf-node, dialing it, {}", ended.how()))),
            _ => Err(Error::Probe(format!("the dialing peer {}", ended.how()))),
        }
    }
}

fn read_findings(text: &str) -> Result<Vec<Judged>, Error> {
    let read = serde_yaml::from_str::<Findings>(text);
    read.map(|read| read.findings).map_err(|error| Error::Probe(format!("its findings: {error}")))
}

impl ProbeClient {
    /// Ends it, and hears what it saw.
    pub(super) async fn finish(self) -> Result<Observed, Error> {
        let ended = self.node.stop(Signal::SIGTERM).await;
        read_observed(&ended)
    }
}

/// What stands behind the address lines.
fn read_observed(ended: &Ended) -> Result<Observed, Error> {
    let text = ended.out();
    let document: Vec<_> = text.lines().skip_while(|line| line.starts_with('/')).collect();
    match ended.status() {
        Some(0) => serde_yaml::from_str(&document.join("\n"))
            .map_err(|error| Error::Probe(format!("what it saw: {error}"))),
        _ => Err(Error::Probe(format!("the peer {}", ended.how()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Captured, Exit};

    #[test]
    fn what_a_peer_saw_is_read_from_behind_its_addresses() {
        let text = "/ip4/127.0.0.1/tcp/1/p2p/x\nstreams:\n  - {asked: 0, received: 1000, sent: 0, half_closed: true, reset: false, open_ms: 1.5, seconds: 0.001}\n  - {asked: null, received: 0, sent: 0, half_closed: false, reset: true, open_ms: 2.5, seconds: 0.001}\nconnections: 1\n";
        let ended = Ended {
            exit: Some(Exit::Status(0)),
            after: Duration::ZERO,
            stdout: Captured { bytes: text.as_bytes().to_vec(), incomplete: None },
            stderr: String::new(),
        };
        let observed = read_observed(&ended).unwrap();
        assert_eq!((observed.connections, observed.streams.len()), (1, 2));
        assert_eq!((observed.streams[0].asked, observed.streams[1].asked), (Some(0), None));
        assert!((observed.streams[0].gbps() - 0.008).abs() < 1e-9);
        let failed = Ended { exit: Some(Exit::Status(3)), ..ended };
        assert!(read_observed(&failed).is_err());
    }

    #[test]
    fn findings_of_a_server_are_read() {
        let text = "findings:\n  - {rule: server-one-byte, outcome: pass, expected: \"a\", seen: \"b\"}\n  - {rule: server-no-fin, outcome: warning, expected: \"a\", seen: \"b\"}\n";
        let findings = read_findings(text).unwrap();
        assert_eq!(findings[0].seen(), Seen::Right("b".to_owned()));
        assert_eq!(findings[1].seen(), Seen::Odd("b".to_owned()));
        assert!(read_findings("x").is_err());
    }
}
