//! `perf-node listen`.

use clap::Args;
use harness_sdk::config::{self, Config, Role, Settings};

use super::{Invocation, NodeFlags, Refused, configured_by_hand, with_node};
use crate::limits::{self, Limits};
use crate::node::PerfNode;

#[derive(Debug, Args)]
pub(super) struct ListenFlags {
    #[command(flatten)]
    node: NodeFlags,
    /// Address to bind [default: 0.0.0.0, every IPv4 address; :: is every IPv6 address]
    #[arg(long, value_name = "IP")]
    ip: Option<String>,
    /// Port to bind; 0 takes any free one [default: 0]
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
    /// End once the first dialer has gone, as `iperf3 -1` does
    #[arg(long)]
    one_off: bool,
    #[command(flatten)]
    limits: LimitFlags,
}

/// An open listener sends as much as it is asked for, to whoever asks.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits of a listener that stands open [default: none]")]
struct LimitFlags {
    /// Serve this peer, and no others; may be given again. Not with raw-tcp, raw-tls and raw-quic, whose dialers do not say
    /// who they are
    #[arg(long = "allow-peer", value_name = "PEER_ID")]
    allow_peers: Vec<String>,
    /// Bytes that one stream may upload, and that it may ask for; K, M and G are 1024, 1024², 1024³
    #[arg(long, value_name = "BYTES")]
    max_bytes: Option<String>,
    /// Streams at once, of all connections; requests, where there are no streams
    #[arg(long, value_name = "COUNT")]
    max_streams: Option<String>,
    /// Connections at once
    #[arg(long, value_name = "COUNT")]
    max_connections: Option<String>,
    /// Bytes a second of payload, of all streams and both directions together
    #[arg(long, value_name = "BYTES")]
    max_rate: Option<String>,
    /// How long a connection may last
    #[arg(long, value_name = "SECONDS")]
    max_duration: Option<String>,
}

pub(super) fn listen(
    flags: ListenFlags,
    environment: Settings,
    node: &mut PerfNode,
) -> Result<Invocation, Refused> {
    let refused = |invalid| Refused::setting(Some(Role::Listener), invalid);
    let LimitFlags { allow_peers, max_bytes, max_streams, max_connections, max_rate, max_duration } =
        flags.limits;
    let settings = with_node(environment, &flags.node)
        .with_flag(&config::LISTENER_IP, flags.ip)
        .with_flag(&config::PERF_LISTENER_PORT, flags.port)
        .with_flag(&limits::MAX_BYTES, max_bytes)
        .with_flag(&limits::MAX_STREAMS, max_streams)
        .with_flag(&limits::MAX_CONNECTIONS, max_connections)
        .with_flag(&limits::MAX_RATE, max_rate)
        .with_flag(&limits::MAX_DURATION, max_duration);
    let limits = Limits::read(&settings, &allow_peers).map_err(refused)?;
    let config = configured_by_hand(Role::Listener, node, &settings).map_err(refused)?;
    limits.check(&config.stack).map_err(refused)?;
    Ok(Invocation::Listen { config: Config { one_off: flags.one_off, ..config }, limits })
}
