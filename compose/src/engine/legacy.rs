//! Older nodes (`legacy: true`), met by translation: what they read of their environment, and the keys
//! at which they meet.
//!
//! They are what libp2p's interop tests had before TEST_KEY: variables in lower case (`is_dialer`, `ip`,
//! `security` …) and one list for everybody, `listenerAddr`, which the listener pushes to and the dialer
//! pops from. A list of that name is for two alone, so a cell with such a side has a Redis of its own.

use harness_sdk::config::{SECURE_CHANNEL, VARIABLES, Variable};

use super::Job;
use super::variables::Rendezvous;
use crate::matrix::Cell;

/// The list at which older nodes meet.
pub(super) const LIST: &str = "listenerAddr";
/// The string at which nodes that know no TEST_KEY meet.
pub(super) const STRING: &str = "listener_multiaddr";

/// The variables of a legacy side: the contract's under both spellings, and what older nodes called
/// otherwise. Both sides were given `ip`.
pub(super) fn variables(
    given: &[(&'static Variable, String)],
    job: &Job<'_>,
    meet: &Rendezvous,
) -> Vec<(String, String)> {
    let lower = given.iter().map(|(variable, value)| (variable.name.to_lowercase(), value.clone()));
    let mut variables: Vec<_> = lower.collect();
    let secure = given.iter().find(|(variable, _)| variable.name == SECURE_CHANNEL.name);
    variables.extend(secure.map(|(_, value)| ("security".to_owned(), value.clone())));
    variables.push(("ip".to_owned(), meet.listener_ip.clone()));
    variables.push(("test_timeout_seconds".to_owned(), job.timeout.as_secs().to_string()));
    variables
}

/// Every name that [`variables`] may give a value: what the runner was started with is not for nodes.
pub(super) fn names() -> impl Iterator<Item = String> {
    let own = ["security", "ip", "test_timeout_seconds"].map(str::to_owned);
    VARIABLES.iter().map(|variable| variable.name.to_lowercase()).chain(own)
}

/// Whether a cell must not share a Redis with others.
pub(super) fn is_in(cell: &Cell<'_>) -> bool {
    cell.dialer.legacy || cell.listener.legacy
}

/// Where the listener publishes and where the dialer looks, of a cell in which that is not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Translation {
    /// Where an address may appear, as a string or in a list.
    pub(super) from: Vec<String>,
    /// The string to put it at as well.
    pub(super) string: String,
    /// The list to put it in as well.
    pub(super) list: Option<&'static str>,
}

impl Translation {
    /// What has to be translated in `cell`; `None`: its sides understand each other.
    pub(super) fn of(cell: &Cell<'_>) -> Option<Self> {
        let key = format!("{}_listener_multiaddr", cell.key());
        match (cell.listener.legacy, cell.dialer.legacy) {
            (true, false) => {
                let from = vec![LIST.to_owned(), STRING.to_owned()];
                Some(Self { from, string: key, list: None })
            }
            (false, true) => {
                Some(Self { from: vec![key], string: STRING.to_owned(), list: Some(LIST) })
            }
            (true, true) | (false, false) => None,
        }
    }

    /// A shell script that starts `redis-server` with its arguments and translates in it, once. It asks
    /// every tenth of a second, and no more once the sides have met: nothing is measured before.
    pub(super) fn script(&self) -> String {
        let Self { from, string, list } = self;
        let push = list.map(|list| format!(" redis-cli rpush {list} \"$a\";")).unwrap_or_default();
        format!(
            "redis-server \"$@\" & \
             while kill -0 $!; do for k in {}; do \
             case $(redis-cli type $k) in string) a=$(redis-cli get $k);; list) a=$(redis-cli lindex $k 0);; *) continue;; esac; \
             redis-cli set {string} \"$a\";{push} break 2; \
             done; sleep 0.1; done; wait $!",
            from.join(" ")
        )
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use harness_sdk::Role;
    use harness_sdk::plan::{Amount, Direction, Plan};

    use super::*;
    use crate::definitions::Definitions;
    use crate::engine::{SideLogs, variables as contract};
    use crate::matrix;

    const TEXT: &str = "implementations:
  - {id: old, legacy: true, transports: [tcp], secureChannels: [noise], muxers: [yamux]}
  - {id: new, transports: [tcp], secureChannels: [noise], muxers: [yamux]}
";

    #[test]
    fn older_nodes_read_lower_case() {
        let definitions = Definitions::parse(TEXT, Path::new("x")).unwrap();
        let all: Vec<_> = definitions.implementations.iter().collect();
        let cells = matrix::cells(&all).unwrap();
        let direction = Direction { amount: Amount::Bytes(7), iterations: 1 };
        let job = Job {
            cell: &cells[0],
            plan: &Plan {
                upload: direction,
                download: direction,
                latency_iterations: 3,
                warmup: 0,
            },
            timeout: Duration::from_secs(9),
            debug: false,
            logs: &SideLogs { dialer: PathBuf::new(), listener: PathBuf::new() },
            folder: Path::new(""),
        };
        let meet = Rendezvous { redis_addr: "h:1".to_owned(), listener_ip: "0.0.0.0".to_owned() };
        let given = contract::variables(Role::Dialer, &job, &meet);
        for (name, value) in [
            ("IS_DIALER", "true"),
            ("is_dialer", "true"),
            ("redis_addr", "h:1"),
            ("transport", "tcp"),
            ("secure_channel", "noise"),
            ("security", "noise"),
            ("muxer", "yamux"),
            ("ip", "0.0.0.0"),
            ("upload_bytes", "7"),
            ("test_timeout_seconds", "9"),
        ] {
            assert!(given.contains(&(name.to_owned(), value.to_owned())), "{name}: {given:?}");
        }
        let new = contract::variables(Role::Dialer, &Job { cell: &cells[3], ..job }, &meet);
        assert!(new.iter().all(|(name, _)| *name == name.to_uppercase()), "{new:?}");
    }

    #[test]
    fn only_sides_of_two_ages_need_translation() {
        let definitions = Definitions::parse(TEXT, Path::new("x")).unwrap();
        let all: Vec<_> = definitions.implementations.iter().collect();
        let cells = matrix::cells(&all).unwrap();
        let of = |index: usize| Translation::of(&cells[index]);
        assert_eq!((of(0), of(3)), (None, None));
        let old_dialer = of(1).unwrap();
        assert_eq!(old_dialer.list, Some(LIST));
        assert_eq!(old_dialer.from, [format!("{}_listener_multiaddr", cells[1].key())]);
        let old_listener = of(2).unwrap();
        assert_eq!(old_listener.from, [LIST, STRING]);
        assert_eq!(old_listener.string, format!("{}_listener_multiaddr", cells[2].key()));
        assert_eq!([0, 1, 2, 3].map(|index| is_in(&cells[index])), [true, true, true, false]);
    }
}
