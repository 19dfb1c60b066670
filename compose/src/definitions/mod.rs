//! What `impls.yaml` says: implementations, the servers they run on, aliases for filters.
//!
//! Both upstream formats are read, whatever the file is called: the older one, with `servers`, and
//! `images.yaml`, with sources on GitHub and in browsers. Neither gives a key of the other's another
//! meaning, so one reader reads both, and a mixture.

mod check;
mod container;
mod dial_only;
mod expected;
mod keys;
mod known;
mod locate;
mod preselection;
mod read;
mod source;
mod variant;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use harness_sdk::{Muxer, SecureChannel, Transport};
use serde::Deserialize;

pub use container::ContainerOptions;
pub use dial_only::DialOnly;
pub use expected::ExpectedFailure;
pub(crate) use expected::FILE_NAME as EXPECTED_FAILURES;
pub use preselection::Preselection;
pub use read::Error;
pub use source::{Browser, Source, SourceKind};
pub use variant::Variant;

use crate::filter::Aliases;

/// A file of definitions, validated.
#[derive(Clone, Debug, PartialEq)]
pub struct Definitions {
    /// Short names for filter terms.
    pub aliases: Aliases,
    /// Where implementations run; `local` is always one of them.
    pub servers: Vec<Server>,
    /// Every implementation, baselines last, in the file's order.
    pub implementations: Vec<Implementation>,
    /// What is selected where no flag says otherwise.
    pub preselections: Vec<Preselection>,
    /// Tests that are known to fail.
    pub expected: Vec<ExpectedFailure>,
    /// What was read past, one line each, with file and line.
    pub warnings: Vec<String>,
}

/// A machine that implementations run on.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Server {
    /// What implementations call it.
    pub id: String,
    /// Whether it is this machine.
    #[serde(rename = "type", deserialize_with = "known::one")]
    pub kind: ServerKind,
}

/// Where a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerKind {
    /// This machine.
    Local,
    /// Another one, over SSH.
    Remote,
}

/// One implementation under test.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Implementation {
    /// Its name in test names and filters: letters, digits, `.`, `_`, `-`.
    pub id: String,
    /// The [`Server`] it runs on.
    #[serde(default = "local")]
    pub server: String,
    /// Where its sources are.
    #[serde(default)]
    pub source: Source,
    /// What its containers are given beyond what all are.
    #[serde(default)]
    pub docker: ContainerOptions,
    /// How it is built and started without Docker; `None`: the process engine cannot.
    pub process: Option<Process>,
    /// Other builds of it, for some of its transports.
    #[serde(default, deserialize_with = "read::list")]
    pub variants: Vec<Variant>,
    /// Which variant this is, as [`build_name`](Self::build_name) has it; `None`: the implementation itself.
    #[serde(skip)]
    variant: Option<String>,
    /// What it speaks, in the order its cells are listed.
    #[serde(deserialize_with = "known::transports")]
    pub transports: Vec<Transport>,
    /// Secure channels, for transports that do not bring their own.
    #[serde(default, deserialize_with = "known::many")]
    pub secure_channels: Vec<SecureChannel>,
    /// Muxers, for transports that do not bring their own.
    #[serde(default, deserialize_with = "known::many")]
    pub muxers: Vec<Muxer>,
    /// The transports over which it cannot listen.
    #[serde(default)]
    pub dial_only: DialOnly,
    /// Whether it keeps to variables and coordination of before TEST_KEY: they are translated, and its
    /// cells have a Redis of their own.
    #[serde(default)]
    pub legacy: bool,
    /// Whether it takes part without being named.
    #[serde(default = "yes")]
    pub default: bool,
    /// Whether it is measured with itself alone.
    #[serde(default)]
    pub baseline: bool,
    /// Variables that its processes are given besides the contract's.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// How an implementation is built and started as a plain process.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Process {
    /// Makes the node; `None`: it is there already.
    pub build: Option<Words>,
    /// Starts the node in contract mode.
    pub command: Words,
}

