//! Images: found, or built where what they come from has changed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::{Availability, Error};
use super::client::{self, docker};
use super::content;
use crate::clock::Moment;
use crate::definitions::{Implementation, Source, SourceKind};

/// What an image was made of: see [`content`].
const CONTENT_LABEL: &str = "perf-compose.content";

/// The image that cells of `id` run.
pub(super) fn name(id: &str) -> String {
    // Names of images have no capitals.
    format!("perf-{}", id.to_lowercase())
}

/// Every name that the image of `implementation` is given: ours, and unified-testing's.
fn names(implementation: &Implementation) -> Vec<String> {
    let id = implementation.id.to_lowercase();
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
    /// Relative to the context.
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

/// Makes the image of `implementation` ready; what building prints goes to `log`.
pub(super) async fn prepare(
    implementation: &Implementation,
    root: &Path,
    cache: &Path,
    anew: bool,
    log: &Path,
) -> Result<Availability, Error> {
    let recipe = match recipe(implementation, root) {
        Ok(Some(recipe)) => recipe,
        Ok(None) => return Ok(found(implementation).await),
        Err(reason) => return Ok(Availability::Unavailable(reason)),
    };
    let names = names(implementation);
    let current = inspect(&names[0]).await.filter(|image| !anew && image.is_of(&recipe.content));
    if current.is_none() {
        if !build(&recipe, &names, anew, log).await? {
            return Ok(Availability::Unavailable(why(log)));
        }
        if let Some(image) = inspect(&names[0]).await {
            record(cache, &implementation.id, image.id, recipe, names)?;
        }
        return Ok(Availability::Ready);
    }
    for other in &names[1..] {
        docker(["tag", &names[0], other]).text().await?;
    }
    Ok(Availability::Ready)
}

/// An implementation without a recipe has to be there already, under any of its names.
async fn found(implementation: &Implementation) -> Availability {
    let names = names(implementation);
    for present in &names {
        if inspect(present).await.is_none() {
            continue;
        }
        if *present == names[0] || docker(["tag", present, &names[0]]).text().await.is_ok() {
            return Availability::Ready;
        }
    }
    Availability::Unavailable(format!(
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

fn recipe(implementation: &Implementation, root: &Path) -> Result<Option<Recipe>, String> {
    let source = &implementation.source;
    let Some(dockerfile) = dockerfile(source, root) else { return Ok(None) };
    if source.patch_file.is_some() {
        return Err("its source is to be patched, which this runner does not do yet".to_owned());
    }
    if source.build_context.as_ref().is_some_and(|context| context != Path::new(".")) {
        return Err(
            "its image is built from `buildContext`, which this runner cannot yet".to_owned()
        );
    }
    let target = source.build_target.clone();
    // The stage is part of what an image is made of.
    let with_target = |content: String| match &target {
        Some(target) => content::of_text(&format!("{content} {target}")),
        None => content,
    };
    match source.kind {
        SourceKind::Local => {
            let context = root.join(&source.path);
            if !context.join(&dockerfile).is_file() {
                let missing = context.join(&dockerfile);
                return Err(format!("there is no {} to build it from", missing.display()));
            }
            let content = content::of_folder(&context, &dockerfile)
                .map_err(|error| format!("its sources cannot be read: {error}"))?;
            Ok(Some(Recipe {
                context: context.to_string_lossy().into_owned(),
                dockerfile,
                content: with_target(content),
                target,
            }))
        }
        SourceKind::Github => {
            let (Some(repo), Some(commit)) = (&source.repo, &source.commit) else {
                return Err("its source is on GitHub, and `repo` or `commit` is missing".to_owned());
            };
            let below = source.path.to_string_lossy();
            let below = if below == "." { String::new() } else { format!(":{below}") };
            let context = format!("https://github.com/{repo}.git#{commit}{below}");
            let content = content::of_text(&format!("{context} {}", dockerfile.display()));
            let content = with_target(content);
            Ok(Some(Recipe { context, dockerfile, target, content }))
        }
        SourceKind::Browser => {
            Err("its source is a browser, which this runner does not start".to_owned())
        }
    }
}

async fn build(
    recipe: &Recipe,
    names: &[String],
    anew: bool,
    log: &Path,
) -> Result<bool, client::Error> {
    let Recipe { context, dockerfile, target, content } = recipe;
    let folder = Path::new(context);
    let dockerfile = if folder.is_dir() { folder.join(dockerfile) } else { dockerfile.clone() };
    docker(["build", "--label", &format!("{CONTENT_LABEL}={content}")])
        .args(anew.then_some("--no-cache"))
        .args(["--file".into(), dockerfile.into_os_string()])
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
