//! The node behind harness-sdk's trait: libp2p stacks, and the raw baselines.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use harness_sdk::config::{Invalid, Variable};
use harness_sdk::{BoxError, Config, Details, Node, Profile, Settings, Stack, Transport, chain};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{DialError, Swarm, SwarmEvent};
use libp2p::{Multiaddr, TransportError, identify};
use tokio::time::{Instant, timeout_at};

use crate::any::{AnyConnection, AnyListener};
use crate::baselines::{self, Dialed};
use crate::cipher::{Cipher, PERF_CIPHER};
use crate::connection::PerfConnection;
use crate::identity::DialerIdentity;
use crate::limits::Limits;
use crate::listener::PerfListener;
use crate::runtime::Environment;
use crate::stacks::Timings;
use crate::swarm::{Answer, Event, Manner, NodeBehaviour, NodeBehaviourEvent, Streams};
use crate::{identity, listener, resolve, stacks, swarm};

/// For a listener's first address to be reported, which is immediate where there is one.
const LISTEN_PATIENCE: Duration = Duration::from_secs(5);

/// For the peer to answer identify, or to refuse it. One that does neither is measured all the same.
const IDENTIFY_PATIENCE: Duration = Duration::from_secs(1);

/// For the peer to have asked identify of us, once it has answered it itself.
const IDENTIFIED_PATIENCE: Duration = Duration::from_millis(100);

/// The node: rust-libp2p 0.56 on the stacks of [`stacks`], and the raw [`baselines`].
#[derive(Clone, Debug, Default)]
pub struct PerfNode {
    /// How the process is built and run, for the document.
    pub environment: Environment,
    /// Whom its listeners serve, and how much.
    pub limits: Limits,
    /// What raw-tls, raw-quic and webtransport encrypt with; `None`: the default of each side.
    pub cipher: Option<Cipher>,
    /// Who its dialers are.
    pub identity: DialerIdentity,
}

impl Node for PerfNode {
    type Listener = AnyListener;
    type Connection = AnyConnection;

    fn name(&self) -> &str {
        "perf-node"
    }

    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    fn speaks(&self, stack: &Stack) -> Result<(), String> {
        match (baselines::is_raw(stack.transport), stack.profile) {
            (true, Profile::Stock) => Ok(()),
            (true, profile) => Err(format!("a baseline has no profile {profile}")),
            (false, _) => stacks::supported(stack),
        }
    }

    /// Baselines on a byte stream have no streams to tell requests apart.
    fn streams_at_once(&self, stack: &Stack) -> Option<usize> {
        let one =
            matches!(stack.transport, Transport::RawTcp | Transport::RawTls | Transport::RawNoise);
        one.then_some(1)
    }

    fn variables(&self) -> &'static [&'static Variable] {
        &[&PERF_CIPHER]
    }

    fn configure(&mut self, settings: &Settings) -> Result<(), Invalid> {
        self.cipher = settings.read(&PERF_CIPHER, Cipher::parse)?;
        Ok(())
    }

    async fn listen(&self, config: &Config) -> Result<AnyListener, BoxError> {
        let gate = self.limits.gate();
        if baselines::is_raw(config.stack.transport) {
            return Ok(baselines::bind(config, self.cipher, gate).await?.into());
        }
        let answer = listener::answer(config.stall, gate.clone());
        let listener = bind(config, answer, &Manner { gate, ..self.manner() }).await?;
        Ok(AnyListener::Libp2p(Box::new(listener)))
    }

    async fn dial(&self, config: &Config, address: &str) -> Result<AnyConnection, BoxError> {
        if baselines::is_raw(config.stack.transport) {
            let dialed = self.dial_raw(config, address).await?;
            return Ok(AnyConnection::raw(dialed, self.environment.clone()));
        }
        let connection = self.dial_as(config, address, &self.manner()).await?;
        Ok(AnyConnection::libp2p(connection, self.environment.clone()))
    }
}

/// Binds what `config` says and answers streams with `answer`: [`PerfNode`]'s own listeners, and the
/// probe's.
///
/// # Errors
///
/// The stack is not spoken, the key file cannot be used, or nothing can be bound there.
pub async fn bind(
    config: &Config,
    answer: Answer,
    manner: &Manner,
) -> Result<PerfListener, BoxError> {
    // Made now, not in the first sample.
    perf_protocol::block();
    let keypair = identity::load(config.identity.as_deref())?;
    let (transport, _) = stacks::transport(&config.stack, &keypair, manner.cipher)?;
    let mut swarm = swarm::build(transport, &keypair, answer, manner);
    let wanted = stacks::listen_address(&config.stack, config.ip, config.port);
    check_port_is_free(config)
        .map_err(|error| cannot_listen(&wanted, TransportError::Other(error)))?;
    swarm.listen_on(wanted.clone()).map_err(|error| cannot_listen(&wanted, error))?;
    let reported = first_address(&mut swarm, &wanted).await?;
    let local = SocketAddr::new(config.ip, port(&reported).unwrap_or(config.port));
    Ok(PerfListener { swarm, local, reported, one_off: config.one_off, accepted: Arc::default() })
}

