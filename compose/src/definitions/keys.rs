//! Keys that nothing reads: tolerated, for files written for another runner, but never silently.

use serde_yaml::{Mapping, Value};

use crate::suggestion;

const FILE: &[&str] = &["test-aliases", "servers", "implementations", "baselines"];
const ALIAS: &[&str] = &["alias", "value"];
const SERVER: &[&str] = &["id", "type", "hostname", "username"];
const IMPLEMENTATION: &[&str] = &[
    "id",
    "server",
    "source",
    "process",
    "docker",
    "transports",
    "secureChannels",
    "muxers",
    "default",
    "baseline",
    "env",
];
/// `type`, `repo`, `commit` and `dockerfile` are for engines that build images.
const SOURCE: &[&str] = &["type", "path", "repo", "commit", "dockerfile"];
const DOCKER: &[&str] = &["user", "writable", "memory", "ownRedis"];
const PROCESS: &[&str] = &["build", "command"];

/// One line for each key of `text` that has no meaning here.
pub(super) fn unknown(text: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    let Ok(Value::Mapping(file)) = serde_yaml::from_str(text) else { return warnings };
    check("", &file, FILE, &mut warnings);
    for (section, known) in [("test-aliases", ALIAS), ("servers", SERVER)] {
        for (place, entry) in entries(&file, section) {
            check(&place, entry, known, &mut warnings);
        }
    }
    for section in ["implementations", "baselines"] {
        for (place, entry) in entries(&file, section) {
            check(&place, entry, IMPLEMENTATION, &mut warnings);
            for (key, known) in [("source", SOURCE), ("process", PROCESS), ("docker", DOCKER)] {
                if let Some(Value::Mapping(inner)) = entry.get(key) {
                    check(&format!("{place}.{key}"), inner, known, &mut warnings);
                }
            }
        }
    }
    warnings
}

/// The mappings listed under `section`, each with how a reader finds it.
fn entries<'a>(file: &'a Mapping, section: &str) -> Vec<(String, &'a Mapping)> {
    let Some(Value::Sequence(list)) = file.get(section) else { return Vec::new() };
    let mappings = list.iter().enumerate().filter_map(|(i, entry)| Some((i, entry.as_mapping()?)));
    mappings
        .map(|(index, entry)| match entry.get("id").and_then(Value::as_str) {
            Some(id) => (format!("{section}[{index}] ({id})"), entry),
            None => (format!("{section}[{index}]"), entry),
        })
        .collect()
}

fn check(place: &str, mapping: &Mapping, known: &[&str], warnings: &mut Vec<String>) {
    let keys = mapping.keys().filter_map(Value::as_str);
    for key in keys.filter(|key| !known.contains(key)) {
        let colon = if place.is_empty() { "" } else { ": " };
        let hint = suggestion::known(key, known.iter().copied());
        warnings.push(format!("{place}{colon}unknown key \"{key}\"{hint}"));
    }
}
