//! /perf/1.0.0 in a rust-libp2p swarm.

mod admission;
mod behaviour;
mod handler;
mod hold;
mod spoken;

use std::time::Duration;

use libp2p::core::upgrade::Version;
use libp2p::identify;
use libp2p::identity::Keypair;
use libp2p::swarm::{Config, StreamProtocol, Swarm};

pub use behaviour::{Behaviour, Event};
pub use handler::{After, Answer, HangUp, OpenError, Streams};
pub use hold::hold;
pub use spoken::{NodeBehaviour, NodeBehaviourEvent};

use crate::cipher::Cipher;
use crate::limits::Gate;
use crate::stacks::BoxedTransport;

/// A connection without a stream is closed after this long: a listener that stands open does not
/// collect dead ones, and no dialer pauses so long.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);

/// Identify has its say once a connection, and never in the middle of a measurement.
const IDENTIFY_INTERVAL: Duration = Duration::from_secs(7 * 86_400);

/// What streams are for, how that is agreed on, and with whom; and what is encrypted with. The default is a node's.
#[derive(Clone, Debug)]
pub struct Manner {
    /// The protocol that stands for perf.
    pub protocol: StreamProtocol,
    /// How a dialer's streams agree on it: `V1` waits for the listener's word before anything else is
    /// sent, which is libp2p-swarm's default; `V1Lazy` does not, as go-libp2p's do not.
    pub negotiation: Version,
    /// Whom a listener takes.
    pub gate: Gate,
    /// What webtransport offers alone, and accepts alone; `None`: what it does by itself.
    pub cipher: Option<Cipher>,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            protocol: StreamProtocol::new(perf_protocol::PROTOCOL_NAME),
            negotiation: Version::V1,
            gate: Gate::default(),
            cipher: None,
        }
    }
}

/// A swarm over `transport` that opens perf streams, and answers them with `answer`.
pub fn build(
    transport: BoxedTransport,
    keypair: &Keypair,
    answer: Answer,
    manner: &Manner,
) -> Swarm<NodeBehaviour> {
    let identify = identify::Config::new("ipfs/0.1.0".to_owned(), keypair.public())
        .with_agent_version(concat!("perf-node/", env!("CARGO_PKG_VERSION")).to_owned())
        .with_interval(IDENTIFY_INTERVAL);
    let behaviour = NodeBehaviour {
        perf: Behaviour::new(answer, manner.protocol.clone(), manner.gate.clone()),
        identify: identify::Behaviour::new(identify),
    };
    let config = Config::with_tokio_executor()
        .with_idle_connection_timeout(IDLE_CONNECTION_TIMEOUT)
        .with_substream_upgrade_protocol_override(manner.negotiation);
    Swarm::new(transport, behaviour, keypair.public().to_peer_id(), config)
}