impl PerfNode {
    /// How its streams and connections are.
    fn manner(&self) -> Manner {
        Manner { cipher: self.cipher, ..Manner::default() }
    }

    /// Connects a libp2p stack, with streams that agree on their protocol in the way of `manner`.
    ///
    /// # Errors
    ///
    /// The address is not of that stack, or there is no connection to be had there.
    pub async fn dial_as(
        &self,
        config: &Config,
        address: &str,
        manner: &Manner,
    ) -> Result<PerfConnection, BoxError> {
        // Made now, not in the first sample.
        perf_protocol::block();
        let keypair = self.identity.keypair(config)?;
        let address = parse(address, &config.stack)?;
        resolve::first(&address, |address| connect(&config.stack, keypair, address, manner)).await
    }

    async fn dial_raw(&self, config: &Config, address: &str) -> Result<Dialed, BoxError> {
        let transport = config.stack.transport;
        let parsed = multiaddr(address)?;
        if !baselines::suits(transport, &parsed) {
            return Err(format!("{address} is not an address of {transport}").into());
        }
        let (cipher, identity) = (self.cipher, &self.identity);
        resolve::first(&parsed, |address| baselines::dial(config, address, cipher, identity)).await
    }
}

/// Connects to one address, and gets what does not belong into a sample out of the way.
async fn connect(
    stack: &Stack,
    keypair: &Keypair,
    address: Multiaddr,
    manner: &Manner,
) -> Result<PerfConnection, BoxError> {
    let (transport, marks) = stacks::transport(stack, keypair, manner.cipher)?;
    let mut swarm = swarm::build(transport, keypair, Answer::refuse(), manner);
    let failed = |reason| DialFailed { address: address.clone(), reason, stack: *stack };
    swarm.dial(address.clone()).map_err(|error| failed(explain(&error)))?;
    let streams = connected(&mut swarm).await.map_err(failed)?;
    let peer_agent = settle(&mut swarm).await.map_err(failed)?;
    let details = Details {
        phases: phases(stack, marks.timings()),
        negotiation: Some(match manner.negotiation {
            Version::V1 => "v1",
            Version::V1Lazy => "lazy",
        }),
        // The only one offered: TLS agrees on no other.
        stack: manner
            .cipher
            .map(|cipher| ("cipher_suite", cipher.suite_name().to_owned()))
            .into_iter()
            .collect(),
        extra: peer_agent.map(|agent| ("peer_agent", agent)).into_iter().collect(),
        ..Details::default()
    };
    Ok(PerfConnection::drive(swarm, streams, details, marks.take_underneath()))
}

/// The phases of a dial by their names in the document.
fn phases(stack: &Stack, timings: Timings) -> Vec<(&'static str, Duration)> {
    let phases = match stack.transport {
        Transport::QuicV1 | Transport::Webtransport => vec![("handshake", timings.dial)],
        _ => vec![("dial", timings.dial), ("security", timings.security), ("muxer", timings.muxer)],
    };
    phases.into_iter().filter_map(|(name, time)| Some((name, time?))).collect()
}

/// A dial that did not give a connection with the stack asked for.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect to {address}: {reason}; offered {}", offered(.stack))]
struct DialFailed {
    address: Multiaddr,
    reason: String,
    stack: Stack,
}

/// The protocols that a stack offers, by their names on the wire.
fn offered(stack: &Stack) -> String {
    use harness_sdk::{Muxer, SecureChannel};
    let security = match stack.secure_channel {
        Some(SecureChannel::Noise) => "/noise",
        Some(SecureChannel::Tls) => "/tls/1.0.0",
        None => return format!("{} alone", stack.transport),
    };
    let muxer = match stack.muxer {
        Some(Muxer::Mplex) => "/mplex/6.7.0",
        _ => "/yamux/1.0.0",
    };
    format!("{security} and {muxer} alone, over {}", stack.transport)
}

fn multiaddr(address: &str) -> Result<Multiaddr, String> {
    address.parse().map_err(|error| format!("\"{address}\" is not a multiaddr: {error}"))
}

