//! `perf-node probe`.

use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Subcommand, ValueEnum};
use harness_sdk::config::{self, Config, Invalid, Role, Settings};

use super::{Invocation, Refused, StackFlags, transport, with_stack};
use crate::probe::client::{Behaviour, Conduct};
use crate::probe::server::{RULES, Rule};

const EXAMPLES: &str = "\
Examples:
  perf-node probe server /ip4/127.0.0.1/tcp/4001/p2p/12D3…      every rule, one finding each
  perf-node probe server ADDRESS --muxer mplex --rule server-no-fin --stall-secs 4
  perf-node probe client --behaviour paced-reader --rate 100    prints its address: dial that
                                         with the node under test, then end the probe (Ctrl-C)
  perf-node probe client --behaviour too-little --transport quic-v1

Exit status: 0 the document was printed, whatever it says of the node; 2 a bad flag; 3 the
environment; 4 there was nobody to judge; 127 a stack that the probe does not speak; 130
a server's probe was interrupted.";

const SERVER_NOTES: &str = "\
Prints one YAML document: `findings:`, each with its rule, outcome (pass, fail or warning), what was
expected, and what was seen. Each rule has 10 s, and connections of its own.";

const CLIENT_NOTES: &str = "\
Prints its address on stdout. SIGTERM or SIGINT end it; it then prints there a YAML document of
what it saw: `connections:`, `opened:` (streams in all) and `streams:` (the first 1000, each with
the bytes asked for, received and sent, whether the dialer ended its side, whether it reset the
stream, when it was opened after the start, and how long it lasted).

What a dropped stream looks like depends on the muxer. yamux: a reset, which rust-yamux reads as
an end once its own side is closed. quic-v1: an end. webtransport: a reset. mplex: a reset, or an
end where the dialer has ended its side, that is held back until something else is sent: a dialer
alone sees a stall.";

/// A rate that a probe keeps to where none is given, in Mbit/s.
const DEFAULT_RATE: f64 = 100.0;

/// What a late reader waits for where nothing is given, in ms.
const DEFAULT_DELAY: u64 = 500;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ProbeFlags {
    #[command(subcommand)]
    command: ProbeCommand,
}

#[derive(Debug, Subcommand)]
enum ProbeCommand {
    /// Dial a node that listens, and hold it against the rules of a perf server
    #[command(max_term_width = 100, after_help = SERVER_NOTES)]
    Server(ServerFlags),
    /// Listen for a node that dials, serve it well or badly, and tell what it did
    #[command(max_term_width = 100, after_help = CLIENT_NOTES)]
    Client(ClientFlags),
}

#[derive(Debug, Args)]
struct ServerFlags {
    /// Where the node under test listens
    #[arg(value_name = "MULTIADDR")]
    address: String,
    #[command(flatten)]
    stack: StackFlags,
    /// A rule to hold it against; several may be given [default: all]
    #[arg(long = "rule", value_name = "ID", value_parser = rule_ids())]
    rules: Vec<String>,
    /// What the node under test was given as PERF_STALL_SECS; more than 6 is not waited for
    /// [default: not known]
    #[arg(long, value_name = "SECONDS")]
    stall_secs: Option<String>,
}

#[derive(Debug, Args)]
struct ClientFlags {
    #[command(flatten)]
    stack: StackFlags,
    /// What it does with every stream
    #[arg(long, value_name = "NAME")]
    behaviour: Behaviour,
    /// Address to bind [default: 127.0.0.1]
    #[arg(long, value_name = "IP")]
    ip: Option<String>,
    /// Port to bind; 0 takes any free one [default: 0]
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
    /// How fast it reads or sends, for paced-reader, paced-sender [default: 100], late-reader
    /// [default: as fast as it can]
    #[arg(long, value_name = "MBIT_PER_S")]
    rate: Option<f64>,
    /// How long it waits first, for late-reader [default: 500], paced-sender [default: 0]
    #[arg(long, value_name = "MS")]
    delay_ms: Option<u64>,
}