impl Process {
    /// What is wrong with it.
    fn problem(&self) -> Option<&'static str> {
        if self.command.0.is_empty() {
            return Some("`process.command` is empty; expected a program");
        }
        let no_build = self.build.as_ref().is_some_and(|build| build.0.is_empty());
        no_build.then_some("`process.build` is empty; expected a program, or no `build` at all")
    }
}

/// A program and its arguments: in YAML a text split at white space, or a list.
///
/// In each word `{target}` stands for the build folder; there is no shell and no other expansion.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "TextOrList")]
pub struct Words(pub Vec<String>);

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a command: a text, or a list of words")]
enum TextOrList {
    Text(String),
    List(Vec<String>),
}

impl From<TextOrList> for Words {
    fn from(raw: TextOrList) -> Self {
        match raw {
            TextOrList::Text(text) => Self(text.split_whitespace().map(str::to_owned).collect()),
            TextOrList::List(words) => Self(words),
        }
    }
}

/// The folder that a definitions file's paths are relative to: the parent of a folder called
/// `impls`, else the file's own.
pub fn root_of(file: &Path) -> PathBuf {
    let folder = file.parent().unwrap_or(Path::new(""));
    match folder.file_name() {
        Some(name) if name == "impls" => folder.parent().unwrap_or(Path::new("")).to_owned(),
        _ => folder.to_owned(),
    }
}

impl Definitions {
    /// The server that `implementation` runs on.
    pub fn server_of(&self, implementation: &Implementation) -> Option<&Server> {
        self.servers.iter().find(|server| server.id == implementation.server)
    }
}

impl Implementation {
    /// A program on its own, as if it were defined: `words` are run in `folder`, and it speaks tcp, noise, yamux.
    pub(crate) fn of_command(words: Vec<String>, folder: &Path) -> Self {
        Self {
            id: words.join(" "),
            server: local(),
            source: Source { path: folder.to_owned(), ..Source::default() },
            docker: ContainerOptions::default(),
            process: Some(Process { build: None, command: Words(words) }),
            variants: Vec::new(),
            variant: None,
            transports: vec![Transport::Tcp],
            secure_channels: vec![SecureChannel::Noise],
            muxers: vec![Muxer::Yamux],
            dial_only: DialOnly::Never,
            legacy: false,
            default: true,
            baseline: false,
            env: BTreeMap::new(),
        }
    }

    /// Whether it is measured with itself alone: it says so, or speaks nothing but what baselines
    /// speak.
    pub fn is_baseline(&self) -> bool {
        use Transport::{Https, Quic, RawNoise, RawQuic, RawTcp, RawTls};
        let kind =
            |transport| matches!(transport, Https | Quic | RawTcp | RawTls | RawNoise | RawQuic);
        let mut transports = self.transports.iter().copied();
        self.baseline || (!self.transports.is_empty() && transports.all(kind))
    }
}

const LOCAL: &str = "local";

