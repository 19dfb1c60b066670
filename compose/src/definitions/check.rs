//! What is well-formed and still has no meaning.

use std::collections::BTreeSet;

use super::locate::Step::{self, Index, Key};
use super::{Definitions, Implementation, Process};
use crate::suggestion;

/// What is wrong, and where.
pub(super) struct Problem<'a> {
    /// From the top of the file.
    pub(super) path: Vec<Step<'a>>,
    /// What was found and what was expected.
    pub(super) message: String,
}

impl Definitions {
    /// What is wrong with it. The first `listed` implementations stand under `implementations`, the
    /// others under `baselines`.
    pub(super) fn problem(&self, listed: usize) -> Option<Problem<'static>> {
        if self.implementations.is_empty() {
            let message = "there is nothing to test; expected a list under `implementations:`";
            return Some(Problem { path: Vec::new(), message: message.to_owned() });
        }
        let place = |index: usize| match index.checked_sub(listed) {
            None => ("implementations", index),
            Some(index) => ("baselines", index),
        };
        let servers = self.servers.iter().map(|server| server.id.as_str());
        if let Some((index, id)) = duplicate(servers) {
            let message = format!("server \"{id}\" is defined twice; ids must differ");
            return Some(Problem { path: vec![Key("servers"), Index(index)], message });
        }
        if let Some((index, id)) = duplicate(self.implementations.iter().map(|entry| &entry.id)) {
            let (section, index) = place(index);
            let message = format!("implementation \"{id}\" is defined twice; ids must differ");
            return Some(Problem { path: vec![Key(section), Index(index)], message });
        }
        let own = self.implementations.iter().enumerate().find_map(|(index, entry)| {
            let (section, index) = place(index);
            let (inner, message) = entry.problem().or_else(|| self.foreign(entry))?;
            let path = [Key(section), Index(index)].into_iter().chain(inner).collect();
            let message = format!("{section}[{index}] ({}): {message}", entry.id);
            Some(Problem { path, message })
        });
        own.or_else(|| self.same_build(place))
    }

    /// Two that would overwrite each other's images and logs; `place` is where an entry stands.
    fn same_build(
        &self,
        place: impl Fn(usize) -> (&'static str, usize),
    ) -> Option<Problem<'static>> {
        let names: Vec<_> = self.implementations.iter().map(Implementation::build_names).collect();
        let (_, name) = duplicate(names.iter().flatten())?;
        let (section, index) = place(names.iter().rposition(|names| names.contains(name))?);
        let message = format!(
            "an implementation and a variant would both be called \"{name}\"; names must differ"
        );
        Some(Problem { path: vec![Key(section), Index(index)], message })
    }

    /// What `entry` refers to and is not there.
    fn foreign(&self, entry: &Implementation) -> Option<(Vec<Step<'static>>, String)> {
        let servers = self.servers.iter().map(|server| server.id.as_str());
        if !servers.clone().any(|server| server == entry.server) {
            let known = suggestion::known(&entry.server, servers);
            let message = format!("unknown server \"{}\"{known}", entry.server);
            return Some((vec![Key("server")], message));
        }
        let base = entry.source.base_image.as_ref()?;
        let ids = self.implementations.iter().map(|entry| entry.id.as_str());
        let known = ids.clone().any(|id| id == base);
        let message = || format!("unknown base image \"{base}\"{}", suggestion::known(base, ids));
        (!known).then(|| (vec![Key("source"), Key("baseImage")], message()))
    }
}

impl Implementation {
    /// What is wrong with it alone, and where in it.
    fn problem(&self) -> Option<(Vec<Step<'static>>, String)> {
        let at = |key, message: &str| Some((vec![Key(key)], message.to_owned()));
        if self.id.is_empty() || !self.id.chars().all(accepted_in_ids) {
            return at("id", "an id is made of letters, digits, `.`, `_` and `-`, at least one");
        }
        if let Some(message) = self.process.as_ref().and_then(Process::problem) {
            return at("process", message);
        }
        if self.dial_only.reasons().any(|reason| reason.trim().is_empty()) {
            return at(
                "dialOnly",
                "a reason is empty; say why it cannot listen, or list the transports",
            );
        }
        if self.docker.cpus.is_some_and(|cpus| !(cpus.is_finite() && cpus > 0.0)) {
            let message = "`docker.cpus` takes a number above 0".to_owned();
            return Some((vec![Key("docker"), Key("cpus")], message));
        }
        if let Some(problem) = self.variants_problem() {
            return Some(problem);
        }
        if let Some((key, message)) = self.source.problem() {
            return Some((vec![Key("source"), Key(key)], message));
        }
        let words = |list: Vec<&'static str>| duplicate(list).map(|(_, word)| word);
        let lists = [
            ("transports", words(self.transports.iter().map(|word| word.as_str()).collect())),
            (
                "secureChannels",
                words(self.secure_channels.iter().map(|word| word.as_str()).collect()),
            ),
            ("muxers", words(self.muxers.iter().map(|word| word.as_str()).collect())),
        ];
        lists.into_iter().find_map(|(key, word)| {
            Some((vec![Key(key)], format!("\"{}\" is listed twice", word?)))
        })
    }
}

/// What ids, and names that become part of one, are made of.
pub(super) fn accepted_in_ids(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// The first value that was there before, with its index.
pub(super) fn duplicate<T: Ord + Copy>(values: impl IntoIterator<Item = T>) -> Option<(usize, T)> {
    let mut seen = BTreeSet::new();
    values.into_iter().enumerate().find(|(_, value)| !seen.insert(*value))
}
