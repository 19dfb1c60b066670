//! The command line: from arguments and environment to one configuration.

mod dial;
mod doctor;
mod listen;
mod probe;
mod tool;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use harness_sdk::config::{self, Config, Invalid, Role, Settings};
use harness_sdk::{Class, Failure, Format, Node, Outcome, Phase, Transport, exit};
use libp2p::Multiaddr;

use self::dial::{DialFlags, dial};
use self::doctor::DoctorFlags;
pub use self::doctor::DoctorFormat;
use self::listen::{ListenFlags, listen};
use self::probe::{ProbeFlags, probe};
pub use self::tool::Tool;
use crate::baselines;
use crate::cipher::{Cipher, PERF_CIPHER};
use crate::limits::Limits;
use crate::node::PerfNode;
use crate::probe::client::Conduct;
use crate::probe::server::Rule;
use crate::stacks;

/// What the process was asked to do.
#[derive(Debug)]
pub enum Invocation {
    /// As a node of the test matrix, told by the environment.
    Contract(Config),
    /// `perf-node listen`.
    Listen {
        /// What to bind.
        config: Config,
        /// Who is served, and how much.
        limits: Limits,
    },
    /// `perf-node dial`.
    Dial {
        /// What to measure.
        config: Config,
        /// The listener's multiaddr.
        address: String,
        /// How to print it.
        format: Format,
    },
    /// `perf-node probe server`.
    ProbeServer {
        /// The stack.
        config: Config,
        /// The multiaddr of the node under test.
        address: String,
        /// What it is held against.
        rules: Vec<&'static Rule>,
        /// What it was told as PERF_STALL_SECS, where that is known.
        stall: Option<Duration>,
    },
    /// `perf-node probe client`.
    ProbeClient {
        /// The stack, and what to bind.
        config: Config,
        /// How dialers are served.
        conduct: Conduct,
    },
    /// What needs no peer.
    Tool(Tool),
}

impl Invocation {
    /// How a document is printed.
    pub fn format(&self) -> Format {
        match self {
            Self::Dial { format, .. } => *format,
            _ => Format::Yaml,
        }
    }
}

/// Why there is nothing to do.
#[derive(Debug)]
pub enum Refused {
    /// clap's own: a bad argument, or `--help` and `--version`.
    Arguments(clap::Error),
    /// A setting.
    Setting {
        /// In this role, where it could be told.
        role: Option<Role>,
        /// How a document that says so is printed.
        format: Format,
        /// Which one, and why.
        invalid: Invalid,
    },
}

impl Refused {
    /// Where nothing says how to print, or nothing is printed.
    fn setting(role: Option<Role>, invalid: Invalid) -> Self {
        Self::Setting { role, format: Format::Yaml, invalid }
    }
}

const EXAMPLES: &str = "\
Examples:
  perf-node listen                                  on one machine: prints its address, and
  perf-node dial /ip4/192.0.2.7/tcp/4001/p2p/12D3…  what to type on the other
  perf-node listen --transport quic-v1 --port 4001
  perf-node dial ADDRESS --upload-bytes 100M --upload-iterations 5 --latency-iterations 1000
  perf-node dial ADDRESS --duration 10 --omit 1 --upload-iterations 1 --download-iterations 1
  perf-node dial ADDRESS --streams 4 --bidirectional --format json
  perf-node dial ADDRESS --latency-under-load download --latency-iterations 10000
  perf-node dial ADDRESS --handshakes 1000
  perf-node listen --max-rate 10M --max-bytes 1G    for a listener that stands open
  perf-node doctor                                  what of this machine is worth changing?
  perf-node probe server ADDRESS                    does whoever listens there keep to the protocol?

In a test matrix: without a subcommand, and with IS_DIALER=true or false in the environment, the
node follows the contract of docs/contract.md: it meets its peer through Redis and prints one YAML
document. Every flag has its variable there.

Exit status: 0 everything was measured; 1 a bug here; 2 a bad flag or variable; 3 the environment
(Redis, a port in use); 4 could not connect; 5 a transfer broke; 127 a stack that this node does
not speak; 130 interrupted. The last line on stderr says which and why.";

