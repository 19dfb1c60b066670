//! A listener that serves the node under test in one way, and tells what it saw.

mod behaviour;
mod observed;
mod pace;

use std::sync::Arc;

use harness_sdk::{BoxError, Config, Node, Outcome, Stack, listen_by_hand};
use libp2p::swarm::StreamProtocol;

pub use behaviour::{Behaviour, Conduct};
pub use observed::StreamSeen;

use self::observed::Observed;
use crate::connection::PerfConnection;
use crate::listener::PerfListener;
use crate::swarm::{Answer, Manner};
use crate::{by_hand, node, stacks};

/// What a listener that does not speak perf offers in its place.
const NO_PERF: StreamProtocol = StreamProtocol::new("/perf-node/probe/no-perf");

/// Listens until a signal, then prints what was seen.
pub async fn run(config: Config, conduct: Conduct) -> Outcome {
    let observed = Arc::new(Observed::new());
    let client = Arc::new(Client { conduct, observed: Arc::clone(&observed) });
    let stack = config.stack;
    let hint = move |address: &str| by_hand::dial_hint(&stack, None, address);
    let outcome = listen_by_hand(client, config, hint).await;
    match outcome.failure {
        Some(_) => outcome,
        None => Outcome::from_result(super::print(&observed.to_yaml())),
    }
}

/// How streams agree on their protocol with a listener of this behaviour.
pub fn manner(behaviour: Behaviour) -> Manner {
    match behaviour {
        Behaviour::NoPerf => Manner { protocol: NO_PERF, ..Manner::default() },
        _ => Manner::default(),
    }
}

/// The listener behind harness-sdk's trait, for its life cycle.
struct Client {
    conduct: Conduct,
    observed: Arc<Observed>,
}

impl Node for Client {
    type Listener = PerfListener;
    type Connection = PerfConnection;

    fn name(&self) -> &str {
        "perf-node probe client"
    }

    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    fn speaks(&self, stack: &Stack) -> Result<(), String> {
        stacks::supported(stack)
    }

    async fn listen(&self, config: &Config) -> Result<PerfListener, BoxError> {
        let (conduct, observed) = (self.conduct, Arc::clone(&self.observed));
        let answer = Answer::new(move |stream| {
            let seen = observed.stream();
            async move { conduct.serve(stream, &seen).await }
        });
        let listener = node::bind(config, answer, &manner(self.conduct.behaviour)).await?;
        Ok(PerfListener { accepted: Arc::clone(&self.observed.connections), ..listener })
    }

    async fn dial(&self, _: &Config, _: &str) -> Result<PerfConnection, BoxError> {
        Err("a probe of clients listens, and dials nobody".into())
    }
}
