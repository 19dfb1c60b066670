//! `test-selection.yaml`: what is selected where no flag says otherwise.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::locate::{Step, locate};
use super::read::{Error, at, list};
use super::{Definitions, Implementation, root_of};
use crate::suggestion;

/// The name of such a file.
const FILE_NAME: &str = "test-selection.yaml";

const KEYS: &[&str] = &["test-filter", "test-ignore"];

/// One such file. It only ever narrows: a test must pass every one that speaks of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preselection {
    /// The file, as messages name it.
    pub file: String,
    /// The implementation whose tests it speaks of; `None`: all tests.
    pub of: Option<String>,
    /// What is taken in place of a `--test-select`; empty: all.
    pub select: String,
    /// What is left out in place of a `--test-ignore`; empty: none.
    pub ignore: String,
}

/// The file as serde reads it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Raw {
    #[serde(default, deserialize_with = "list")]
    test_filter: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    test_ignore: Vec<String>,
}

impl Definitions {
    /// Reads the one beside the definitions `file`, and the one of each implementation.
    pub(super) fn preselect(&mut self, file: &Path) -> Result<(), Error> {
        let folder = file.parent().unwrap_or(Path::new(""));
        let root = root_of(file);
        let global = folder.join(FILE_NAME);
        let mut candidates = vec![(None, global.clone())];
        for entry in &self.implementations {
            let own = own_file(entry, &root, folder).filter(|own| *own != global);
            candidates.extend(own.map(|own| (Some(entry.id.clone()), own)));
        }
        for (of, file) in candidates {
            if file.is_file() {
                let (preselection, warnings) = read(&file, &root, of)?;
                self.preselections.push(preselection);
                // One folder may stand for many versions.
                let new = warnings.into_iter().filter(|warning| !self.warnings.contains(warning));
                let new: Vec<_> = new.collect();
                self.warnings.extend(new);
            }
        }
        Ok(())
    }
}

/// The file in an implementation's folder, or in the nearest folder above it that has one: that of
/// all versions of a language, say.
fn own_file(entry: &Implementation, root: &Path, folder: &Path) -> Option<PathBuf> {
    let own = root.join(&entry.source.path);
    // Where the sources are the whole root, the folder is the one that the id names.
    let own = match entry.source.path == Path::new(".") {
        true => folder.join(entry.id.replacen("-v", "/v", 1)),
        false => own,
    };
    if !own.starts_with(root) {
        return None;
    }
    let inside = own.ancestors().take_while(|above| *above != folder && *above != root);
    let mut files = inside.map(|folder| folder.join(FILE_NAME));
    files.find(|file| file.is_file())
}

fn read(
    file: &Path,
    root: &Path,
    of: Option<String>,
) -> Result<(Preselection, Vec<String>), Error> {
    let text = std::fs::read_to_string(file)
        .map_err(|source| Error::Read { file: file.to_owned(), source })?;
    let (preselection, warnings) = Preselection::parse(&text, file, of)?;
    let file = file.strip_prefix(root).unwrap_or(file).display().to_string();
    Ok((Preselection { file, ..preselection }, warnings))
}

impl Preselection {
    /// Reads `text`, of `file`, which messages name; and what of it was read past, a line each.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and where.
    pub fn parse(
        text: &str,
        file: &Path,
        of: Option<String>,
    ) -> Result<(Self, Vec<String>), Error> {
        let raw: Option<Raw> =
            serde_yaml::from_str(text).map_err(|error| at(file, text, &error))?;
        let Raw { test_filter, test_ignore } =
            raw.unwrap_or(Raw { test_filter: Vec::new(), test_ignore: Vec::new() });
        let preselection = Self {
            file: file.display().to_string(),
            of,
            select: test_filter.join("|"),
            ignore: test_ignore.join("|"),
        };
        Ok((preselection, warnings(file, text)))
    }
}

fn warnings(file: &Path, text: &str) -> Vec<String> {
    let Ok(serde_yaml::Value::Mapping(keys)) = serde_yaml::from_str(text) else {
        return Vec::new();
    };
    let keys = keys.keys().filter_map(serde_yaml::Value::as_str);
    keys.filter(|key| !KEYS.contains(key))
        .map(|key| {
            let line = locate(text, &[Step::Key(key)]).map_or(1, |(line, _)| line);
            let hint = suggestion::known(key, KEYS.iter().copied());
            format!("{}:{line}: unknown key \"{key}\"{hint}", file.display())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const TWO: &str = "implementations:
  - {id: go-v0.45, transports: [quic-v1], source: {path: impls/go/v0.45}}
  - {id: go-v0.44, transports: [quic-v1], source: {path: impls/go/v0.44}}
  - {id: rust-v0.56, transports: [quic-v1]}
";

    fn load(files: &[(&str, &str)]) -> Result<Definitions, String> {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in [("impls/impls.yaml", TWO)].iter().chain(files) {
            let file = root.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let place = format!("{}/", root.path().display());
        Definitions::load(&root.path().join("impls/impls.yaml"))
            .map_err(|error| error.to_string().replace(&place, ""))
    }

    #[test]
    fn one_beside_the_definitions_and_one_an_implementation() {
        let definitions = load(&[
            ("impls/test-selection.yaml", "test-filter: []\ntest-ignore:\n  - webkit\n  - a|b\n"),
            ("impls/go/test-selection.yaml", "test-ignore: [go]\n"),
            ("impls/go/v0.45/test-selection.yaml", "test-filter: [x]\n"),
            ("impls/rust/v0.56/test-selection.yaml", "# nothing yet\n"),
        ])
        .unwrap();
        let all = definitions.preselections.iter().map(|one| {
            let of = one.of.as_deref();
            (one.file.as_str(), of, one.select.as_str(), one.ignore.as_str())
        });
        assert_eq!(
            all.collect::<Vec<_>>(),
            [
                ("impls/test-selection.yaml", None, "", "webkit|a|b"),
                ("impls/go/v0.45/test-selection.yaml", Some("go-v0.45"), "x", ""),
                ("impls/go/test-selection.yaml", Some("go-v0.44"), "", "go"),
                ("impls/rust/v0.56/test-selection.yaml", Some("rust-v0.56"), "", ""),
            ]
        );
        assert_eq!(load(&[]).unwrap().preselections, []);
    }

    #[test]
    fn what_is_wrong_with_one_is_pointed_at() {
        let name = "impls/test-selection.yaml";
        let error = load(&[(name, "test-filter: []\ntest-ignore: rust\n")]).unwrap_err();
        assert!(
            error.starts_with("impls/test-selection.yaml:2:14: test-ignore: invalid type"),
            "{error}"
        );
        let warnings = load(&[(name, "test-filter: []\ntest-ignor: [a]\n")]).unwrap().warnings;
        assert!(
            warnings[0].ends_with(
                "impls/test-selection.yaml:2: unknown key \"test-ignor\"; did you mean \"test-ignore\"?"
            ),
            "{warnings:?}"
        );
    }
}
