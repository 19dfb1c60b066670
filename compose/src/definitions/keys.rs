//! What nothing reads: tolerated, for files written for another runner, but never silently.

use serde_yaml::{Mapping, Value};

use super::known::FOREIGN_TRANSPORTS;
use super::locate::{
    Step::{self, Index, Key},
    locate,
};
use crate::suggestion;

const FILE: &[&str] = &["test-aliases", "servers", "implementations", "baselines"];
const ALIAS: &[&str] = &["alias", "value"];
const SERVER: &[&str] = &["id", "type", "hostname", "username", "description"];
/// `name`, `metadata`, `protocols` and `capabilities` of the upstream formats are for people.
const IMPLEMENTATION: &[&str] = &[
    "id",
    "name",
    "server",
    "source",
    "process",
    "variants",
    "docker",
    "transports",
    "secureChannels",
    "muxers",
    "dialOnly",
    "legacy",
    "default",
    "baseline",
    "env",
    "protocols",
    "capabilities",
    "metadata",
];
const SOURCE: &[&str] = &[
    "type",
    "path",
    "repo",
    "commit",
    "dockerfile",
    "buildContext",
    "buildTarget",
    "requiresSubmodules",
    "baseImage",
    "browser",
    "patchPath",
    "patchFile",
];
const DOCKER: &[&str] = &["user", "writable", "memory", "cpus", "ownRedis"];
const PROCESS: &[&str] = &["build", "command"];
const VARIANT: &[&str] = &["name", "transports", "source", "process"];

/// One note, `line: what`, for each thing in `text` that has no meaning here.
pub(super) fn read_past(text: &str) -> Vec<String> {
    let Ok(Value::Mapping(file)) = serde_yaml::from_str(text) else { return Vec::new() };
    let mut notes = Notes { text, notes: Vec::new() };
    notes.keys(&[], "", &file, FILE);
    for (section, known) in [("test-aliases", ALIAS), ("servers", SERVER)] {
        for (path, place, entry) in entries(&file, section) {
            notes.keys(&path, &place, entry, known);
        }
    }
    for section in ["implementations", "baselines"] {
        for (path, place, entry) in entries(&file, section) {
            notes.keys(&path, &place, entry, IMPLEMENTATION);
            let parts = [("source", SOURCE), ("process", PROCESS), ("docker", DOCKER)];
            notes.parts(&path, &place, entry, &parts);
            notes.variants(&path, &place, entry);
            if let Some(Value::Sequence(transports)) = entry.get("transports") {
                notes.transports(&path, &place, transports);
                notes.layers(&path, &place, entry, transports);
            }
        }
    }
    notes.notes
}

struct Notes<'t> {
    text: &'t str,
    notes: Vec<String>,
}

impl Notes<'_> {
    fn add(&mut self, path: &[Step<'_>], place: &str, message: &str) {
        let line = locate(self.text, path).map_or(1, |(line, _)| line);
        let colon = if place.is_empty() { "" } else { ": " };
        self.notes.push(format!("{line}: {place}{colon}{message}"));
    }

    fn keys(&mut self, path: &[Step<'_>], place: &str, mapping: &Mapping, known: &[&str]) {
        let keys = mapping.keys().filter_map(Value::as_str);
        for key in keys.filter(|key| !known.contains(key)) {
            let hint = suggestion::known(key, known.iter().copied());
            let path = [path, &[Key(key)]].concat();
            self.add(&path, place, &format!("unknown key \"{key}\"{hint}"));
        }
    }

    /// With secure channels and no muxers, or the other way round, tcp and ws have no stack at all.
    fn layers(&mut self, path: &[Step<'_>], place: &str, entry: &Mapping, transports: &[Value]) {
        let has =
            |key| entry.get(key).and_then(Value::as_sequence).is_some_and(|list| !list.is_empty());
        let (given, missing) = match (has("secureChannels"), has("muxers")) {
            (true, false) => ("secureChannels", "muxers"),
            (false, true) => ("muxers", "secureChannels"),
            _ => return,
        };
        let layered = transports.iter().filter_map(Value::as_str);
        for transport in layered.filter(|transport| ["tcp", "ws"].contains(transport)) {
            let path = [path, &[Key("transports")]].concat();
            let message = format!(
                "it speaks {transport} and has {given}, but no {missing}: there will be no test of it over {transport}"
            );
            self.add(&path, place, &message);
        }
    }

    /// The keys of the mappings that stand under keys of `entry`.
    fn parts(
        &mut self,
        path: &[Step<'_>],
        place: &str,
        entry: &Mapping,
        parts: &[(&str, &[&str])],
    ) {
        for (key, known) in parts {
            if let Some(Value::Mapping(inner)) = entry.get(key) {
                let path = [path, &[Key(key)]].concat();
                self.keys(&path, &format!("{place}.{key}"), inner, known);
            }
        }
    }

    fn variants(&mut self, path: &[Step<'_>], place: &str, entry: &Mapping) {
        let Some(Value::Sequence(variants)) = entry.get("variants") else { return };
        for (index, variant) in variants.iter().enumerate() {
            let Some(variant) = variant.as_mapping() else { continue };
            let path = [path, &[Key("variants"), Index(index)]].concat();
            let place = format!("{place}.variants[{index}]");
            self.keys(&path, &place, variant, VARIANT);
            self.parts(&path, &place, variant, &[("source", SOURCE), ("process", PROCESS)]);
        }
    }

    fn transports(&mut self, path: &[Step<'_>], place: &str, transports: &[Value]) {
        for (index, word) in transports.iter().enumerate() {
            let Some(word) = word.as_str().filter(|word| FOREIGN_TRANSPORTS.contains(word)) else {
                continue;
            };
            let path = [path, &[Key("transports"), Index(index)]].concat();
            let message = format!(
                "no perf node can be asked for transport \"{word}\"; it is left out of the matrix"
            );
            self.add(&path, place, &message);
        }
    }
}

/// The mappings listed under `section`, each with its path and how a reader finds it.
fn entries<'a>(file: &'a Mapping, section: &'a str) -> Vec<(Vec<Step<'a>>, String, &'a Mapping)> {
    let Some(Value::Sequence(list)) = file.get(section) else { return Vec::new() };
    let mappings = list.iter().enumerate().filter_map(|(i, entry)| Some((i, entry.as_mapping()?)));
    mappings
        .map(|(index, entry)| {
            let place = match entry.get("id").and_then(Value::as_str) {
                Some(id) => format!("{section}[{index}] ({id})"),
                None => format!("{section}[{index}]"),
            };
            (vec![Key(section), Index(index)], place, entry)
        })
        .collect()
}
