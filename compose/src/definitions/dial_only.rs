//! Who cannot listen: a browser, say.

use std::fmt;

use harness_sdk::Transport;
use serde::Deserialize;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use super::known;

/// The transports over which an implementation cannot listen: `dialOnly: true`, or a list of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DialOnly {
    /// It listens over all it speaks.
    #[default]
    Never,
    /// It only dials.
    Always,
    /// Over these it only dials.
    Over(Vec<Transport>),
}

impl DialOnly {
    /// Whether it cannot listen over `transport`.
    pub fn covers(&self, transport: Transport) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Over(transports) => transports.contains(&transport),
        }
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
        f.write_str("true, false, or a list of transports")
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
}
