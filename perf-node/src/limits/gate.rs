//! Keeps a listener's limits, for all its connections and streams together.

use std::sync::Arc;
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Limits;
use super::limited::Limited;
use super::pace::Pace;
use super::refusals::Refusals;

/// Handshakes at once, beside two for each connection there may be. One has ten seconds to be made.
const HANDSHAKES: usize = 16;

/// A listener's limits as they are kept. A clone is another handle.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    limits: Limits,
    streams: Option<Arc<Semaphore>>,
    pace: Option<Pace>,
    refusals: Refusals,
}

/// Why someone is not served, or not on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not one of those that are.
    #[error("it is none of those that --allow-peer names")]
    Stranger,
    /// As many connections as there may be.
    #[error("there are {0} connections already, which is --max-connections")]
    Connections(usize),
    /// As many handshakes under way as there may be.
    #[error("there are {0} connections already whose handshake is under way")]
    Handshakes(usize),
    /// As many streams as there may be.
    #[error("there are {0} streams already, which is --max-streams")]
    Streams(usize),
    /// It asks for more than a stream may.
    #[error("a stream of it asks for {asked} bytes, and --max-bytes is {most}")]
    Asked {
        /// What it asks for.
        asked: u64,
        /// What it may.
        most: u64,
    },
    /// It has uploaded more than a stream may.
    #[error("a stream of it uploads more than --max-bytes, which is {0}")]
    Uploaded(u64),
    /// The connection is as old as it may be.
    #[error("--max-duration, {} s, is over", .0.as_secs_f64())]
    Overdue(Duration),
}

/// A stream's place among those that may be open; given back when dropped.
#[derive(Debug)]
pub struct Place(#[allow(dead_code, reason = "held")] Option<OwnedSemaphorePermit>);

impl Gate {
    pub(super) fn new(limits: Limits) -> Self {
        let streams = limits.streams.map(|most| Arc::new(Semaphore::new(most)));
        let pace = limits.rate.map(Pace::new);
        Self(Arc::new(Kept { limits, streams, pace, refusals: Refusals::default() }))
    }

    /// Whether `peer` gets a connection beside those that stand.
    ///
    /// # Errors
    ///
    /// It does not, which has been told.
    pub fn admit(&self, peer: &PeerId, standing: usize) -> Result<(), Refused> {
        let limits = &self.0.limits;
        let refused = match limits.connections {
            _ if !limits.peers.is_empty() && !limits.peers.contains(peer) => Refused::Stranger,
            Some(most) if standing >= most => Refused::Connections(most),
            _ => return Ok(()),
        };
        self.0.refusals.tell(&format!("{peer} was not let in: {refused}"));
        Err(refused)
    }

    /// Whether a connection from `address` may begin its handshake beside as many others.
    ///
    /// # Errors
    ///
    /// It may not, which has been told.
    pub fn admit_handshake(&self, address: &Multiaddr, others: usize) -> Result<(), Refused> {
        let limit = self.0.limits.connections;
        match limit.map(|most| most.saturating_mul(2).saturating_add(HANDSHAKES)) {
            Some(most) if others >= most => {
                let refused = Refused::Handshakes(most);
                self.0.refusals.tell(&format!("{address} was not let in: {refused}"));
                Err(refused)
            }
            _ => Ok(()),
        }
    }

    /// How long a connection may last.
    pub fn lifetime(&self) -> Option<Duration> {
        self.0.limits.duration
    }

    /// A connection of `peer` has reached its [`lifetime`](Self::lifetime).
    pub(crate) fn tell_overdue(&self, peer: &PeerId) {
        let refused = Refused::Overdue(self.lifetime().unwrap_or_default());
        self.0.refusals.tell(&format!("a connection of {peer} was closed: {refused}"));
    }

    /// A place for one more stream.
    ///
    /// # Errors
    ///
    /// There is none, which has been told.
    pub fn place(&self) -> Result<Place, Refused> {
        let Some(streams) = &self.0.streams else { return Ok(Place(None)) };
        match Arc::clone(streams).try_acquire_owned() {
            Ok(permit) => Ok(Place(Some(permit))),
            Err(_) => {
                Err(self.hang_up(Refused::Streams(self.0.limits.streams.unwrap_or_default())))
            }
        }
    }

    /// `stream`, kept to what it may move, and as fast as it may.
    pub fn limit<S>(&self, stream: S) -> Limited<S> {
        Limited::new(stream, self.clone())
    }

    pub(super) fn pace(&self) -> Option<&Pace> {
        self.0.pace.as_ref()
    }

    /// Whether a stream may ask for so much.
    pub(super) fn check_asked(&self, asked: u64) -> Result<(), Refused> {
        match self.0.limits.bytes {
            Some(most) if asked > most => Err(self.hang_up(Refused::Asked { asked, most })),
            _ => Ok(()),
        }
    }

    /// Whether a stream may have uploaded so much.
    pub(super) fn check_uploaded(&self, uploaded: u64) -> Result<(), Refused> {
        match self.0.limits.bytes {
            Some(most) if uploaded > most => Err(self.hang_up(Refused::Uploaded(most))),
            _ => Ok(()),
        }
    }

    fn hang_up(&self, refused: Refused) -> Refused {
        self.0.refusals.tell(&format!("a connection was closed: {refused}"));
        refused
    }
}
