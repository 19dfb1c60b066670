//! Keeps a listener's limits, for all its connections and streams together.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use libp2p::PeerId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Limits;
use super::limited::Limited;
use super::pace::Pace;
use super::paced::Paced;
use super::refusals::Refusals;

/// Handshakes at once, beside two for each connection there may be. One has ten seconds to be made.
const HANDSHAKES: usize = 16;

/// A listener's limits as they are kept; the default has none. A clone is another handle.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Kept>);

#[derive(Debug, Default)]
struct Kept {
    limits: Limits,
    handshakes: Places,
    connections: Places,
    streams: Places,
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

/// As many as there may be at once; the default is without end.
#[derive(Debug, Default)]
struct Places(Option<(usize, Arc<Semaphore>)>);

/// One of them; given back when dropped.
#[derive(Debug)]
#[must_use = "it is given back when dropped"]
pub struct Place(#[allow(dead_code, reason = "held")] Option<OwnedSemaphorePermit>);

impl Places {
    fn new(most: Option<usize>) -> Self {
        let places = |most: usize| Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Self(most.map(|most| (most, places(most))))
    }

    /// One more, or how many there are already.
    fn take(&self) -> Result<Place, usize> {
        let Some((most, places)) = &self.0 else { return Ok(Place(None)) };
        let taken = Arc::clone(places).try_acquire_owned();
        taken.map(|permit| Place(Some(permit))).map_err(|_| *most)
    }
}

impl Gate {
    pub(super) fn new(limits: Limits) -> Self {
        let handshakes = |most: usize| most.saturating_mul(2).saturating_add(HANDSHAKES);
        Self(Arc::new(Kept {
            handshakes: Places::new(limits.connections.map(handshakes)),
            connections: Places::new(limits.connections),
            streams: Places::new(limits.streams),
            pace: limits.rate.map(Pace::new),
            limits,
            refusals: Refusals::default(),
        }))
    }

    /// Whether there are no limits: whoever comes may do what he wants.
    pub fn is_open(&self) -> bool {
        self.0.limits == Limits::default()
    }

    /// A place for one more handshake, with whoever is at `address`.
    ///
    /// # Errors
    ///
    /// There is none, which has been told.
    pub fn handshake(&self, address: &impl Display) -> Result<Place, Refused> {
        let place = self.0.handshakes.take().map_err(Refused::Handshakes);
        place.map_err(|refused| self.turn_away(address, refused))
    }

    /// A place for one more connection, of `who`: of this `peer`, where the stack tells.
    ///
    /// # Errors
    ///
    /// There is none for him, which has been told.
    pub fn connection(&self, who: &impl Display, peer: Option<&PeerId>) -> Result<Place, Refused> {
        let allowed = &self.0.limits.peers;
        let is_allowed = allowed.is_empty() || peer.is_some_and(|peer| allowed.contains(peer));
        let place = match is_allowed {
            true => self.0.connections.take().map_err(Refused::Connections),
            false => Err(Refused::Stranger),
        };
        place.map_err(|refused| self.turn_away(who, refused))
    }

    fn turn_away(&self, who: &impl Display, refused: Refused) -> Refused {
        self.0.refusals.tell(&format!("{who} was not let in: {refused}"));
        refused
    }

    /// How long a connection may last.
    pub fn lifetime(&self) -> Option<Duration> {
        self.0.limits.duration
    }

    /// A connection of `who` has reached its [`lifetime`](Self::lifetime).
    pub(crate) fn tell_overdue(&self, who: &impl Display) {
        let refused = Refused::Overdue(self.lifetime().unwrap_or_default());
        self.0.refusals.tell(&format!("a connection of {who} was closed: {refused}"));
    }

    /// Serves a connection of `who` for as long as it may last.
    pub(crate) async fn while_allowed(
        &self,
        who: &impl Display,
        serving: impl Future<Output = ()>,
    ) {
        match self.lifetime() {
            Some(lifetime) => {
                if timeout(lifetime, serving).await.is_err() {
                    self.tell_overdue(who);
                }
            }
            None => serving.await,
        }
    }

    /// A place for one more stream.
    ///
    /// # Errors
    ///
    /// There is none, which has been told.
    pub fn stream(&self) -> Result<Place, Refused> {
        self.0.streams.take().map_err(|most| self.hang_up(Refused::Streams(most)))
    }

    /// A place for one more request, where those that follow one another have no streams: of such an upload, and of
    /// so many bytes asked for.
    ///
    /// # Errors
    ///
    /// There is none, or it is too much; which has been told.
    pub(crate) fn request(&self, upload: u64, asked: u64) -> Result<Place, Refused> {
        self.check_asked(asked)?;
        self.check_uploaded(upload)?;
        self.stream()
    }

    /// `stream` of /perf/1.0.0, kept to what it may move, and as fast as it may.
    pub fn limit<S>(&self, stream: S) -> Limited<S> {
        Limited::new(self.pace(stream))
    }

    /// `stream`, as fast as it may.
    pub fn pace<S>(&self, stream: S) -> Paced<S> {
        Paced::new(stream, self.clone())
    }

    pub(super) fn rate(&self) -> Option<&Pace> {
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
