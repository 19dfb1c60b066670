//! The programs that implementations are built and run with: are they here, of which version, and
//! how does one get them.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::definitions::Implementation;
use crate::results::Git;

/// A program that does not tell its version by now does not tell.
const PATIENCE: Duration = Duration::from_secs(10);

/// A program that is known by name.
struct Tool {
    name: &'static str,
    /// Asks it for its version.
    version: &'static [&'static str],
    install: &'static str,
}

const TOOLS: &[Tool] = &[
    tool("cargo", &["cargo", "--version"], "install Rust (https://rustup.rs)"),
    tool("rustc", &["rustc", "--version"], "install Rust (https://rustup.rs)"),
    tool("go", &["go", "version"], "install Go (https://go.dev/dl)"),
    tool("node", &["node", "--version"], "install Node.js (https://nodejs.org)"),
    tool("npm", &["npm", "--version"], "install Node.js (https://nodejs.org)"),
    tool("iperf3", &["iperf3", "--version"], "install the package iperf3"),
    tool("git", &["git", "--version"], "install the package git"),
    tool(
        "docker",
        &["docker", "version", "--format", "{{.Server.Version}}"],
        "install Docker Engine (https://docs.docker.com/engine/install), start it, and let this user use it",
    ),
    tool(
        "docker compose",
        &["docker", "compose", "version", "--short"],
        "install the Docker Compose plugin (https://docs.docker.com/compose/install)",
    ),
];

const fn tool(name: &'static str, version: &'static [&'static str], install: &'static str) -> Tool {
    Tool { name, version, install }
}

fn known(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

/// What to do about a program that is not there.
pub(crate) fn how_to_install(program: &str) -> &'static str {
    known(program).map_or("install it, or correct `process` in its definition", |tool| tool.install)
}

/// The programs that `implementation` is built and started with, by name; those it brings itself are
/// paths, and left out.
pub(crate) fn tools_of(implementation: &Implementation) -> Vec<&str> {
    let Some(process) = &implementation.process else { return Vec::new() };
    let words = process.build.iter().chain([&process.command]);
    let programs = words.filter_map(|words| words.0.first()).map(String::as_str);
    let mut names: Vec<&str> = Vec::new();
    for program in programs.filter(|program| !program.contains(['/', '{'])) {
        let with: &[&str] = match program {
            "cargo" => &["cargo", "rustc"],
            "npm" => &["npm", "node"],
            _ => &[],
        };
        let all = std::iter::once(program).chain(with.iter().copied());
        for name in all {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// Why `implementation` cannot be built or started here, and what to do: a program that it takes is not
/// there.
pub(crate) fn missing_tool(implementation: &Implementation) -> Option<String> {
    let path =
        implementation.env.get("PATH").map(OsString::from).or_else(|| std::env::var_os("PATH"));
    let path = path.unwrap_or_default();
    let missing =
        tools_of(implementation).into_iter().find(|name| in_path(name, &path).is_none())?;
    Some(format!("{missing} is not on this machine; {}", how_to_install(missing)))
}

/// What is known of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// It works, and says this of its version.
    Version(String),
    /// It is there; nobody knows how to ask it for its version.
    There,
    /// It cannot be used: why.
    Missing(String),
}

/// Looks for the program `name`, as it is found from `folder`.
pub(crate) async fn find(name: &str, folder: &Path) -> Found {
    let tool = known(name);
    let program = tool.map_or(name, |tool| tool.version[0]);
    if in_path(program, &std::env::var_os("PATH").unwrap_or_default()).is_none() {
        return Found::Missing("not in PATH".to_owned());
    }
    let Some(tool) = tool else { return Found::There };
    match output(tool.version, folder).await {
        Ok(text) => Found::Version(first_line(&text)),
        Err(reason) => Found::Missing(reason),
    }
}

/// The state of the repository that `folder` is in; `None`: it is in none, or there is no git.
pub(crate) async fn git(folder: &Path) -> Option<Git> {
    let commit = output(&["git", "rev-parse", "HEAD"], folder).await.ok()?;
    let changes = output(&["git", "status", "--porcelain"], folder).await.ok()?;
    Some(Git { commit: first_line(&commit), dirty: !changes.trim().is_empty() })
}

/// The files of the repository that `folder` is in, below it and relative to it: known to it, or new and
/// not ignored; `None`: it is in none, or there is no git.
pub(crate) async fn listed_files(folder: &Path) -> Option<Vec<PathBuf>> {
    let list = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let text = output(&list, folder).await.ok()?;
    Some(text.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect())
}

/// The program's stdout where it ends well, else what it says of the failure.
async fn output(words: &[&str], folder: &Path) -> Result<String, String> {
    let (program, arguments) = words.split_first().ok_or("nothing to run")?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await;
    let output = output.map_err(|_| format!("no answer within {} s", PATIENCE.as_secs()))?;
    let output = output.map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(first_line(&String::from_utf8_lossy(&output.stderr))),
    }
}

fn first_line(text: &str) -> String {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

fn in_path(program: &str, path: &OsStr) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let mut candidates = std::env::split_paths(path).map(|folder| folder.join(program));
    candidates.find(|file| {
        file.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::Definitions;

    #[test]
    fn tools_come_from_the_definitions() {
        let cases = [
            ("{build: 'cargo build', command: '{target}/x'}", vec!["cargo", "rustc"]),
            ("{build: 'npm ci', command: 'node x.mjs'}", vec!["npm", "node"]),
            ("{build: 'go build', command: bin/x}", vec!["go"]),
            ("{command: ./x}", vec![]),
        ];
        for (process, tools) in cases {
            let text =
                format!("implementations: [{{id: a, transports: [tcp], process: {process}}}]");
            let definitions = Definitions::parse(&text, Path::new("x")).unwrap();
            assert_eq!(tools_of(&definitions.implementations[0]), tools, "{process}");
        }
    }

    #[tokio::test]
    async fn what_is_there_and_what_is_not() {
        let here = Path::new(".");
        assert!(matches!(find("cargo", here).await, Found::Version(v) if v.starts_with("cargo ")));
        assert_eq!(find("sh", here).await, Found::There);
        assert_eq!(find("no-such-tool", here).await, Found::Missing("not in PATH".to_owned()));
        assert_eq!(
            output(&["sh", "-c", "echo; echo no >&2; exit 1"], here).await,
            Err("no".into())
        );
    }
}