fn local() -> String {
    LOCAL.to_owned()
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Definitions, String> {
        Definitions::parse(text, Path::new("impls.yaml")).map_err(|error| error.to_string())
    }

    const ONE: &str = "implementations:\n  - id: a\n    transports: [tcp]\n";

    #[test]
    fn defaults() {
        let definitions = parse(ONE).unwrap();
        let entry = &definitions.implementations[0];
        assert_eq!(
            (entry.server.as_str(), entry.default, entry.is_baseline()),
            ("local", true, false)
        );
        assert_eq!(entry.source.path, Path::new("."));
        assert_eq!(definitions.server_of(entry).unwrap().kind, ServerKind::Local);
        assert_eq!(definitions.warnings, Vec::<String>::new());
    }

    #[test]
    fn the_committed_definitions_are_valid() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../impls/impls.yaml");
        let definitions = Definitions::load(&file).unwrap();
        assert_eq!(definitions.warnings, Vec::<String>::new());
        let rust = definitions.implementations.iter().find(|entry| entry.id == "rust-v0.56");
        let process = rust.unwrap().process.as_ref().unwrap();
        assert_eq!(process.command, Words(vec!["{target}/release/perf-node".to_owned()]));
    }

    #[test]
    fn a_key_with_nothing_under_it_is_an_empty_list() {
        assert!(parse(&format!("servers:\n  # none\ntest-aliases:\n{ONE}")).is_ok());
    }

    #[test]
    fn errors_say_file_line_column_and_what_was_expected() {
        let cases = [
            (
                "implementations:\n  - id: a\n    transports: [tcp, quick-v1]\n",
                "impls.yaml:3:23: implementations[0].transports[1]: unknown transport \"quick-v1\"; did you mean \"quic-v1\"?",
            ),
            (
                "implementations:\n  - id: a\n    transports: [tcp]\n    secureChannels: [nose]\n",
                "unknown secure channel \"nose\"; did you mean \"noise\"?",
            ),
            (
                "implementations:\n  - id: a\n    transports: [tcp]\n    muxers: [spdy]\n",
                "unknown muxer \"spdy\"; it takes one of yamux, mplex",
            ),
            (
                "servers: [{id: x, type: locl}]\nimplementations: []\n",
                "impls.yaml:1:25: servers[0].type: unknown server type \"locl\"; did you mean \"local\"?",
            ),
            (
                "implementations:\n  - transports: [tcp]\n",
                "impls.yaml:2:5: implementations[0]: missing field `id`",
            ),
            (
                "implementations:\n  - id: a\n    transport: [tcp]\n",
                "missing field `transports`; line 3: implementations[0] (a): unknown key \"transport\"; did you mean \"transports\"?",
            ),
            (
                "implementations:\n  - id: [a\n",
                "impls.yaml:2:9: implementations[0].id: invalid type: sequence",
            ),
            ("implementations:\n  - id: 'a\n", "impls.yaml:3:1: found unexpected end of stream"),
            ("implementations: 7\n", "expected a sequence"),
            ("", "impls.yaml: there is nothing to test"),
            ("implementations:\n", "there is nothing to test"),
        ];
        for (text, expected) in cases {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}\n  gave     {error}\n  expected {expected}");
        }
    }

    #[test]
    fn what_is_well_formed_may_have_no_meaning() {
        let cases = [
            (
                "- {id: a, transports: [tcp]}\n- {id: a, transports: [tcp]}",
                "\"a\" is defined twice",
            ),
            (
                "- {id: a, transports: [tcp]}\ntest-aliases: [{alias: x, value: a}, {alias: x, value: b}]",
                "alias \"x\" is defined twice",
            ),
            (
                "- {id: '', transports: [tcp]}",
                "impls.yaml:2:4: implementations[0] (): an id is made of",
            ),
            ("- {id: a b, transports: [tcp]}", "an id is made of"),
            ("- {id: a, transports: []}", "`transports` is empty"),
            ("- {id: a, transports: [tcp, tcp]}", "\"tcp\" is listed twice"),
            (
                "- {id: a, transports: [tcp], server: locals}",
                "impls.yaml:2:30: implementations[0] (a): unknown server \"locals\"; did you mean \"local\"?",
            ),
            (
                "- {id: a, transports: [tcp]}\nbaselines:\n- id: b\n  transports: [tcp]\n  source: {type: github, repo: x/y}",
                "impls.yaml:6:12: baselines[0] (b): such a source needs `commit`",
            ),
            (
                "- {id: js, transports: [ws]}\n- id: b\n  transports: [ws]\n  source: {type: browser, browser: firefox, baseImage: jss}",
                "impls.yaml:5:45: implementations[1] (b): unknown base image \"jss\"; did you mean \"js\"?",
            ),
            (
                "- {id: a, transports: [ws], source: {patchPath: x}}",
                "a patch needs `patchFile` as well",
            ),
            (
                "- {id: a, transports: [ws], source: {patchPath: x, patchFile: ../y}}",
                "\"../y\" is a path; expected a file's name",
            ),
            ("- {id: a, transports: [ws], source: {type: git}}", "unknown source type \"git\""),
            ("- {id: a, transports: [ws], dialOnly: [wz]}", "unknown transport \"wz\""),
            (
                "- {id: a, transports: [ws], dialOnly: ws}",
                "expected true, false, a list of transports, or",
            ),
            ("- {id: a, transports: [ws], dialOnly: {ws: ' '}}", "a reason is empty; say why"),
            ("- {id: a, transports: [tcp], process: {command: ' '}}", "`process.command` is empty"),
            (
                "- {id: a, transports: [tcp], process: {build: [], command: x}}",
                "`process.build` is empty",
            ),
        ];
        for (entries, expected) in cases {
            let error = parse(&format!("implementations:\n{entries}\n")).unwrap_err();
            assert!(error.contains(expected), "{entries}: {error}");
        }
    }

    #[test]
    fn unknown_keys_are_read_past_with_a_warning() {
        let text = "version: 2\nimplementations:\n  - {id: a, transports: [tcp], muxer: [yamux], source: {comit: x}}\n";
        assert_eq!(
            parse(text).unwrap().warnings,
            [
                "impls.yaml:1: unknown key \"version\"; it takes one of test-aliases, servers, implementations, baselines",
                "impls.yaml:3: implementations[0] (a): unknown key \"muxer\"; did you mean \"muxers\"?",
                "impls.yaml:3: implementations[0] (a).source: unknown key \"comit\"; did you mean \"commit\"?",
            ]
        );
    }

    #[test]
    fn half_a_stack_is_warned_of() {
        let warnings = |lists: &str| {
            let text =
                format!("implementations:\n  - {{id: a, transports: [quic-v1, tcp], {lists}}}\n");
            parse(&text).unwrap().warnings
        };
        let expected = "impls.yaml:2: implementations[0] (a): it speaks tcp and has muxers, but no secureChannels: there will be no test of it over tcp";
        assert_eq!(warnings("muxers: [yamux]"), [expected]);
        assert!(warnings("secureChannels: [tls], muxers: []")[0].contains("but no muxers"));
        assert_eq!(warnings("secureChannels: [tls], muxers: [yamux]"), [""; 0]);
        assert_eq!(warnings("secureChannels: []"), [""; 0], "one test a transport");
    }

    #[test]
    fn the_newer_format_has_sources_of_three_kinds() {
        let text = "implementations:
  - {id: js, transports: [ws, wss], dialOnly: [wss, ws], legacy: true}
  - id: chromium
    transports: [webtransport]
    dialOnly: true
    source: {type: browser, browser: chromium, baseImage: js, dockerfile: B, buildContext: c}
  - id: py
    transports: [tcp]
    source: {type: github, repo: o/py, commit: 0e12, requiresSubmodules: true, patchPath: p, patchFile: f}
";
        let all = parse(text).unwrap().implementations;
        assert_eq!(all[0].transports, [Transport::Ws]);
        assert!(all[0].dial_only.covers(Transport::Ws) && all[0].legacy);
        assert_eq!(
            (all[1].source.kind, all[1].source.browser),
            (SourceKind::Browser, Some(Browser::Chromium))
        );
        assert_eq!(all[1].dial_only, DialOnly::Always);
        assert_eq!(all[2].source.commit.as_deref(), Some("0e12"));
        assert!(all[2].source.requires_submodules);
    }

    #[test]
    fn baselines_come_last_and_know_it() {
        let text = format!(
            "baselines: [{{id: b, transports: [tcp]}}]\n{ONE}  - {{id: c, transports: [https]}}\n"
        );
        let definitions = parse(&text).unwrap();
        let all: Vec<_> = definitions
            .implementations
            .iter()
            .map(|entry| (entry.id.as_str(), entry.is_baseline()))
            .collect();
        assert_eq!(all, [("a", false), ("c", true), ("b", true)]);
    }

    #[test]
    fn words_are_split_at_white_space_or_given() {
        let text = "implementations:\n  - {id: a, transports: [tcp], process: {build: [sh, -c, 'a b'], command: ' x  y '}}\n";
        let process = parse(text).unwrap().implementations.remove(0).process.unwrap();
        assert_eq!(process.build.unwrap().0, ["sh", "-c", "a b"]);
        assert_eq!(process.command.0, ["x", "y"]);
    }

    #[test]
    fn paths_are_relative_to_the_folder_above_impls() {
        for (file, root) in
            [("r/impls/impls.yaml", "r"), ("impls/x.yaml", ""), ("r/my.yaml", "r"), ("x.yaml", "")]
        {
            assert_eq!(root_of(Path::new(file)), Path::new(root), "{file}");
        }
    }
}