fn parse(address: &str, stack: &Stack) -> Result<Multiaddr, BoxError> {
    let parsed = multiaddr(address)?;
    match stacks::transport_of(&parsed) {
        Some(transport) if transport == stack.transport => Ok(parsed),
        Some(transport) => {
            Err(format!("{address} is a {transport} address, and the stack is {stack}").into())
        }
        None => Err(format!("{address} names no transport that can be dialed with {stack}").into()),
    }
}

/// Waits until the dial has ended one way or the other.
async fn connected(swarm: &mut Swarm<NodeBehaviour>) -> Result<Streams, String> {
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::Behaviour(NodeBehaviourEvent::Perf(Event::Connected {
                streams, ..
            })) => return Ok(streams),
            SwarmEvent::OutgoingConnectionError { error, .. } => return Err(explain(&error)),
            event => tracing::debug!("{event:?}"),
        }
    }
}

/// Lets identify have its say both ways, so that it does not run into the first sample, and a
/// muxer that was only assumed (lazy negotiation) be agreed on. The peer's agent, if it told.
async fn settle(swarm: &mut Swarm<NodeBehaviour>) -> Result<Option<String>, String> {
    let mut deadline = Instant::now() + IDENTIFY_PATIENCE;
    let (mut answered, mut asked, mut agent) = (false, false, None);
    while !(answered && asked) {
        let Ok(event) = timeout_at(deadline, swarm.select_next_some()).await else { break };
        match event {
            SwarmEvent::ConnectionClosed { cause, .. } => {
                let cause = cause.map_or_else(|| "no reason".to_owned(), |cause| chain(&cause));
                return Err(format!("the connection ended before a stream was agreed on: {cause}"));
            }
            SwarmEvent::Behaviour(NodeBehaviourEvent::Identify(event)) => {
                match event {
                    identify::Event::Received { info, .. } => {
                        (answered, agent) = (true, Some(info.agent_version));
                    }
                    identify::Event::Error { error, .. } => {
                        tracing::debug!("identify: {error}");
                        answered = true;
                    }
                    identify::Event::Sent { .. } => asked = true,
                    identify::Event::Pushed { .. } => {}
                }
                if answered {
                    deadline = deadline.min(Instant::now() + IDENTIFIED_PATIENCE);
                }
            }
            event => tracing::debug!("{event:?}"),
        }
    }
    Ok(agent)
}

/// libp2p's TCP listeners, ws's among them, set SO_REUSEPORT: a second node would share the port of a
/// first, and take some of its dialers.
fn check_port_is_free(config: &Config) -> io::Result<()> {
    if config.port == 0 || !config.stack.transport.is_layered() {
        return Ok(());
    }
    let ip = match config.ip {
        // std would take IPv4's port as well, which libp2p leaves alone.
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    TcpListener::bind((ip, config.port)).map(drop)
}

async fn first_address(
    swarm: &mut Swarm<NodeBehaviour>,
    wanted: &Multiaddr,
) -> Result<Multiaddr, BoxError> {
    let deadline = Instant::now() + LISTEN_PATIENCE;
    loop {
        let event = timeout_at(deadline, swarm.select_next_some()).await;
        match event.map_err(|_| format!("{wanted}: this machine has no address of that family"))? {
            SwarmEvent::NewListenAddr { address, .. } => return Ok(address),
            SwarmEvent::ListenerClosed { reason: Err(error), .. } => return Err(error.into()),
            event => tracing::debug!("{event:?}"),
        }
    }
}

fn cannot_listen(wanted: &Multiaddr, error: TransportError<io::Error>) -> BoxError {
    match error {
        TransportError::MultiaddrNotSupported(address) => {
            format!("cannot listen on {address}: not supported").into()
        }
        TransportError::Other(error) => {
            format!("cannot listen on {wanted}: {}", chain(&error)).into()
        }
    }
}

fn port(address: &Multiaddr) -> Option<u16> {
    address.iter().find_map(|protocol| match protocol {
        Protocol::Tcp(port) | Protocol::Udp(port) => Some(port),
        _ => None,
    })
}

/// Why a dial failed, without the wrappings.
fn explain(error: &DialError) -> String {
    match error {
        DialError::WrongPeerId { obtained, .. } => {
            format!("another peer answered there: {obtained}")
        }
        DialError::Transport(attempts) => {
            let reasons: Vec<_> = attempts
                .iter()
                .map(|(_, error)| match error {
                    TransportError::MultiaddrNotSupported(address) => {
                        format!("{address} is not an address of this transport")
                    }
                    TransportError::Other(error) => chain(error),
                })
                .collect();
            reasons.join("; ")
        }
        error => chain(error),
    }
}
