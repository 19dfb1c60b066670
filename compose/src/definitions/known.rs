//! Words of a closed vocabulary, refused with a suggestion where they are misspelt.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use harness_sdk::{Muxer, SecureChannel, Transport};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::{Browser, ServerKind, SourceKind};
use crate::suggestion;

/// A closed vocabulary.
pub(super) trait Vocabulary: Copy + 'static {
    /// What its words are called.
    const KIND: &'static str;
    /// Every word with its meaning.
    fn all() -> impl Iterator<Item = (&'static str, Self)> + Clone;
}

macro_rules! vocabulary {
    ($($type:ty, $kind:literal;)+) => {$(
        impl Vocabulary for $type {
            const KIND: &'static str = $kind;
            fn all() -> impl Iterator<Item = (&'static str, Self)> + Clone {
                Self::ALL.iter().map(|value| (value.as_str(), *value))
            }
        }
    )+};
}

vocabulary! {
    Transport, "transport";
    SecureChannel, "secure channel";
    Muxer, "muxer";
}

impl Vocabulary for ServerKind {
    const KIND: &'static str = "server type";
    fn all() -> impl Iterator<Item = (&'static str, Self)> + Clone {
        [("local", Self::Local), ("remote", Self::Remote)].into_iter()
    }
}

impl Vocabulary for SourceKind {
    const KIND: &'static str = "source type";
    fn all() -> impl Iterator<Item = (&'static str, Self)> + Clone {
        [("local", Self::Local), ("github", Self::Github), ("browser", Self::Browser)].into_iter()
    }
}

impl Vocabulary for Browser {
    const KIND: &'static str = "browser";
    fn all() -> impl Iterator<Item = (&'static str, Self)> + Clone {
        [("chromium", Self::Chromium), ("firefox", Self::Firefox), ("webkit", Self::Webkit)]
            .into_iter()
    }
}

/// Transports that upstream's other suites test, and that no perf node can be asked for. They are
/// read past, with a warning, so that one file can serve all suites.
pub(super) const FOREIGN_TRANSPORTS: &[&str] = &["wss", "webrtc"];

/// A transport of the contract, or one to read past.
#[derive(Clone, Copy)]
struct Speakable(Option<Transport>);

impl Vocabulary for Speakable {
    const KIND: &'static str = Transport::KIND;
    fn all() -> impl Iterator<Item = (&'static str, Self)> + Clone {
        let foreign = FOREIGN_TRANSPORTS.iter().map(|word| (*word, Self(None)));
        Transport::all().map(|(word, transport)| (word, Self(Some(transport)))).chain(foreign)
    }
}

/// Reads a list of transports, at least one, less the foreign ones.
pub(super) fn transports<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Transport>, D::Error> {
    let words: Vec<Speakable> = many(deserializer)?;
    if words.is_empty() {
        return Err(D::Error::custom(
            "`transports` is empty; without one there is nothing to test",
        ));
    }
    Ok(words.into_iter().filter_map(|Speakable(transport)| transport).collect())
}

/// The same, where none may be said.
pub(super) fn any_transports<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Transport>, D::Error> {
    let words: Vec<Speakable> = many(deserializer)?;
    Ok(words.into_iter().filter_map(|Speakable(transport)| transport).collect())
}

/// Reads what is said of each transport, less the foreign ones.
pub(super) fn of_transports<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<Transport, String>, D::Error> {
    deserializer.deserialize_map(TextsVisitor)
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = BTreeMap<Transport, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("transports, each with a text")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut texts = BTreeMap::new();
        while let Some((Word(Speakable(transport)), text)) = entries.next_entry()? {
            texts.extend(transport.map(|transport| (transport, text)));
        }
        Ok(texts)
    }
}

/// Reads one word, or none.
pub(super) fn maybe<'de, T: Vocabulary, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(Option::<Word<T>>::deserialize(deserializer)?.map(|Word(word)| word))
}

/// Reads one word.
pub(super) fn one<'de, T: Vocabulary, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Word::deserialize(deserializer)?.0)
}

/// Reads a list of words.
pub(super) fn many<'de, T: Vocabulary, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_seq(ListVisitor(PhantomData))
}

/// The error is made inside the visitor: there serde_yaml adds the word's own position.
struct Word<T>(T);

impl<'de, T: Vocabulary> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(WordVisitor(PhantomData)).map(Self)
    }
}

struct WordVisitor<T>(PhantomData<T>);

impl<T: Vocabulary> Visitor<'_> for WordVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {}", T::KIND)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::all().find(|(word, _)| *word == text).map(|(_, value)| value).ok_or_else(|| {
            let known = suggestion::known(text, T::all().map(|(word, _)| word));
            E::custom(format_args!("unknown {} \"{text}\"{known}", T::KIND))
        })
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Vocabulary> Visitor<'de> for ListVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list, each a {}", T::KIND)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<Vec<T>, A::Error> {
        let mut values = Vec::new();
        while let Some(Word(value)) = words.next_element()? {
            values.push(value);
        }
        Ok(values)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }
}
