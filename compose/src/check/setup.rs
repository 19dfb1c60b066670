//! From the user's words to a node that can be started, a place where nodes meet, and a peer.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use harness_sdk::{Shutdown, Stack};
use tempfile::TempDir;

use super::bench::Bench;
use super::place::Place;
use super::probe::Probe;
use super::subject::{Subject, Wire, stacks};
use super::{CheckOptions, Error, StackWords, SubjectName, unless_interrupted};
use crate::definitions::{Definitions, Implementation, root_of};
use crate::engine::{Availability, DockerEngine, Engine, ProcessEngine};
use crate::lock::RunLock;
use crate::matrix;
use crate::options::EngineName;
use crate::suggestion;

/// The implementation whose node has the peers.
const PROBE: &str = "rust-v0.56";

/// Everything a check needs.
#[derive(Debug)]
pub(super) struct Setup {
    /// What the report calls the node.
    pub(super) name: String,
    pub(super) stacks: Vec<Stack>,
    subject: Subject,
    place: Place,
    probe: Option<Probe>,
    logs: Logs,
    /// Tells who comes upon its containers that it lives.
    _lock: (RunLock, TempDir),
}

/// Where processes' words go.
#[derive(Debug)]
enum Logs {
    Kept(PathBuf),
    /// Gone with the check.
    Dropped(TempDir),
}

impl Logs {
    fn new(kept: Option<&PathBuf>) -> Result<Self, Error> {
        Ok(match kept {
            Some(folder) => {
                std::fs::create_dir_all(folder)?;
                Self::Kept(folder.clone())
            }
            None => Self::Dropped(tempfile::tempdir()?),
        })
    }

    fn folder(&self) -> &Path {
        match self {
            Self::Kept(folder) => folder,
            Self::Dropped(folder) => folder.path(),
        }
    }
}

/// What is to be started.
enum Found {
    Process(Implementation),
    /// The name of an image; `None`: one that is to be built.
    Image(Implementation, Option<String>),
}

impl Setup {
    /// Leaves nothing behind where `interrupt` or an error ends it.
    pub(super) async fn make(
        options: &CheckOptions,
        interrupt: &mut Shutdown,
    ) -> Result<Self, Error> {
        let definitions = options.definitions.as_deref().map(Definitions::load).transpose()?;
        let logs = Logs::new(options.logs.as_ref())?;
        let home = tempfile::tempdir()?;
        let lock = RunLock::take(home.path())?;
        let found = find(options, definitions.as_ref()).await?;
        let (Found::Process(implementation) | Found::Image(implementation, _)) = &found;
        let stacks = stacks(implementation);
        if stacks.is_empty() {
            let id = &implementation.id;
            return Err(Error::Subject(format!(
                "{id} declares no stack: tcp and ws need --secure-channels and --muxers"
            )));
        }
        let name = implementation.id.clone();
        let root = options.definitions.as_deref().map_or(options.current_dir.clone(), root_of);
        let engine = ProcessEngine::start(root.clone(), root.join("target")).await?;
        let probe = match stacks.iter().any(|stack| Wire::of(stack.transport) == Wire::Spoken) {
            true => {
                let probe = probe(options, definitions.as_ref(), &engine, logs.folder());
                Some(unless_interrupted(interrupt, probe).await?)
            }
            false => None,
        };
        let (subject, place) = match found {
            Found::Process(implementation) => {
                let built = ready(&engine, &implementation, logs.folder());
                unless_interrupted(interrupt, built).await?;
                let place = Place::new(engine.redis(), IpAddr::V4(Ipv4Addr::LOCALHOST)).await?;
                (Subject::process(implementation, engine), place)
            }
            Found::Image(implementation, image) => {
                let docker = DockerEngine::start(root, options.cache.folder()?).await?;
                container(docker, implementation, image, logs.folder(), &lock, interrupt).await?
            }
        };
        Ok(Self { name, stacks, subject, place, probe, logs, _lock: (lock, home) })
    }

    pub(super) fn bench<'a>(&'a self, stack: Stack, counter: &'a AtomicU64) -> Bench<'a> {
        Bench {
            subject: &self.subject,
            place: &self.place,
            probe: self.probe.as_ref(),
            stack,
            logs: self.logs.folder(),
            counter,
        }
    }

    pub(super) async fn close(self) -> Result<(), Error> {
        self.subject.close().await
    }
}

/// Makes an image ready, and finds out where its containers meet.
async fn container(
    mut docker: DockerEngine,
    implementation: Implementation,
    image: Option<String>,
    logs: &Path,
    lock: &RunLock,
    interrupt: &mut Shutdown,
) -> Result<(Subject, Place), Error> {
    let prepared = async {
        docker.begin(lock.path()).await?;
        if image.is_none() {
            ready(&docker, &implementation, logs).await?;
        }
        let (redis, gateway) = docker.addresses().await?;
        Place::new(redis, gateway).await
    };
    match unless_interrupted(interrupt, prepared).await {
        Ok(place) => Ok((Subject::container(implementation, docker, image), place)),
        Err(error) => {
            docker.clean_up().await?;
            Err(error)
        }
    }
}

