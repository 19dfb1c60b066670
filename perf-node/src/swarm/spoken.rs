//! The protocols a node speaks.

// The event type that the derive makes has no place for documentation.
#![allow(missing_docs)]

use libp2p::identify;
use libp2p::swarm::NetworkBehaviour;

use super::Behaviour;

/// What the node speaks: perf, and identify because every libp2p peer asks it of every other, and
/// Go's and JavaScript's new streams wait for the answer.
#[derive(NetworkBehaviour)]
pub struct NodeBehaviour {
    /// /perf/1.0.0.
    pub perf: Behaviour,
    /// /ipfs/id/1.0.0.
    pub identify: identify::Behaviour,
}
