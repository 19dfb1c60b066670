//! What is well-formed and still has no meaning.

use std::collections::BTreeSet;

use super::{Definitions, Implementation};
use crate::suggestion;

impl Definitions {
    /// What is wrong with it, and what was expected.
    pub(super) fn problem(&self) -> Option<String> {
        if self.implementations.is_empty() {
            return Some(
                "there is nothing to test; expected a list under `implementations:`".to_owned(),
            );
        }
        let servers = self.servers.iter().map(|server| server.id.as_str());
        duplicate(servers.clone())
            .map(|id| format!("server \"{id}\" is defined twice; ids must differ"))
            .or_else(|| {
                let ids = self.implementations.iter().map(|entry| entry.id.as_str());
                duplicate(ids)
                    .map(|id| format!("implementation \"{id}\" is defined twice; ids must differ"))
            })
            .or_else(|| {
                self.implementations.iter().enumerate().find_map(|(index, entry)| {
                    let place = format!("implementation {} (\"{}\")", index + 1, entry.id);
                    entry.problem(servers.clone()).map(|problem| format!("{place}: {problem}"))
                })
            })
    }
}

impl Implementation {
    fn problem<'a>(&self, servers: impl Iterator<Item = &'a str> + Clone) -> Option<String> {
        let accepted = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if self.id.is_empty() || !self.id.chars().all(accepted) {
            return Some(
                "an id is made of letters, digits, `.`, `_` and `-`, at least one".to_owned(),
            );
        }
        if self.transports.is_empty() {
            return Some("`transports` is empty; without one there is nothing to test".to_owned());
        }
        let process = self.process.iter();
        if process.clone().any(|process| process.command.0.is_empty()) {
            return Some("`process.command` is empty; expected a program".to_owned());
        }
        if process.filter_map(|process| process.build.as_ref()).any(|build| build.0.is_empty()) {
            return Some(
                "`process.build` is empty; expected a program, or no `build` at all".to_owned(),
            );
        }
        if !servers.clone().any(|server| server == self.server) {
            let known = suggestion::known(&self.server, servers);
            return Some(format!("unknown server \"{}\"{known}", self.server));
        }
        let twice = duplicate(&self.transports).map(ToString::to_string);
        let twice = twice.or_else(|| duplicate(&self.secure_channels).map(ToString::to_string));
        let twice = twice.or_else(|| duplicate(&self.muxers).map(ToString::to_string));
        twice.map(|value| format!("\"{value}\" is listed twice"))
    }
}

/// The first value that was there before.
pub(super) fn duplicate<T: Ord>(values: impl IntoIterator<Item = T>) -> Option<T> {
    let mut seen = BTreeSet::new();
    values.into_iter().find_map(|value| seen.replace(value))
}
