//! The matrix: which implementation dials which over what, and what each cell is called.

use std::collections::BTreeMap;

use harness_sdk::{Profile, Role, Stack, Transport};
use sha2::{Digest, Sha256};

use crate::definitions::Implementation;

/// One test: a dialer, a listener and the stack between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell<'d> {
    /// `rust-v0.56 x go-v0.45 (tcp, noise, yamux)`.
    pub name: String,
    /// The name as part of file names: see [`slug`].
    pub slug: String,
    /// Who connects and measures: the implementation, or its variant for the transport.
    pub dialer: &'d Implementation,
    /// Who answers: the same.
    pub listener: &'d Implementation,
    /// Over what.
    pub stack: Stack,
}

impl<'d> Cell<'d> {
    fn new(dialer: &'d Implementation, listener: &'d Implementation, stack: Stack) -> Self {
        let name = format!("{} x {} ({stack})", dialer.id, listener.id);
        let (dialer, listener) = (dialer.over(stack.transport), listener.over(stack.transport));
        Self { slug: slug(&name), name, dialer, listener, stack }
    }

    /// The implementation that plays `role`.
    pub fn side(&self, role: Role) -> &'d Implementation {
        match role {
            Role::Dialer => self.dialer,
            Role::Listener => self.listener,
        }
    }

    /// Why it cannot be, as its listener's definition says; nothing of it is built or started.
    pub fn unsupported(&self) -> Option<String> {
        let reason = self.listener.dial_only.reason(self.stack.transport)?;
        Some(format!("listener: {reason}"))
    }

    /// TEST_KEY, under which the cell's two sides meet: the first 8 hex digits of the SHA-256 of
    /// the test's name.
    pub fn key(&self) -> String {
        let digest = Sha256::digest(self.name.as_bytes());
        digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// `name` with every character outside `[A-Za-z0-9]` made a `_`.
pub fn slug(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// Two tests whose files would overwrite each other's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{first}\" and \"{second}\" would share the file name \"{slug}\"; give one implementation another id"
)]
pub struct Collision {
    first: String,
    second: String,
    slug: String,
}

/// Every cell of `implementations`, in order: dialers, listeners, transports in the dialer's order,
/// then its secure channels, then its muxers.
pub fn cells<'d>(implementations: &[&'d Implementation]) -> Result<Vec<Cell<'d>>, Collision> {
    let mut cells = Vec::new();
    for &dialer in implementations {
        for &listener in implementations {
            if dialer.id == listener.id || !(dialer.is_baseline() || listener.is_baseline()) {
                let stacks = common_stacks(dialer, listener);
                cells.extend(stacks.into_iter().map(|stack| Cell::new(dialer, listener, stack)));
            }
        }
    }
    let mut names = BTreeMap::new();
    for cell in &cells {
        if let Some(first) = names.insert(&cell.slug, &cell.name) {
            return Err(Collision {
                first: first.clone(),
                second: cell.name.clone(),
                slug: cell.slug.clone(),
            });
        }
    }
    Ok(cells)
}

/// What `cells` build and start, each once: implementations, and variants of them. What a definition
/// declares unsupported builds nothing.
pub fn builds<'a, 'd: 'a>(
    cells: impl IntoIterator<Item = &'a Cell<'d>>,
) -> Vec<&'d Implementation> {
    let possible = cells.into_iter().filter(|cell| cell.unsupported().is_none());
    each_build(possible.flat_map(|cell| [cell.dialer, cell.listener]))
}

/// `sides` in their order, each build once.
pub(crate) fn each_build<'d>(
    sides: impl IntoIterator<Item = &'d Implementation>,
) -> Vec<&'d Implementation> {
    let mut builds: Vec<&Implementation> = Vec::new();
    for side in sides {
        if !builds.iter().any(|known| known.build_name() == side.build_name()) {
            builds.push(side);
        }
    }
    builds
}

fn common_stacks(dialer: &Implementation, listener: &Implementation) -> Vec<Stack> {
    let transports = common(&dialer.transports, &listener.transports);
    let transports =
        transports.into_iter().filter(|transport| !listener.dial_only.covers(*transport));
    transports.flat_map(|transport| layers(transport, dialer, listener)).collect()
}

pub(crate) fn layers(
    transport: Transport,
    dialer: &Implementation,
    listener: &Implementation,
) -> Vec<Stack> {
    let stack =
        |secure_channel, muxer| Stack { transport, secure_channel, muxer, profile: Profile::Stock };
    let bare = |side: &Implementation| side.secure_channels.is_empty() && side.muxers.is_empty();
    if !transport.is_layered() || (bare(dialer) && bare(listener)) {
        return vec![stack(None, None)];
    }
    let muxers = common(&dialer.muxers, &listener.muxers);
    common(&dialer.secure_channels, &listener.secure_channels)
        .into_iter()
        .flat_map(|channel| muxers.iter().map(move |muxer| stack(Some(channel), Some(*muxer))))
        .collect()
}