#[derive(Debug, Parser)]
#[command(
    name = "perf-node",
    version,
    about = "Measures libp2p's perf protocol for real: throughput and latency, counted to the byte",
    after_help = EXAMPLES,
    max_term_width = 100
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer dialers until a signal; prints one dialable address a line
    #[command(max_term_width = 100)]
    Listen(ListenFlags),
    /// Connect to a listener's address, measure, and print the document
    #[command(max_term_width = 100)]
    Dial(DialFlags),
    /// Hold another node against the protocol: well- and ill-behaved peers
    #[command(max_term_width = 100)]
    Probe(ProbeFlags),
    /// Look at what of this machine limits or blurs a measurement, and say what changes it
    #[command(max_term_width = 100)]
    Doctor(DoctorFlags),
    /// Print the JSON Schema of the document that `dial` prints
    Schema,
    /// Print a shell's completions
    #[command(hide = true)]
    Completions {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
    /// Write man pages: one for the command, and one for each subcommand
    #[command(hide = true)]
    Man {
        /// Where to
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DocumentFormat {
    Yaml,
    Json,
}

impl From<DocumentFormat> for Format {
    fn from(format: DocumentFormat) -> Self {
        match format {
            DocumentFormat::Yaml => Self::Yaml,
            DocumentFormat::Json => Self::Json,
        }
    }
}

#[derive(Debug, Args)]
struct StackFlags {
    /// tcp, ws, quic-v1 or webtransport; or a baseline without libp2p: raw-tcp, raw-tls, raw-noise or
    /// raw-quic [default: what the address says, else tcp]
    #[arg(long, value_name = "NAME")]
    transport: Option<String>,
    /// noise or tls, with tcp and ws [default: noise]
    #[arg(long, value_name = "NAME")]
    secure_channel: Option<String>,
    /// yamux or mplex, with tcp and ws [default: yamux]
    #[arg(long, value_name = "NAME")]
    muxer: Option<String>,
    /// stock: rust-libp2p as shipped [default: stock]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Say more on stderr
    #[arg(long)]
    debug: bool,
}

#[derive(Debug, Args)]
struct NodeFlags {
    #[command(flatten)]
    stack: StackFlags,
    /// Key file of the node's identity, made where absent [default: a fresh identity]
    #[arg(long, value_name = "FILE")]
    identity: Option<String>,
    /// A stream that should move and has not for this long is a failure of it [default: 30]
    #[arg(long, value_name = "SECONDS")]
    stall_secs: Option<String>,
    /// aes-128-gcm, aes-256-gcm or chacha20-poly1305, with raw-tls, raw-quic and webtransport [default: a raw
    /// dialer offers aes-128-gcm, one of webtransport that first; a listener accepts them all]
    #[arg(long, value_name = "NAME")]
    cipher: Option<String>,
}

/// What `arguments` and the variables in `environment` ask for.
///
/// `node` takes what they say of variables of its own.
pub fn invocation(
    arguments: impl IntoIterator<Item = OsString>,
    environment: Settings,
    node: &mut PerfNode,
) -> Result<Invocation, Refused> {
    let arguments = Arguments::try_parse_from(arguments).map_err(Refused::Arguments)?;
    match arguments.command {
        Some(Command::Listen(flags)) => listen(flags, environment, node),
        Some(Command::Dial(flags)) => dial(flags, environment, node),
        Some(Command::Probe(flags)) => probe(flags, environment),
        Some(Command::Doctor(flags)) => Ok(Invocation::Tool(Tool::Doctor(flags.format))),
        Some(Command::Schema) => Ok(Invocation::Tool(Tool::Schema)),
        Some(Command::Completions { shell }) => Ok(Invocation::Tool(Tool::Completions(shell))),
        Some(Command::Man { folder }) => Ok(Invocation::Tool(Tool::ManPages(folder))),
        None if environment.get(&config::IS_DIALER).is_none() => {
            let told = "no subcommand, and IS_DIALER is not set: nothing says what to do";
            Err(Refused::Arguments(Arguments::command().error(ErrorKind::MissingSubcommand, told)))
        }
        None => {
            let role = environment.role();
            Config::from_contract(&environment)
                .and_then(|config| configured(node, &environment, config))
                .map(Invocation::Contract)
                .map_err(|invalid| Refused::setting(role, invalid))
        }
    }
}

/// `config`, once `node` has taken what `settings` say beside it.
fn configured(node: &mut PerfNode, settings: &Settings, config: Config) -> Result<Config, Invalid> {
    node.configure(settings)?;
    let transport = config.stack.transport;
    match node.cipher {
        Some(cipher) if !Cipher::applies_to(transport) => Err(Invalid::Combination(format!(
            "PERF_CIPHER: \"{cipher}\" means nothing to {transport}; it is for raw-tls, raw-quic and webtransport"
        ))),
        _ => Ok(config),
    }
}

/// The same by hand, of `role`. An identity that nobody would be shown is refused here alone: a test matrix may give
/// all of its nodes one.
fn configured_by_hand(
    role: Role,
    node: &mut PerfNode,
    settings: &Settings,
) -> Result<Config, Invalid> {
    let config = Config::by_hand(role, settings.clone())?;
    let transport = config.stack.transport;
    let nameless = baselines::is_raw(transport) && transport != Transport::RawNoise;
    if config.identity.is_some() && nameless {
        return Err(Invalid::Combination(format!(
            "--identity, or PERF_IDENTITY: {transport} shows nobody who a node is, as of the baselines raw-noise alone does; leave it out"
        )));
    }
    configured(node, settings, config)
}

/// Prints what clap has to say: on stdout with status 0 where it was asked for, else on stderr with
/// the last line and the status of a usage failure.
pub fn explain(error: &clap::Error) -> ExitCode {
    // Where nobody can read it, the status is what remains.
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    // One line of what clap says before it comes to tips and usage.
    let told: Vec<_> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    let told = told.join(" ");
    let message = told.strip_prefix("error: ").unwrap_or(&told);
    let failure = Failure::new(Class::Usage, Phase::Configuration, message);
    exit(&Outcome::from_result(Err(failure)), Format::Yaml)
}

/// The transport to dial with: what the address says; a flag may say the same, or what the address
/// leaves open.
fn transport(address: &str, flag: Option<&str>) -> Result<Option<String>, Invalid> {
    let parsed: Multiaddr = address.parse().map_err(|error| {
        Invalid::Combination(format!(
            "\"{address}\" is not a multiaddr ({error}); it looks like /ip4/192.0.2.7/tcp/4001/p2p/12D3…"
        ))
    })?;
    let said = stacks::transport_of(&parsed);
    if let Some(raw) = flag.and_then(|flag| flag.parse().ok()).filter(|t| baselines::is_raw(*t)) {
        return match baselines::suits(raw, &parsed) {
            true => Ok(Some(raw.as_str().to_owned())),
            false => Err(Invalid::Combination(format!(
                "--transport: \"{raw}\" does not dial {address}; its addresses look like {}",
                baselines::example(raw)
            ))),
        };
    }
    match (said, flag) {
        (Some(said), Some(flag)) if flag != said.as_str() => Err(Invalid::Combination(format!(
            "--transport: \"{flag}\" is not what {address} says, which is {said}; leave it out"
        ))),
        (Some(said), _) => Ok(Some(said.as_str().to_owned())),
        (None, Some(flag)) => Ok(Some(flag.to_owned())),
        (None, None) => Err(Invalid::Combination(format!(
            "{address} does not say which transport to dial with; give --transport (a listener \
             prints it on stderr)"
        ))),
    }
}

fn with_stack(settings: Settings, flags: &StackFlags) -> Settings {
    settings
        .with_flag(&config::TRANSPORT, flags.transport.clone())
        .with_flag(&config::SECURE_CHANNEL, flags.secure_channel.clone())
        .with_flag(&config::MUXER, flags.muxer.clone())
        .with_flag(&config::PERF_PROFILE, flags.profile.clone())
        .with_flag(&config::DEBUG, flags.debug.then(|| "true".to_owned()))
}

fn with_node(settings: Settings, flags: &NodeFlags) -> Settings {
    with_stack(settings, &flags.stack)
        .with_flag(&config::PERF_IDENTITY, flags.identity.clone())
        .with_flag(&config::PERF_STALL_SECS, flags.stall_secs.clone())
        .with_flag(&PERF_CIPHER, flags.cipher.clone())
}

#[cfg(test)]
mod tests {
    use harness_sdk::plan::Amount;

    use super::*;
    use crate::limits;

    fn parse(line: &str, environment: &[(&str, &str)]) -> Result<Invocation, Refused> {
        let lookup = |name: &str| {
            let found = environment.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let node = &mut PerfNode::default();
        invocation(line.split(' ').map(OsString::from), Settings::from_lookup(lookup), node)
    }

    const TCP: &str = "/ip4/127.0.0.1/tcp/1";
    const QUIC: &str = "/ip4/127.0.0.1/udp/1/quic-v1";

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_flag_is_named_after_its_variable() {
        let command = Arguments::command();
        let flags: Vec<_> = command
            .get_subcommands()
            .flat_map(|sub| sub.get_arguments().filter_map(|arg| arg.get_long()))
            .collect();
        // Redis is not met by hand.
        let by_hand = config::VARIABLES
            .iter()
            .filter(|v| !matches!(v.name, "IS_DIALER" | "REDIS_ADDR" | "TEST_KEY"));
        let flags_alone = config::by_hand::FLAGS.iter().chain(limits::FLAGS);
        for variable in by_hand.chain(flags_alone) {
            assert!(flags.contains(&variable.flag), "{} has no flag", variable.name);
        }
    }

    #[test]
    fn every_flag_that_has_no_variable_is_documented() {
        let documented = include_str!("../../docs/by-hand.md");
        for flag in config::by_hand::FLAGS.iter().chain(limits::FLAGS) {
            assert!(documented.contains(&format!("`{}", flag.name)), "{}", flag.name);
        }
        assert!(documented.contains("`--allow-peer"));
    }

    #[test]
    fn an_address_says_its_transport() {
        for (address, stack) in [(TCP, "tcp, noise, yamux"), (QUIC, "quic-v1")] {
            let Ok(Invocation::Dial { config, .. }) =
                parse(&format!("perf-node dial {address}"), &[])
            else {
                panic!("{address}")
            };
            assert_eq!(config.stack.to_string(), stack);
        }
    }

    #[test]
    fn a_transport_flag_may_not_contradict_the_address() {
        let line = format!("perf-node dial {QUIC} --transport tcp");
        let Err(Refused::Setting { role: Some(Role::Dialer), invalid, .. }) = parse(&line, &[])
        else {
            panic!("accepted")
        };
        assert!(invalid.to_string().contains("which is quic-v1"), "{invalid}");
    }

    #[test]
    fn a_baseline_is_dialed_where_its_name_is_given_and_the_address_is_one_of_its_own() {
        for (address, transport) in [
            (TCP, "raw-tcp"),
            ("/dns4/host/tcp/1/tls", "raw-tls"),
            ("/ip4/127.0.0.1/tcp/1/noise", "raw-noise"),
            ("/ip4/127.0.0.1/udp/1/quic", "raw-quic"),
        ] {
            let dial = |flags: &str| parse(&format!("perf-node dial {address}{flags}"), &[]);
            let Ok(Invocation::Dial { config, .. }) = dial(&format!(" --transport {transport}"))
            else {
                panic!("{address}")
            };
            assert_eq!(config.stack.to_string(), transport);
            assert!(dial("").is_err() || transport == "raw-tcp", "{address}");
        }
        let Err(Refused::Setting { invalid, .. }) =
            parse(&format!("perf-node dial {QUIC} --transport raw-quic"), &[])
        else {
            panic!("accepted")
        };
        assert!(invalid.to_string().ends_with("/ip4/192.0.2.7/udp/4001/quic"), "{invalid}");
    }

    #[test]
    fn a_cipher_is_for_what_can_choose_one() {
        let mut node = PerfNode::default();
        let mut listen = |line: &str| {
            let words = line.split(' ').map(OsString::from);
            invocation(words, Settings::default(), &mut node).map(|_| node.cipher)
        };
        let chosen = listen("perf-node listen --transport raw-tls --cipher aes-256-gcm").unwrap();
        assert_eq!(chosen, Some(Cipher::Aes256Gcm));
        for (flags, named) in [
            ("--transport raw-tls --cipher rot13", "--cipher: \"rot13\" is not accepted"),
            ("--transport raw-noise --cipher aes-128-gcm", "means nothing to raw-noise"),
        ] {
            let Err(Refused::Setting { invalid, .. }) =
                listen(&format!("perf-node listen {flags}"))
            else {
                panic!("accepted {flags}")
            };
            assert!(invalid.to_string().contains(named), "{invalid}");
        }
    }

    #[test]
    fn a_subcommand_wins_over_is_dialer_and_a_flag_over_its_variable() {
        let environment = [("IS_DIALER", "true"), ("MUXER", "mplex"), ("UPLOAD_BYTES", "7")];
        let Ok(Invocation::Listen { config, .. }) = parse("perf-node listen", &environment) else {
            panic!("not a listener")
        };
        assert_eq!(config.stack.to_string(), "tcp, noise, mplex");
        let line = format!("perf-node dial {TCP} --muxer yamux --upload-bytes 1K");
        let Ok(Invocation::Dial { config, .. }) = parse(&line, &environment) else {
            panic!("not a dialer")
        };
        assert_eq!(config.stack.to_string(), "tcp, noise, yamux");
        assert_eq!(config.plan.upload.amount, Amount::Bytes(1024));
    }

    #[test]
    fn without_a_subcommand_the_contract_holds() {
        let environment = [("IS_DIALER", "1"), ("TRANSPORT", "quic-v1")];
        assert!(matches!(parse("perf-node", &environment), Ok(Invocation::Contract(_))));
        assert!(matches!(
            parse("perf-node", &environment[..1]),
            Err(Refused::Setting { role: Some(Role::Dialer), .. })
        ));
    }
}
