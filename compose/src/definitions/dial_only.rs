//! Who cannot listen: a browser, say.

use std::collections::BTreeMap;
use std::fmt;

use harness_sdk::Transport;
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::known;

/// The transports over which an implementation cannot listen: `dialOnly: true`, or a list of them; or, for each, why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DialOnly {
    /// It listens over all it speaks.
    #[default]
    Never,
    /// It only dials.
    Always,
    /// Over these it only dials.
    Over(Vec<Transport>),
    /// The same, for reasons that are worth a test which shows them.
    Because(BTreeMap<Transport, String>),
}

impl DialOnly {
    /// Whether there is no test in which it listens over `transport`.
    pub fn covers(&self, transport: Transport) -> bool {
        match self {
            Self::Never | Self::Because(_) => false,
            Self::Always => true,
            Self::Over(transports) => transports.contains(&transport),
        }
    }

    /// Why a test in which it listens over `transport` is unsupported; `None`: it is not, or there is
    /// no such test.
    pub fn reason(&self, transport: Transport) -> Option<&str> {
        match self {
            Self::Because(reasons) => reasons.get(&transport).map(String::as_str),
            _ => None,
        }
    }

    /// Whether it can listen over `transport`, tests aside.
    pub fn lets_listen(&self, transport: Transport) -> bool {
        !self.covers(transport) && self.reason(transport).is_none()
    }

    /// Every reason given.
    pub(super) fn reasons(&self) -> impl Iterator<Item = &String> {
        let reasons = match self {
            Self::Because(reasons) => Some(reasons),
            _ => None,
        };
        reasons.into_iter().flat_map(BTreeMap::values)
    }
}

impl<'de> Deserialize<'de> for DialOnly {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = DialOnly;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false, a list of transports, or transports with reasons")
    }

    fn visit_bool<E: Error>(self, always: bool) -> Result<DialOnly, E> {
        Ok(if always { DialOnly::Always } else { DialOnly::Never })
    }

    fn visit_unit<E: Error>(self) -> Result<DialOnly, E> {
        Ok(DialOnly::Never)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, transports: A) -> Result<DialOnly, A::Error> {
        known::any_transports(SeqAccessDeserializer::new(transports)).map(DialOnly::Over)
    }

    fn visit_map<A: MapAccess<'de>>(self, reasons: A) -> Result<DialOnly, A::Error> {
        let reasons = known::of_transports(MapAccessDeserializer::new(reasons))?;
        Ok(DialOnly::Because(reasons))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<DialOnly, String> {
        serde_yaml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn with_a_reason_there_are_tests_without_there_are_none() {
        let listed = read("[webtransport, wss]").unwrap();
        assert!(listed.covers(Transport::Webtransport) && !listed.covers(Transport::Tcp));
        assert_eq!(listed.reason(Transport::Webtransport), None);
        let told = read("{webtransport: no listener, wss: foreign}").unwrap();
        assert!(!told.covers(Transport::Webtransport));
        assert_eq!(told.reason(Transport::Webtransport), Some("no listener"));
        assert_eq!(told.reason(Transport::Tcp), None);
        for only_dials in [listed, told] {
            assert!(!only_dials.lets_listen(Transport::Webtransport));
            assert!(only_dials.lets_listen(Transport::Tcp));
        }
    }

    #[test]
    fn what_is_not_a_transport_is_refused_with_a_suggestion() {
        let error = read("{webtransprt: x}").unwrap_err();
        assert!(error.contains("did you mean \"webtransport\"?"), "{error}");
        let error = read("7").unwrap_err();
        assert!(error.contains("or transports with reasons"), "{error}");
    }
}
