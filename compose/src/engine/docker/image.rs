//! Images: found, or built where what they come from has changed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::Error;
use super::client::{self, docker};
use super::content;
use crate::clock::Moment;
use crate::definitions::{Implementation, Source, SourceKind};

/// What an image was made of: see [`content`].
const CONTENT_LABEL: &str = "perf-compose.content";

/// The image that cells of a build of that name run.
pub(super) fn name(build: &str) -> String {
    // Names of images have no capitals.
    format!("perf-{}", build.to_lowercase())
}

/// Every name that the image of `implementation` is given: ours, and unified-testing's.
pub(super) fn names(implementation: &Implementation) -> Vec<String> {
    let id = implementation.build_name().to_lowercase();
    let mut names = vec![name(&id), format!("perf-implementations-{id}")];
    if implementation.is_baseline() {
        names.push(format!("perf-baselines-{id}"));
    }
    names
}

/// How an image is built.
struct Recipe {
    /// What `docker build` is given last: a folder, or a repository's address.
    context: String,
    /// Absolute, or relative to the repository's.
    dockerfile: PathBuf,
    /// The stage that is the image; `None`: the last.
    target: Option<String>,
    /// What it is made of.
    content: String,
}

/// What the cache keeps of an image: `image.yaml`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    id: String,
    built_at: String,
    from: Origin,
    names: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Origin {
    context: String,
    dockerfile: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    content: String,
}

/// `docker image inspect`, as far as it is needed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    id: String,
    config: Option<Config>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    labels: Option<std::collections::BTreeMap<String, String>>,
}

/// Makes the image of `implementation` ready; what building prints goes to `log`. Its id, or why it
/// cannot be had.
pub(super) async fn prepare(
    implementation: &Implementation,
    root: &Path,
    cache: &Path,
    anew: bool,
    log: &Path,
) -> Result<Result<String, String>, Error> {
    let recipe = match recipe(implementation, root) {
        Ok(Some(recipe)) => recipe,
        Ok(None) => return Ok(found(implementation).await),
        Err(reason) => return Ok(Err(reason)),
    };
    let names = names(implementation);
    let current = inspect(&names[0]).await.filter(|image| !anew && image.is_of(&recipe.content));
    if let Some(image) = current {
        for other in &names[1..] {
            docker(["tag", &names[0], other]).text().await?;
        }
        return Ok(Ok(image.id));
    }
    if !build(&recipe, &names, anew, log).await? {
        return Ok(Err(why(log)));
    }
    let Some(image) = inspect(&names[0]).await else {
        return Ok(Err(format!("its image was built, and is not there: {}", names[0])));
    };
    record(cache, implementation.build_name(), image.id.clone(), recipe, names)?;
    Ok(Ok(image.id))
}

/// An implementation without a recipe has to be there already, under any of its names.
async fn found(implementation: &Implementation) -> Result<String, String> {
    let names = names(implementation);
    for present in &names {
        let Some(image) = inspect(present).await else { continue };
        if *present == names[0] || docker(["tag", present, &names[0]]).text().await.is_ok() {
            return Ok(image.id);
        }
    }
    Err(format!(
        "its definition has no `source.dockerfile` to build it from, and there is no image {}",
        names.join(" or ")
    ))
}

/// What is named; else the usual, where the sources are somewhere of their own and have it.
fn dockerfile(source: &Source, root: &Path) -> Option<PathBuf> {
    let usual = PathBuf::from("Dockerfile");
    source.dockerfile.clone().or_else(|| match source.kind {
        SourceKind::Github => Some(usual),
        SourceKind::Local if source.path != Path::new(".") => {
            root.join(&source.path).join(&usual).is_file().then_some(usual)
        }
        // A browser's has no sources; of a runner's own folder, nothing says whose they are.
        SourceKind::Local | SourceKind::Browser => None,
    })
}

/// Saves the image that has `names`, those it has, as `<id>.tar.gz` in `folder`. An image that is not
/// there, of an implementation that was unavailable, is left out.
pub(super) async fn export(names: &[String], id: &str, folder: &Path) -> Result<(), client::Error> {
    let mut present = Vec::new();
    for name in names {
        if inspect(name).await.is_some() {
            present.push(name);
        }
    }
    if present.is_empty() {
        return Ok(());
    }
    let file = folder.join(format!("{id}.tar"));
    docker(["save", "--output"]).args([&file]).args(present).text().await?;
    client::compress(&file).await
}

