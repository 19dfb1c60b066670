//! From the text of impls.yaml to [`Definitions`], or to an error that says where and what.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};

use super::check::{Problem, duplicate};
use super::locate::{Step, locate};
use super::{Definitions, Implementation, LOCAL, Server, ServerKind, keys, local};

/// Why definitions cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read {}", file.display())]
    Read {
        /// The definitions.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Not YAML, or not of the shape that was expected.
    #[error("{}:{line}:{column}: {message}", file.display())]
    Syntax {
        /// The definitions.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What was found and what was expected.
        message: String,
    },
    /// Well-formed, but without meaning.
    #[error("{}: {message}", file.display())]
    Invalid {
        /// The definitions.
        file: PathBuf,
        /// What was found and what was expected.
        message: String,
    },
}

impl Definitions {
    /// Reads `file`.
    pub fn load(file: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| Error::Read { file: file.to_owned(), source })?;
        let mut definitions = Self::parse(&text, file)?;
        definitions.preselect(file)?;
        definitions.expect(file)?;
        Ok(definitions)
    }

    /// Reads `text`; `file` is only named in errors. What lies beside the file is not read.
    pub fn parse(text: &str, file: &Path) -> Result<Self, Error> {
        let raw: File = serde_yaml::from_str(text).map_err(|error| at(file, text, &error))?;
        let aliases = raw.test_aliases.iter().map(|alias| &alias.alias);
        if let Some((index, alias)) = duplicate(aliases) {
            let message = format!("alias \"{alias}\" is defined twice; names must differ");
            let problem =
                Problem { path: vec![Step::Key("test-aliases"), Step::Index(index)], message };
            return Err(invalid(file, text, problem));
        }
        let listed = raw.implementations.len();
        let mut definitions = Self {
            aliases: raw.test_aliases.into_iter().map(|alias| (alias.alias, alias.value)).collect(),
            servers: raw.servers,
            implementations: raw.implementations,
            preselections: Vec::new(),
            expected: Vec::new(),
            warnings: keys::read_past(text)
                .into_iter()
                .map(|note| format!("{}:{note}", file.display()))
                .collect(),
        };
        let baselines = raw.baselines.into_iter();
        definitions
            .implementations
            .extend(baselines.map(|entry| Implementation { baseline: true, ..entry }));
        if !definitions.servers.iter().any(|server| server.id == LOCAL) {
            definitions.servers.push(Server { id: local(), kind: ServerKind::Local });
        }
        if let Some(problem) = definitions.problem(listed) {
            return Err(invalid(file, text, problem));
        }
        definitions.implementations.iter_mut().for_each(Implementation::resolve_variants);
        Ok(definitions)
    }
}

/// The file as serde reads it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    #[serde(default, deserialize_with = "list")]
    test_aliases: Vec<Alias>,
    #[serde(default, deserialize_with = "list")]
    servers: Vec<Server>,
    #[serde(default, deserialize_with = "list")]
    implementations: Vec<Implementation>,
    #[serde(default, deserialize_with = "list")]
    baselines: Vec<Implementation>,
}

#[derive(Deserialize)]
struct Alias {
    alias: String,
    value: String,
}

/// A list; a key with nothing under it (all of it commented out, say) is an empty one.
pub(super) fn list<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A problem with its position in front.
fn invalid(file: &Path, text: &str, problem: Problem<'_>) -> Error {
    let Problem { path, message } = problem;
    let file = file.to_owned();
    match locate(text, &path).filter(|_| !path.is_empty()) {
        Some((line, column)) => Error::Syntax { file, line, column, message },
        None => Error::Invalid { file, message },
    }
}

/// serde_yaml's error with its position in front, where editors and terminals look for it. A key
/// that was misspelt is the likely reason for one that is missing, so those are told as well.
pub(super) fn at(file: &Path, text: &str, error: &serde_yaml::Error) -> Error {
    let mut message = error.to_string();
    if message.contains("missing field") {
        for note in keys::read_past(text) {
            message.push_str("; line ");
            message.push_str(&note);
        }
    }
    let file = file.to_owned();
    match error.location() {
        Some(location) => {
            let (line, column) = (location.line(), location.column());
            let message = message.replace(&format!(" at line {line} column {column}"), "");
            Error::Syntax { file, line, column, message }
        }
        None => Error::Invalid { file, message },
    }
}
