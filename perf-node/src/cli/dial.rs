//! `perf-node dial`.

use std::io::IsTerminal;

use clap::Args;
use harness_sdk::config::{self, Role, Settings, Variable, by_hand};

use super::{
    DocumentFormat, Invocation, NodeFlags, Refused, StackFlags, configured_by_hand, transport,
    with_node,
};
use crate::node::PerfNode;

#[derive(Debug, Args)]
pub(super) struct DialFlags {
    /// What `perf-node listen` (or any libp2p perf server) printed; /dns names are resolved
    #[arg(value_name = "MULTIADDR")]
    address: String,
    #[command(flatten)]
    node: NodeFlags,
    #[command(flatten)]
    plan: PlanFlags,
    #[command(flatten)]
    load: LoadFlags,
    #[command(flatten)]
    output: OutputFlags,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "What is measured")]
struct PlanFlags {
    /// Size of one upload; K, M and G are 1024, 1024², 1024³ [default: 1G]
    #[arg(long, value_name = "BYTES")]
    upload_bytes: Option<String>,
    /// Size of one download [default: 1G]
    #[arg(long, value_name = "BYTES")]
    download_bytes: Option<String>,
    /// Length of one upload or download, where its size is not given: whole requests back to back
    #[arg(long, value_name = "SECONDS")]
    duration: Option<String>,
    /// Uploads, each a sample; 0 skips them [default: 10]
    #[arg(long, value_name = "COUNT")]
    upload_iterations: Option<String>,
    /// Downloads, each a sample; 0 skips them [default: 10]
    #[arg(long, value_name = "COUNT")]
    download_iterations: Option<String>,
    /// One-byte exchanges on a fresh stream, each a sample; 0 skips them [default: 100]
    #[arg(long, value_name = "COUNT")]
    latency_iterations: Option<String>,
    /// Iterations before each section's first that are not reported [default: 0]
    #[arg(long, value_name = "COUNT")]
    warmup: Option<String>,
    /// With --duration: run each upload and download for this long before its clock starts
    #[arg(long, value_name = "SECONDS")]
    omit: Option<String>,
    /// One deadline for everything [default: none]
    #[arg(long, value_name = "SECONDS")]
    timeout_secs: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Under which load (by hand alone)")]
struct LoadFlags {
    /// Streams of each connection that an upload or download uses at once, each moving its size or
    /// lasting its duration; a sample is all bytes over the time to the last receipt [default: 1]
    #[arg(long, value_name = "COUNT")]
    streams: Option<String>,
    /// Connections that an upload or download uses at once [default: 1]
    #[arg(long, value_name = "COUNT")]
    connections: Option<String>,
    /// Upload and download at once; each stays a sample of its own
    #[arg(long)]
    bidirectional: bool,
    /// After the latency section: as many exchanges again, on the same connection beside uploads,
    /// downloads or both; p99 takes 1000 --latency-iterations, p99.9 10000. mplex has no flow control:
    /// beside its downloads an exchange may wait until opening its stream is given up (status 5)
    #[arg(long, value_name = "upload|download|both")]
    latency_under_load: Option<String>,
    /// Connections made afresh, each until it is ready and then closed, one after the other or as
    /// many at once as --connections says; sections whose iterations are not given are skipped
    #[arg(long, value_name = "COUNT")]
    handshakes: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "What is said")]
struct OutputFlags {
    /// While an upload or download runs: a line on stderr each time, of what this side has handed to
    /// its streams (which is not yet delivered) or read from them; 0 for none [default: 1 where stderr
    /// is a terminal or --progress is json, else 0]
    #[arg(long, value_name = "SECONDS")]
    interval: Option<String>,
    /// What stands on stderr: text for people, or one JSON object a line [default: text]
    #[arg(long, value_name = "text|json")]
    progress: Option<String>,
    /// How the document is printed on stdout
    #[arg(long, value_name = "FORMAT", default_value = "yaml")]
    format: DocumentFormat,
}

pub(super) fn dial(
    flags: DialFlags,
    environment: Settings,
    perf_node: &mut PerfNode,
) -> Result<Invocation, Refused> {
    let DialFlags { address, node, plan, load, output } = flags;
    let (role, format) = (Some(Role::Dialer), output.format.into());
    let refused = |invalid| Refused::Setting { role, format, invalid };
    let transport = transport(&address, node.stack.transport.as_deref()).map_err(refused)?;
    let stack = StackFlags { transport, ..node.stack };
    let node = NodeFlags { stack, ..node };
    let for_itself = load.handshakes.is_some();
    let settings = plan
        .said()
        .into_iter()
        .chain(load.said())
        .chain(output.said())
        .fold(with_node(environment, &node), |settings, (variable, value)| {
            settings.with_flag(variable, value)
        });
    let settings = with_interval(with_sections(settings, for_itself));
    let config = configured_by_hand(Role::Dialer, perf_node, &settings).map_err(refused)?;
    Ok(Invocation::Dial { config, address, format })
}

/// Whoever asks for handshakes gets the sections that are asked for as well, and no others.
fn with_sections(settings: Settings, handshakes: bool) -> Settings {
    if !handshakes {
        return settings;
    }
    [&config::UPLOAD_ITERATIONS, &config::DOWNLOAD_ITERATIONS, &config::LATENCY_ITERATIONS]
        .into_iter()
        .fold(settings, |settings, variable| settings.with_default(variable, "0"))
}

/// A line a second for whoever looks on.
fn with_interval(settings: Settings) -> Settings {
    let json = settings.get(&by_hand::PROGRESS) == Some("json");
    match json || std::io::stderr().is_terminal() {
        true => settings.with_default(&by_hand::INTERVAL, "1"),
        false => settings,
    }
}

/// A setting with what its flag says.
type Said = (&'static Variable, Option<String>);

impl PlanFlags {
    fn said(self) -> [Said; 9] {
        [
            (&config::UPLOAD_BYTES, self.upload_bytes),
            (&config::DOWNLOAD_BYTES, self.download_bytes),
            (&config::DURATION, self.duration),
            (&config::UPLOAD_ITERATIONS, self.upload_iterations),
            (&config::DOWNLOAD_ITERATIONS, self.download_iterations),
            (&config::LATENCY_ITERATIONS, self.latency_iterations),
            (&config::PERF_WARMUP, self.warmup),
            (&by_hand::OMIT, self.omit),
            (&config::PERF_TIMEOUT_SECS, self.timeout_secs),
        ]
    }
}

impl LoadFlags {
    fn said(self) -> [Said; 5] {
        [
            (&by_hand::STREAMS, self.streams),
            (&by_hand::CONNECTIONS, self.connections),
            (&by_hand::BIDIRECTIONAL, self.bidirectional.then(|| "true".to_owned())),
            (&by_hand::LATENCY_UNDER_LOAD, self.latency_under_load),
            (&by_hand::HANDSHAKES, self.handshakes),
        ]
    }
}

impl OutputFlags {
    fn said(self) -> [Said; 2] {
        [(&by_hand::INTERVAL, self.interval), (&by_hand::PROGRESS, self.progress)]
    }
}