/// What is built of an implementation for the stacks that it is held against.
fn builds(implementation: &Implementation) -> Vec<&Implementation> {
    let stacks = stacks(implementation).into_iter();
    matrix::each_build(stacks.map(|stack| implementation.over(stack.transport)))
}

/// Builds an implementation where it has to be.
async fn ready(
    engine: &impl Engine,
    implementation: &Implementation,
    logs: &Path,
) -> Result<(), Error> {
    let id = &implementation.id;
    eprintln!("making {id} ready ({})", engine.name());
    for build in builds(implementation) {
        let log = logs.join(format!("{}-build.log", build.build_name()));
        if let Availability::Unavailable(reason) = engine.prepare(build, &log).await? {
            return Err(Error::Unavailable(format!("{}: {reason}", build.build_name())));
        }
    }
    Ok(())
}

/// perf-node, as given or as the definitions say.
async fn probe(
    options: &CheckOptions,
    definitions: Option<&Definitions>,
    engine: &ProcessEngine,
    logs: &Path,
) -> Result<Probe, Error> {
    if let Some(path) = &options.probe {
        let path = options.current_dir.join(path);
        if !path.is_file() {
            return Err(Error::Unavailable(format!("--probe: there is no {}", path.display())));
        }
        return Ok(Probe { words: vec![path.into()], folder: options.current_dir.clone() });
    }
    let known = definitions.into_iter().flat_map(|all| &all.implementations);
    let implementation = known.clone().find(|one| one.id == PROBE).ok_or_else(|| {
        Error::Unavailable(format!(
            "wire rules need perf-node as a peer, and no definitions say how to start {PROBE}; \
             name the program with --probe PATH, or the definitions with --impls FILE"
        ))
    })?;
    ready(engine, implementation, logs).await?;
    let command = engine.node(implementation);
    let command = command.ok_or_else(|| Error::Unavailable(format!("{PROBE} has no command")))?;
    let command = command.as_std();
    let words: Vec<OsString> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(ToOwned::to_owned)
        .collect();
    let folder = command.get_current_dir().unwrap_or(&options.current_dir).to_owned();
    Ok(Probe { words, folder })
}

/// What the user means, with the stacks that are asked for in place of those declared.
async fn find(options: &CheckOptions, definitions: Option<&Definitions>) -> Result<Found, Error> {
    let known = definitions.map_or(&[][..], |all| &all.implementations);
    let folder = &options.current_dir;
    let name = match &options.subject {
        SubjectName::Command(_) if options.engine == EngineName::Docker => {
            let problem =
                "a command is started as a process: leave out --engine docker, or name an image";
            return Err(Error::Subject(problem.to_owned()));
        }
        SubjectName::Command(words) => {
            return Ok(Found::Process(bare(words.clone(), folder, &options.stacks)));
        }
        SubjectName::Named(name) => name,
    };
    if let Some(implementation) = known.iter().find(|one| one.id == *name) {
        let implementation = with_stacks(implementation.clone(), &options.stacks);
        return Ok(match options.engine {
            EngineName::Process => Found::Process(implementation),
            EngineName::Docker => Found::Image(implementation, None),
        });
    }
    if name.contains('/') && folder.join(name).is_file() {
        return Ok(Found::Process(bare(vec![name.clone()], folder, &options.stacks)));
    }
    if DockerEngine::has_image(name).await {
        let mut implementation = bare(vec![name.clone()], folder, &options.stacks);
        implementation.process = None;
        return Ok(Found::Image(implementation, Some(name.clone())));
    }
    let hint = suggestion::nearest(name, known.iter().map(|one| one.id.as_str()));
    let hint = hint.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
    Err(Error::Subject(format!(
        "\"{name}\" is no implementation of the definitions, no program's path and no image of this machine{hint} \
         (`--list-impls` shows the first; a command with arguments stands behind `--`)"
    )))
}

fn bare(words: Vec<String>, folder: &Path, stacks: &StackWords) -> Implementation {
    with_stacks(Implementation::of_command(words, folder), stacks)
}

fn with_stacks(mut implementation: Implementation, words: &StackWords) -> Implementation {
    let StackWords { transports, secure_channels, muxers } = words;
    if !transports.is_empty() {
        implementation.transports.clone_from(transports);
    }
    if !secure_channels.is_empty() {
        implementation.secure_channels.clone_from(secure_channels);
    }
    if !muxers.is_empty() {
        implementation.muxers.clone_from(muxers);
    }
    implementation
}

#[cfg(test)]
mod tests {
    use harness_sdk::{Muxer, Transport};

    use super::*;

    #[test]
    fn a_bare_command_speaks_what_is_said_or_the_usual() {
        let shown = |words: &StackWords| -> Vec<String> {
            let implementation = bare(vec!["./node".to_owned()], Path::new("/"), words);
            stacks(&implementation).iter().map(Stack::to_string).collect()
        };
        assert_eq!(shown(&StackWords::default()), ["tcp, noise, yamux"]);
        let words = StackWords {
            transports: vec![Transport::Tcp, Transport::QuicV1],
            muxers: vec![Muxer::Mplex],
            ..StackWords::default()
        };
        assert_eq!(shown(&words), ["tcp, noise, mplex", "quic-v1"]);
    }
}
