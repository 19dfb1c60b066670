//! Whom a listener serves, and how much: an open perf server sends what it is asked for, to whoever asks.

mod gate;
mod limited;
mod pace;
mod paced;
mod refusals;

use std::time::Duration;

use harness_sdk::config::{Invalid, Settings, Variable, parse};
use harness_sdk::{Stack, Transport};
use libp2p::PeerId;

use crate::baselines::is_raw;

pub use gate::{Gate, Place, Refused};
pub use limited::Limited;
pub use paced::{Paced, Waits};

/// `--max-bytes`.
pub const MAX_BYTES: Variable = Variable {
    name: "--max-bytes",
    flag: "max-bytes",
    accepts: "a whole number of bytes, or one with K, M or G for 1024, 1024^2, 1024^3",
    default: "none",
};

/// `--max-streams`.
pub const MAX_STREAMS: Variable = Variable {
    name: "--max-streams",
    flag: "max-streams",
    accepts: "a whole number above 0",
    default: "none",
};

/// `--max-connections`.
pub const MAX_CONNECTIONS: Variable = Variable {
    name: "--max-connections",
    flag: "max-connections",
    accepts: "a whole number above 0",
    default: "none",
};

/// `--max-rate`.
pub const MAX_RATE: Variable = Variable {
    name: "--max-rate",
    flag: "max-rate",
    accepts: "bytes a second above 0, or with K, M or G for 1024, 1024^2, 1024^3",
    default: "none",
};

/// `--max-duration`.
pub const MAX_DURATION: Variable = Variable {
    name: "--max-duration",
    flag: "max-duration",
    accepts: "seconds above 0, as 20, 0.5 or 20s",
    default: "none",
};

/// The flags of limits that take one value.
pub const FLAGS: &[&Variable] =
    &[&MAX_BYTES, &MAX_STREAMS, &MAX_CONNECTIONS, &MAX_RATE, &MAX_DURATION];

/// What a listener keeps to. The default is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Who is served; empty: whoever comes.
    pub peers: Vec<PeerId>,
    /// What one stream may upload, and what it may ask for.
    pub bytes: Option<u64>,
    /// Streams at once, of all connections.
    pub streams: Option<usize>,
    /// Connections at once.
    pub connections: Option<usize>,
    /// Payload bytes a second, of all streams and both directions together.
    pub rate: Option<u64>,
    /// How long a connection may last.
    pub duration: Option<Duration>,
}

impl Limits {
    /// What the flags say.
    ///
    /// # Errors
    ///
    /// A value that is not accepted, by its flag.
    pub fn read(settings: &Settings, peers: &[String]) -> Result<Self, Invalid> {
        let peer = |text: &String| {
            text.parse().map_err(|_| Invalid::Value {
                name: "--allow-peer".to_owned(),
                value: text.clone(),
                accepts: "a peer id, as 12D3KooW…",
            })
        };
        let count = |text: &str| usize::try_from(parse::digits(text)?).ok().filter(|n| *n > 0);
        Ok(Self {
            peers: peers.iter().map(peer).collect::<Result<_, _>>()?,
            bytes: settings.read(&MAX_BYTES, parse::bytes)?,
            streams: settings.read(&MAX_STREAMS, count)?,
            connections: settings.read(&MAX_CONNECTIONS, count)?,
            rate: settings.read(&MAX_RATE, |text| parse::bytes(text).filter(|rate| *rate > 0))?,
            duration: settings.read(&MAX_DURATION, parse::seconds)?,
        })
    }

    /// Refuses limits where nothing could keep them.
    ///
    /// # Errors
    ///
    /// Certain peers are to be served, and on `stack` nobody says who he is.
    pub fn check(&self, stack: &Stack) -> Result<(), Invalid> {
        let transport = stack.transport;
        if self.peers.is_empty() || !is_raw(transport) || transport == Transport::RawNoise {
            return Ok(());
        }
        Err(Invalid::Combination(format!(
            "--allow-peer: a dialer on {transport} does not say who it is; leave it out, or listen on raw-noise or a libp2p stack"
        )))
    }

    /// What keeps them, for one listener.
    pub fn gate(&self) -> Gate {
        Gate::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(flags: &[(&Variable, &str)], peers: &[&str]) -> Result<Limits, Invalid> {
        let settings = flags.iter().fold(Settings::default(), |settings, (flag, value)| {
            settings.with_flag(flag, Some((*value).to_owned()))
        });
        let peers: Vec<_> = peers.iter().map(|peer| (*peer).to_owned()).collect();
        Limits::read(&settings, &peers)
    }

    #[test]
    fn silence_is_no_limit() {
        let limits = read(&[], &[]).unwrap();
        assert!(limits.gate().is_open());
    }

    #[test]
    fn every_flag_is_read_and_named_where_it_is_wrong() {
        let peer = PeerId::random();
        let limits = read(
            &[
                (&MAX_BYTES, "1G"),
                (&MAX_STREAMS, "3"),
                (&MAX_CONNECTIONS, "2"),
                (&MAX_RATE, "10M"),
                (&MAX_DURATION, "60"),
            ],
            &[&peer.to_string()],
        );
        let expected = Limits {
            peers: vec![peer],
            bytes: Some(1 << 30),
            streams: Some(3),
            connections: Some(2),
            rate: Some(10 << 20),
            duration: Some(Duration::from_secs(60)),
        };
        assert_eq!(limits, Ok(expected));
        for flag in FLAGS {
            let told = read(&[(flag, "-1")], &[]).unwrap_err().to_string();
            assert!(told.starts_with(flag.name), "{told}");
        }
        for flag in [&MAX_STREAMS, &MAX_CONNECTIONS, &MAX_RATE, &MAX_DURATION] {
            assert!(read(&[(flag, "0")], &[]).is_err(), "{}", flag.name);
        }
        assert!(read(&[], &["me"]).unwrap_err().to_string().contains("--allow-peer"));
    }
}
