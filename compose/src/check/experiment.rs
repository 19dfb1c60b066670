//! An experiment: what is done to a node so that some rules can be judged.

use futures::future::BoxFuture;

use super::Error;
use super::bench::Bench;
use super::finding::{Finding, Seen, finding};
use super::subject::Wire;
use super::{client, coordination, environment, output, rates, server, signals, statuses};

/// One of them, and the rules that it judges.
#[derive(Clone, Copy)]
pub(super) struct Experiment {
    pub(super) rules: &'static [&'static str],
    need: Need,
    /// Whether it is made on every stack, or on the first alone.
    pub(super) every_stack: bool,
    /// Whether most of its time is waiting: such ones are made beside all others.
    pub(super) waits: bool,
    /// Whether it times what the node does: such ones are made alone.
    timed: bool,
    run: Run,
}

type Run = for<'b> fn(&'b Bench<'b>) -> BoxFuture<'b, Result<Vec<Finding>, Error>>;

/// What must be there for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// The node.
    Nothing,
    /// A node that listens.
    Listener,
    /// Something that the node can dial: perf-node, or itself.
    Peer,
    /// perf-node, to be dialed.
    Probe,
    /// perf-node, to dial it.
    ProbedListener,
}

impl Experiment {
    pub(super) const fn new(rules: &'static [&'static str], need: Need, run: Run) -> Self {
        Self { rules, need, every_stack: false, waits: false, timed: false, run }
    }

    pub(super) const fn on_every_stack(self) -> Self {
        Self { every_stack: true, ..self }
    }

    pub(super) const fn waiting(self) -> Self {
        Self { waits: true, ..self }
    }

    pub(super) const fn timed(self) -> Self {
        Self { timed: true, ..self }
    }

    pub(super) const fn is_timed(&self) -> bool {
        self.timed
    }

    /// Makes it on `bench`, or says of each rule why it is not made; every finding has its stack.
    pub(super) async fn make(&self, bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
        let mut found = match self.obstacle(bench) {
            None => (self.run)(bench).await?,
            Some(Obstacle::NotConcerned) => Vec::new(),
            Some(Obstacle::Because(reason)) => {
                let skipped =
                    |rule: &&'static str| finding(rule, "", Seen::Nothing(reason.clone()));
                self.rules.iter().map(skipped).collect()
            }
        };
        for finding in &mut found {
            finding.stack = bench.stack.to_string();
        }
        Ok(found)
    }

    fn obstacle(&self, bench: &Bench<'_>) -> Option<Obstacle> {
        let transport = bench.stack.transport;
        let because = |reason: String| Some(Obstacle::Because(reason));
        let listens = matches!(self.need, Need::Listener | Need::ProbedListener);
        match (self.need, bench.wire()) {
            (Need::Probe | Need::ProbedListener, Wire::Baseline) => Some(Obstacle::NotConcerned),
            (Need::Probe | Need::ProbedListener, Wire::NotYet) => {
                because(format!("not checked until perf-node speaks {transport}"))
            }
            _ if listens && !bench.can_listen() => {
                because(format!("it is declared to dial only over {transport}"))
            }
            (Need::Peer, _) if !bench.can_be_dialing() => because(format!(
                "there is nobody to dial: perf-node does not speak {transport}, and it does not listen itself"
            )),
            _ => None,
        }
    }
}

enum Obstacle {
    /// The rules say nothing about such a stack.
    NotConcerned,
    Because(String),
}

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static Experiment> {
    let groups = [
        environment::EXPERIMENTS,
        coordination::EXPERIMENTS,
        output::EXPERIMENTS,
        statuses::EXPERIMENTS,
        signals::EXPERIMENTS,
        server::EXPERIMENTS,
        client::EXPERIMENTS,
        rates::EXPERIMENTS,
    ];
    groups.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::rules::RULES;

    #[test]
    fn every_rule_is_judged_by_one_experiment() {
        let mut judged: Vec<_> = all().flat_map(|one| one.rules.iter().copied()).collect();
        let mut known: Vec<_> = RULES.iter().map(|rule| rule.id).collect();
        judged.sort_unstable();
        known.sort_unstable();
        assert_eq!(judged, known);
    }
}