/// Where an image is built from.
enum Place {
    /// Folders of this machine.
    Here { context: PathBuf, dockerfile: PathBuf },
    /// A repository's address, and what is relative to it.
    GitHub { context: String, dockerfile: PathBuf },
}

/// Where `implementation`'s image is built from; `None`: it is not built. An error is why it cannot be.
fn place(implementation: &Implementation, root: &Path) -> Result<Option<Place>, String> {
    let source = &implementation.source;
    let Some(dockerfile) = dockerfile(source, root) else { return Ok(None) };
    if source.patch_file.is_some() {
        return Err("its source is to be patched, which this runner does not do yet".to_owned());
    }
    match source.kind {
        SourceKind::Local => here(source, &dockerfile, root).map(Some),
        SourceKind::Github => on_github(source, dockerfile).map(Some),
        SourceKind::Browser => {
            Err("its source is a browser, which this runner does not start".to_owned())
        }
    }
}

/// `dockerfile` and `buildContext` are both relative to the sources, and either may lie outside them.
fn here(source: &Source, dockerfile: &Path, root: &Path) -> Result<Place, String> {
    if let Some(reason) = source.not_here(root) {
        return Err(reason);
    }
    let sources = root.join(&source.path);
    let dockerfile = sources.join(dockerfile);
    if !dockerfile.is_file() {
        return Err(format!("there is no {} to build it from", dockerfile.display()));
    }
    let context =
        source.build_context.as_ref().map_or(sources.clone(), |below| sources.join(below));
    if !context.is_dir() {
        return Err(format!("its `buildContext` is not there: {}", context.display()));
    }
    let plain = |path: PathBuf| {
        // Without the `..`, which a reader of image.yaml would have to resolve.
        fs::canonicalize(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    Ok(Place::Here { context: plain(context)?, dockerfile: plain(dockerfile)? })
}

/// In unified-testing's definitions, both are relative to the repository; Docker wants the Dockerfile's
/// path within the context.
fn on_github(source: &Source, dockerfile: PathBuf) -> Result<Place, String> {
    let (Some(repo), Some(commit)) = (&source.repo, &source.commit) else {
        return Err("its source is on GitHub, and `repo` or `commit` is missing".to_owned());
    };
    let given = source.build_context.as_deref().filter(|context| *context != Path::new("."));
    let (below, dockerfile) = match given {
        None => (source.path.as_path(), dockerfile),
        Some(context) => match dockerfile.strip_prefix(context) {
            Ok(inside) => (context, inside.to_owned()),
            Err(_) => {
                return Err(format!(
                    "its `dockerfile` ({}) is not in its `buildContext` ({}), and Docker cannot build that from GitHub",
                    dockerfile.display(),
                    context.display()
                ));
            }
        },
    };
    let below = match below.to_string_lossy() {
        below if below == "." => String::new(),
        below => format!(":{below}"),
    };
    let context = format!("https://github.com/{repo}.git#{commit}{below}");
    Ok(Place::GitHub { context, dockerfile })
}

/// Why the image of `implementation` cannot be built, as far as that shows without building it.
pub(super) fn obstacle(implementation: &Implementation, root: &Path) -> Option<String> {
    place(implementation, root).err()
}

fn recipe(implementation: &Implementation, root: &Path) -> Result<Option<Recipe>, String> {
    let (context, dockerfile, content) = match place(implementation, root)? {
        None => return Ok(None),
        Some(Place::Here { context, dockerfile }) => {
            let content = content::of_folder(&context, &dockerfile)
                .map_err(|error| format!("its sources cannot be read: {error}"))?;
            (context.to_string_lossy().into_owned(), dockerfile, content)
        }
        Some(Place::GitHub { context, dockerfile }) => {
            let content = content::of_text(&format!("{context} {}", dockerfile.display()));
            (context, dockerfile, content)
        }
    };
    let target = implementation.source.build_target.clone();
    // The stage is part of what an image is made of.
    let content = match &target {
        Some(target) => content::of_text(&format!("{content} {target}")),
        None => content,
    };
    Ok(Some(Recipe { context, dockerfile, target, content }))
}

async fn build(
    recipe: &Recipe,
    names: &[String],
    anew: bool,
    log: &Path,
) -> Result<bool, client::Error> {
    let Recipe { context, dockerfile, target, content } = recipe;
    docker(["build", "--label", &format!("{CONTENT_LABEL}={content}")])
        .args(anew.then_some("--no-cache"))
        .args(["--file".as_ref(), dockerfile.as_os_str()])
        .args(target.iter().flat_map(|stage| ["--target", stage]))
        .args(names.iter().flat_map(|name| ["--tag", name]))
        .args([context])
        .logged(log)
        .await
}

/// Why a build failed, by its log.
fn why(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let said = client::last_line(&text).map(|line| format!(": {line}")).unwrap_or_default();
    format!("its image could not be built{said} (all of it: {})", log.display())
}

async fn inspect(name: &str) -> Option<Image> {
    let text = docker(["image", "inspect", name]).text().await.ok()?;
    serde_json::from_str::<Vec<Image>>(&text).ok()?.pop()
}

impl Image {
    fn is_of(&self, content: &str) -> bool {
        let labels = self.config.as_ref().and_then(|config| config.labels.as_ref());
        labels.and_then(|labels| labels.get(CONTENT_LABEL)).is_some_and(|label| label == content)
    }
}

fn record(
    cache: &Path,
    id: &str,
    image: String,
    recipe: Recipe,
    names: Vec<String>,
) -> Result<(), Error> {
    let Recipe { context, dockerfile, target, content } = recipe;
    let record = Record {
        id: image,
        built_at: Moment::now().rfc3339(),
        from: Origin { context, dockerfile, target, content },
        names,
    };
    let folder = cache.join("images").join(id);
    let path = folder.join("image.yaml");
    let write = || {
        fs::create_dir_all(&folder)?;
        fs::write(&path, serde_yaml::to_string(&record).map_err(io::Error::other)?)
    };
    write().map_err(|source| Error::Log { path: path.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::Definitions;

    fn place_of(source: &str, root: &Path) -> Result<String, String> {
        let text = format!("implementations: [{{id: a, transports: [ws], source: {source}}}]");
        let definitions = Definitions::parse(&text, Path::new("x")).unwrap();
        let place = place(&definitions.implementations[0], root)?;
        Ok(match place {
            None => "none".to_owned(),
            Some(Place::Here { context, dockerfile }) => {
                let root = fs::canonicalize(root).unwrap();
                let below = |path: &Path| path.strip_prefix(&root).unwrap().display().to_string();
                format!("{} {}", below(&context), below(&dockerfile))
            }
            Some(Place::GitHub { context, dockerfile }) => {
                format!("{context} {}", dockerfile.display())
            }
        })
    }

    #[test]
    fn paths_are_relative_to_the_sources_and_of_github_to_the_repository() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["impls/a", "impls/b"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("impls/a/Dockerfile"), "").unwrap();
        let github = "type: github, repo: o/r, commit: c0";
        let cases = [
            ("{path: impls/a}", Ok("impls/a impls/a/Dockerfile")),
            ("{path: impls/a, buildContext: ../..}", Ok(" impls/a/Dockerfile")),
            ("{path: impls/b, dockerfile: ../a/Dockerfile}", Ok("impls/b impls/a/Dockerfile")),
            ("{path: impls/b}", Ok("none")),
            ("{path: impls/c, dockerfile: D}", Err("its node is not there yet (impls/c)")),
            ("{path: impls/a, buildContext: x}", Err("its `buildContext` is not there")),
            ("{path: impls/b, dockerfile: D}", Err("to build it from")),
            (&format!("{{{github}}}"), Ok("https://github.com/o/r.git#c0 Dockerfile")),
            (
                &format!("{{{github}, dockerfile: i/n/D, buildContext: i}}"),
                Ok("https://github.com/o/r.git#c0:i n/D"),
            ),
            (
                &format!("{{{github}, dockerfile: D, buildContext: i}}"),
                Err("is not in its `buildContext` (i)"),
            ),
        ];
        for (source, expected) in cases {
            match (place_of(source, root.path()), expected) {
                (Ok(place), Ok(expected)) => assert_eq!(place, expected, "{source}"),
                (Err(reason), Err(part)) => assert!(reason.contains(part), "{source}: {reason}"),
                (other, _) => panic!("{source}: {other:?}"),
            }
        }
    }
}
