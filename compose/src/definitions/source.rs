//! Where an implementation comes from.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::known;

/// Where an implementation's sources are, and what makes an image of them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// What kind of place that is.
    #[serde(rename = "type", default, deserialize_with = "known::one")]
    pub kind: SourceKind,
    /// Relative to the root (see [`root_of`](super::root_of)); builds and nodes run here.
    #[serde(default = "here")]
    pub path: PathBuf,
    /// Relative to the sources; `None`: `Dockerfile`, where the sources are known to have one.
    pub dockerfile: Option<PathBuf>,
    /// What an image's build sees, relative to the sources (of a repository, to its root); `None`: the
    /// sources.
    pub build_context: Option<PathBuf>,
    /// The Dockerfile's stage that is the image; `None`: the last.
    pub build_target: Option<String>,
    /// `owner/name` on GitHub.
    pub repo: Option<String>,
    /// Of that repository.
    pub commit: Option<String>,
    /// Whether the repository is nothing without its submodules.
    #[serde(default)]
    pub requires_submodules: bool,
    /// The implementation that a browser's image wraps, by id.
    pub base_image: Option<String>,
    /// Which browser.
    #[serde(default, deserialize_with = "known::maybe")]
    pub browser: Option<Browser>,
    /// The folder of a patch that is applied first, relative to the root.
    pub patch_path: Option<PathBuf>,
    /// The patch in it.
    pub patch_file: Option<String>,
}

/// What kind of place sources are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceKind {
    /// A folder of this machine.
    #[default]
    Local,
    /// A commit of a GitHub repository.
    Github,
    /// Another implementation's image, with a browser around it.
    Browser,
}

/// A browser that a node can run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Browser {
    /// Chromium.
    Chromium,
    /// Firefox.
    Firefox,
    /// WebKit.
    Webkit,
}

impl Default for Source {
    fn default() -> Self {
        Self {
            kind: SourceKind::Local,
            path: here(),
            dockerfile: None,
            build_context: None,
            build_target: None,
            repo: None,
            commit: None,
            requires_submodules: false,
            base_image: None,
            browser: None,
            patch_path: None,
            patch_file: None,
        }
    }
}

fn here() -> PathBuf {
    PathBuf::from(".")
}

impl Source {
    /// Why there is nothing in `root` to build or start, where there is not.
    pub fn not_here(&self, root: &Path) -> Option<String> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        match self.kind {
            SourceKind::Local if root.join(&self.path).is_dir() => None,
            SourceKind::Local => {
                Some(format!("its node is not there yet ({})", self.path.display()))
            }
            SourceKind::Github => Some(format!(
                "its sources are not on this machine, but on GitHub ({} at {})",
                text(&self.repo),
                text(&self.commit)
            )),
            SourceKind::Browser => {
                Some(format!("it is an image: {} with a browser around it", text(&self.base_image)))
            }
        }
    }

    /// What its kind needs and is not given, and the key it stands under.
    pub(super) fn problem(&self) -> Option<(&'static str, String)> {
        let given = |value: &Option<String>| value.as_ref().is_some_and(|text| !text.is_empty());
        let missing = |key| Some(("type", format!("such a source needs `{key}`")));
        match self.kind {
            SourceKind::Github if !given(&self.repo) => missing("repo"),
            SourceKind::Github if !given(&self.commit) => missing("commit"),
            SourceKind::Browser if !given(&self.base_image) => missing("baseImage"),
            SourceKind::Browser if self.browser.is_none() => missing("browser"),
            _ => match (&self.patch_path, &self.patch_file) {
                (Some(_), None) => {
                    Some(("patchPath", "a patch needs `patchFile` as well".to_owned()))
                }
                (None, Some(_)) => {
                    Some(("patchFile", "a patch needs `patchPath` as well".to_owned()))
                }
                (_, Some(file)) if file.contains(['/', '\\']) => Some((
                    "patchFile",
                    format!("\"{file}\" is a path; expected a file's name, in `patchPath`"),
                )),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_here_says_where_it_is() {
        let root = tempfile::tempdir().unwrap();
        let not_here = |source: &Source| source.not_here(root.path());
        assert_eq!(not_here(&Source::default()), None);
        let local = Source { path: "impls/go/v0.45".into(), ..Source::default() };
        assert_eq!(not_here(&local).as_deref(), Some("its node is not there yet (impls/go/v0.45)"));
        let github = Source {
            kind: SourceKind::Github,
            repo: Some("libp2p/py-libp2p".to_owned()),
            commit: Some("abb5b34".to_owned()),
            ..Source::default()
        };
        assert!(not_here(&github).unwrap().ends_with("on GitHub (libp2p/py-libp2p at abb5b34)"));
    }
}