/// What both have, in the first one's order.
fn common<T: Copy + PartialEq>(first: &[T], second: &[T]) -> Vec<T> {
    first.iter().copied().filter(|value| second.contains(value)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::definitions::Definitions;

    fn definitions(text: &str) -> Definitions {
        Definitions::parse(text, Path::new("impls.yaml")).unwrap()
    }

    fn names(text: &str) -> Vec<String> {
        let definitions = definitions(text);
        let all: Vec<_> = definitions.implementations.iter().collect();
        cells(&all).unwrap().into_iter().map(|cell| cell.name).collect()
    }

    #[test]
    fn order_is_dialers_listeners_and_the_dialers_own() {
        let text = "implementations:
  - {id: a, transports: [quic-v1, tcp], secureChannels: [tls, noise], muxers: [yamux]}
  - {id: b, transports: [tcp, quic-v1], secureChannels: [noise, tls], muxers: [mplex, yamux]}";
        assert_eq!(
            names(text)[..6],
            [
                "a x a (quic-v1)",
                "a x a (tcp, tls, yamux)",
                "a x a (tcp, noise, yamux)",
                "a x b (quic-v1)",
                "a x b (tcp, tls, yamux)",
                "a x b (tcp, noise, yamux)",
            ]
        );
        assert_eq!(names(text)[6..8], ["b x a (tcp, noise, yamux)", "b x a (tcp, tls, yamux)"]);
        assert_eq!(names(text).len(), 6 + 3 + 5);
    }

    #[test]
    fn baselines_meet_themselves_alone() {
        let text = "implementations:
  - {id: a, transports: [tcp], secureChannels: [noise], muxers: [yamux]}
  - {id: iperf, transports: [tcp], baseline: true}
  - {id: raw, transports: [raw-tcp, raw-tls]}
  - {id: raw-2, transports: [raw-tcp]}";
        assert_eq!(
            names(text),
            [
                "a x a (tcp, noise, yamux)",
                "iperf x iperf (tcp)",
                "raw x raw (raw-tcp)",
                "raw x raw (raw-tls)",
                "raw-2 x raw-2 (raw-tcp)"
            ]
        );
    }

    #[test]
    fn slugs_and_keys() {
        assert_eq!(
            slug("rust-v0.56 x go-v0.45 (tcp, noise, yamux)"),
            "rust_v0_56_x_go_v0_45__tcp__noise__yamux_"
        );
        let definitions = definitions("implementations: [{id: rust-v0.56, transports: [quic-v1]}]");
        let entry = &definitions.implementations[0];
        let cell = &cells(&[entry]).unwrap()[0];
        // printf '%s' 'rust-v0.56 x rust-v0.56 (quic-v1)' | sha256sum | head -c 8
        assert_eq!(cell.key(), "83825e0a");
    }

    #[test]
    fn two_tests_with_one_slug_are_refused() {
        let text =
            "implementations: [{id: a.b, transports: [quic-v1]}, {id: a-b, transports: [quic-v1]}]";
        let definitions = definitions(text);
        let all: Vec<_> = definitions.implementations.iter().collect();
        let message = cells(&all).unwrap_err().to_string();
        assert!(
            message.starts_with("\"a.b x a.b (quic-v1)\" and \"a.b x a-b (quic-v1)\" would share"),
            "{message}"
        );
    }

    #[test]
    fn who_only_dials_is_never_dialled() {
        let text = "implementations:
  - {id: a, transports: [webtransport, quic-v1]}
  - {id: b, transports: [webtransport, quic-v1], dialOnly: [webtransport]}
  - {id: c, transports: [webtransport], dialOnly: true}";
        assert_eq!(
            names(text),
            [
                "a x a (webtransport)",
                "a x a (quic-v1)",
                "a x b (quic-v1)",
                "b x a (webtransport)",
                "b x a (quic-v1)",
                "b x b (quic-v1)",
                "c x a (webtransport)",
            ]
        );
    }

    #[test]
    fn a_hundred_implementations_make_sixty_thousand_cells() {
        let entries: String = (0..100)
            .map(|i| format!("  - {{id: i{i}, transports: [tcp, quic-v1, webtransport], secureChannels: [noise, tls], muxers: [yamux, mplex]}}\n"))
            .collect();
        let definitions = definitions(&format!("implementations:\n{entries}"));
        let all: Vec<_> = definitions.implementations.iter().collect();
        assert_eq!(cells(&all).unwrap().len(), 100 * 100 * 6);
    }
}
