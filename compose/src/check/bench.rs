//! One stack of one node, with everything a rule needs to try it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use harness_sdk::config::IS_DIALER;
use harness_sdk::{Role, Stack};
use nix::sys::signal::Signal;

use super::Error;
use super::node::{Ended, Node};
use super::place::{Place, key};
use super::probe::{Behaviour, Observed, Probe, ProbeClient};
use super::subject::{Subject, Wire};
use super::variables::{Vars, Work};

/// One stack of one node.
#[derive(Debug)]
pub(super) struct Bench<'a> {
    pub(super) subject: &'a Subject,
    pub(super) place: &'a Place,
    pub(super) probe: Option<&'a Probe>,
    pub(super) stack: Stack,
    /// Where each process's stderr goes.
    pub(super) logs: &'a Path,
    /// Makes keys and files unlike all others of the check.
    pub(super) counter: &'a AtomicU64,
}

/// What the node dials where it is to measure.
#[derive(Debug)]
pub(super) enum Peer {
    /// perf-node's.
    Probe(ProbeClient),
    /// Another process of the node's own.
    Itself(Node, String),
}

impl Peer {
    pub(super) fn address(&self) -> &str {
        match self {
            Self::Probe(probe) => &probe.address,
            Self::Itself(_, address) => address,
        }
    }

    /// Ends it; what it saw, where it tells.
    pub(super) async fn finish(self) -> Result<Option<Observed>, Error> {
        match self {
            Self::Probe(probe) => probe.finish().await.map(Some),
            Self::Itself(node, _) => {
                node.stop(Signal::SIGTERM).await;
                Ok(None)
            }
        }
    }
}

impl Bench<'_> {
    /// For what should take a moment: only what hangs reaches it, however busy the machine is.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(if self.subject.is_container() { 20 } else { 15 })
    }

    /// What an end "within a second" may take, the machinery's own time included: Docker tells of an end, and
    /// removes what ended, at its leisure.
    pub(super) fn second(&self) -> Duration {
        Duration::from_millis(if self.subject.is_container() { 4000 } else { 2000 })
    }

    pub(super) fn wire(&self) -> Wire {
        Wire::of(self.stack.transport)
    }

    pub(super) fn can_listen(&self) -> bool {
        self.subject.implementation.dial_only.lets_listen(self.stack.transport)
    }

    pub(super) fn can_be_dialing(&self) -> bool {
        self.wire() == Wire::Spoken || self.can_listen()
    }

    /// A key that nobody has used: eight hex digits, as runners give it.
    pub(super) fn test_key(&self) -> String {
        format!("{:08x}", self.next())
    }

    /// Sound variables for `role`, at `test_key`.
    pub(super) fn vars(&self, role: Role, test_key: &str) -> Vars {
        Vars::of(role, &self.stack, self.place, test_key)
    }

    pub(super) fn listener(&self, test_key: &str) -> Vars {
        self.vars(Role::Listener, test_key)
    }

    pub(super) fn dialer(&self, test_key: &str, work: Work) -> Vars {
        self.vars(Role::Dialer, test_key).measuring(work)
    }

    pub(super) fn start(&self, vars: &Vars) -> Result<Node, Error> {
        let role = if vars.0.get(IS_DIALER.name).is_some_and(|value| value == "true") {
            "dialer"
        } else {
            "listener"
        };
        self.subject.start(self.stack.transport, vars, &self.log(role)).map_err(Error::NotStarted)
    }

    /// Starts the node and waits for its end, `limit` at most.
    pub(super) async fn run(&self, vars: &Vars, limit: Duration) -> Result<Ended, Error> {
        Ok(self.start(vars)?.ended(limit).await)
    }

    /// A peer that behaves well: perf-node's, else the node itself.
    pub(super) async fn peer(&self) -> Result<Result<Peer, String>, Error> {
        if self.wire() == Wire::Spoken {
            return self.probing(Behaviour::EXACT).await.map(|probe| Ok(Peer::Probe(probe)));
        }
        Ok(self.listening(|vars| vars).await?.map(|(node, address)| Peer::Itself(node, address)))
    }

    /// A peer of perf-node's.
    pub(super) async fn probing(&self, behaviour: Behaviour) -> Result<ProbeClient, Error> {
        let Some(probe) = self.probe else {
            return Err(Error::Probe("there is none".to_owned()));
        };
        probe.client(behaviour, &self.stack, self.place.host, &self.log("probe")).await
    }

    /// The node as a listener, and what it published; else why it did not.
    pub(super) async fn listening(
        &self,
        change: impl FnOnce(Vars) -> Vars,
    ) -> Result<Result<(Node, String), String>, Error> {
        let test_key = self.test_key();
        let mut node = self.start(&change(self.listener(&test_key)))?;
        let entry = self.place.published(&key(&test_key), None, self.patience()).await?;
        Ok(match entry.value {
            Some(address) => Ok((node, address)),
            None if node.has_ended() => {
                Err(format!("the listener {}", node.ended(Duration::ZERO).await.how()))
            }
            None => Err(format!("nothing was published at {}", key(&test_key))),
        })
    }

    /// Lets the node measure `work` against `peer`.
    pub(super) async fn dialing(
        &self,
        peer: &str,
        work: Work,
        limit: Duration,
        change: impl FnOnce(Vars) -> Vars,
    ) -> Result<Ended, Error> {
        let test_key = self.test_key();
        self.place.set(&key(&test_key), peer).await?;
        self.run(&change(self.dialer(&test_key, work)), limit).await
    }

    /// A file for what a process says on stderr.
    pub(super) fn log(&self, who: &str) -> PathBuf {
        self.logs.join(format!("{:04}-{who}.log", self.next()))
    }

    fn next(&self) -> u64 {
        self.counter.fetch_add(1, Ordering::Relaxed)
    }
}