fn rule_ids() -> PossibleValuesParser {
    let named = |rule: &Rule| PossibleValue::new(rule.id).help(rule.expected);
    PossibleValuesParser::new(RULES.iter().map(named))
}

pub(super) fn probe(flags: ProbeFlags, environment: Settings) -> Result<Invocation, Refused> {
    match flags.command {
        ProbeCommand::Server(flags) => server(flags, environment),
        ProbeCommand::Client(flags) => client(flags, environment),
    }
}

fn server(flags: ServerFlags, environment: Settings) -> Result<Invocation, Refused> {
    let refused = |invalid| Refused::setting(None, invalid);
    let transport = transport(&flags.address, flags.stack.transport.as_deref()).map_err(refused)?;
    let stack = StackFlags { transport, ..flags.stack };
    let settings =
        with_stack(environment, &stack).with_flag(&config::PERF_STALL_SECS, flags.stall_secs);
    let told = settings.get(&config::PERF_STALL_SECS).is_some();
    let config = Config::by_hand(Role::Dialer, settings).map_err(refused)?;
    let stall = told.then_some(config.stall);
    let rules = match flags.rules.is_empty() {
        true => RULES.iter().collect(),
        // Their names were checked by clap.
        false => flags.rules.iter().filter_map(|id| Rule::named(id)).collect(),
    };
    Ok(Invocation::ProbeServer { config, address: flags.address, rules, stall })
}

fn client(flags: ClientFlags, environment: Settings) -> Result<Invocation, Refused> {
    let refused = |invalid| Refused::setting(None, invalid);
    let conduct = conduct(&flags).map_err(refused)?;
    let settings = with_stack(environment, &flags.stack)
        .with_flag(&config::LISTENER_IP, flags.ip)
        .with_default(&config::LISTENER_IP, "127.0.0.1")
        .with_flag(&config::PERF_LISTENER_PORT, flags.port);
    let config = Config::by_hand(Role::Listener, settings).map_err(refused)?;
    Ok(Invocation::ProbeClient { config, conduct })
}

/// The behaviour with its figures; one that means nothing to it is refused.
fn conduct(flags: &ClientFlags) -> Result<Conduct, Invalid> {
    let behaviour = flags.behaviour;
    let meaningless = |flag: &str, of: fn(Behaviour) -> bool| {
        let name = |behaviour: &Behaviour| {
            behaviour.to_possible_value().map(|value| value.get_name().to_owned())
        };
        let those: Vec<_> =
            Behaviour::value_variants().iter().filter(|b| of(**b)).filter_map(name).collect();
        let given = name(&behaviour).unwrap_or_default();
        Invalid::Combination(format!(
            "{flag} means nothing to {given}; it is for {}",
            those.join(", ")
        ))
    };
    if flags.rate.is_some() && !behaviour.keeps_a_rate() {
        return Err(meaningless("--rate", Behaviour::keeps_a_rate));
    }
    if flags.delay_ms.is_some() && !behaviour.waits() {
        return Err(meaningless("--delay-ms", Behaviour::waits));
    }
    if let Some(rate) = flags.rate.filter(|rate| !(*rate > 0.0 && rate.is_finite())) {
        let accepts = "megabits a second above 0";
        return Err(Invalid::Value { name: "--rate".into(), value: rate.to_string(), accepts });
    }
    let (default_rate, default_delay) = match behaviour {
        Behaviour::LateReader => (None, DEFAULT_DELAY),
        _ => (Some(DEFAULT_RATE), 0),
    };
    Ok(Conduct {
        behaviour,
        rate: flags.rate.or(default_rate).map(|megabits| megabits * 1e6 / 8.0),
        delay: Duration::from_millis(flags.delay_ms.unwrap_or(default_delay)),
    })
}
