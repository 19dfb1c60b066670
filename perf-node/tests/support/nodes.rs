//! perf-node's processes, by hand and in contract mode.

use std::future::Future;

use futures::{StreamExt, stream};
use harness_sdk::{Muxer, Profile, Role, Stack, Transport};

use super::{Launch, Process};

/// Every stack of libp2p that the node speaks.
pub(crate) fn stacks() -> [Stack; 10] {
    [
        "tcp noise yamux",
        "tcp noise mplex",
        "tcp tls yamux",
        "tcp tls mplex",
        "ws noise yamux",
        "ws noise mplex",
        "ws tls yamux",
        "ws tls mplex",
        "quic-v1",
        "webtransport",
    ]
    .map(stack)
}

/// The stack of this name.
pub(crate) fn stack(name: &str) -> Stack {
    let mut words = name.split(' ');
    Stack {
        transport: words.next().unwrap().parse().unwrap(),
        secure_channel: words.next().map(|word| word.parse().unwrap()),
        muxer: words.next().map(|word| word.parse().unwrap()),
        profile: Profile::Stock,
    }
}

/// The baselines without libp2p.
pub(crate) fn raw_stacks() -> [Stack; 4] {
    ["raw-tcp", "raw-tls", "raw-noise", "raw-quic"].map(stack)
}

/// All of them.
pub(crate) fn all_stacks() -> impl Iterator<Item = Stack> {
    stacks().into_iter().chain(raw_stacks())
}

/// Whether a stack's packets are TCP's.
pub(crate) fn is_over_tcp(stack: &Stack) -> bool {
    use Transport::{RawNoise, RawTcp, RawTls, Tcp, Ws};
    matches!(stack.transport, Tcp | Ws | RawTcp | RawTls | RawNoise)
}

/// Whether a stack carries several requests at once.
pub(crate) fn has_streams(stack: &Stack) -> bool {
    !matches!(stack.transport, Transport::RawTcp | Transport::RawTls | Transport::RawNoise)
}

/// What runs beside latency exchanges on a stack: `--latency-under-load`'s values. mplex has no flow control: beside a
/// download an exchange may wait for the ten seconds that opening a stream may take.
pub(crate) fn beside_exchanges(stack: &Stack) -> &'static [&'static str] {
    match stack.muxer {
        _ if !has_streams(stack) => &[],
        Some(Muxer::Mplex) => &["upload"],
        _ => &["both", "download"],
    }
}

/// Stacks that are tested at once: with more their processes starve one another where two cores are shared.
const AT_ONCE: usize = 6;

/// Runs `test` on every stack, several at once.
pub(crate) async fn each_stack<F: Future<Output = ()>>(test: impl Fn(Stack) -> F) {
    stream::iter(all_stacks()).for_each_concurrent(AT_ONCE, test).await;
}

/// Runs `test` on every stack of libp2p, several at once.
pub(crate) async fn each_libp2p_stack<F: Future<Output = ()>>(test: impl Fn(Stack) -> F) {
    stream::iter(stacks()).for_each_concurrent(AT_ONCE, test).await;
}

/// Runs `test` on every stack that carries several requests at once, several of them at once.
pub(crate) async fn each_stack_with_streams<F: Future<Output = ()>>(test: impl Fn(Stack) -> F) {
    let stacks = all_stacks().filter(has_streams);
    stream::iter(stacks).for_each_concurrent(AT_ONCE, test).await;
}

/// The node, told nothing.
pub(crate) fn node() -> Launch {
    Launch::new(env!("CARGO_BIN_EXE_perf-node"))
}

/// The node in contract mode.
fn contract(role: Role, stack: &Stack, redis: &str) -> Launch {
    let launch = node()
        .var("IS_DIALER", (role == Role::Dialer).to_string())
        .var("REDIS_ADDR", redis)
        .var("TRANSPORT", stack.transport.as_str());
    layers(stack).into_iter().fold(launch, |launch, (name, value)| match name {
        "--secure-channel" => launch.var("SECURE_CHANNEL", value),
        _ => launch.var("MUXER", value),
    })
}

/// A dialer in contract mode, with Redis at `redis`.
pub(crate) fn dialer(stack: &Stack, redis: &str) -> Launch {
    contract(Role::Dialer, stack, redis)
}

/// A listener in contract mode, with Redis at `redis`.
pub(crate) fn listener(stack: &Stack, redis: &str) -> Launch {
    contract(Role::Listener, stack, redis)
}

/// A stack's own TEST_KEY, and the key that it makes.
pub(crate) fn keys(stack: &Stack) -> (String, String) {
    let test_key = stack.to_string().replace(", ", "-");
    let key = format!("{test_key}_listener_multiaddr");
    (test_key, key)
}

/// `perf-node dial`.
pub(crate) fn dial(stack: &Stack, address: &str) -> Launch {
    let raw = raw_stacks().contains(stack).then(|| ["--transport", stack.transport.as_str()]);
    let flags = layers(stack).into_iter().flat_map(|(flag, value)| [flag, value]);
    node().args(["dial", address]).args(raw.into_iter().flatten()).args(flags)
}

/// `perf-node probe server`.
pub(crate) fn probe_server(stack: &Stack, address: &str) -> Launch {
    let flags = layers(stack).into_iter().flat_map(|(flag, value)| [flag, value]);
    node().args(["probe", "server", address]).args(flags)
}

/// `perf-node listen`, or a probe that listens, on 127.0.0.1, bound.
pub(crate) struct Listening {
    pub(crate) process: Process,
    pub(crate) address: String,
}

impl Listening {
    pub(crate) async fn start(stack: &Stack, flags: &[&str]) -> Self {
        Self::start_on("127.0.0.1", stack, flags).await
    }

    pub(crate) async fn start_on(ip: &str, stack: &Stack, flags: &[&str]) -> Self {
        Self::of(listening(ip, stack, flags)).await
    }

    /// `perf-node probe client`.
    pub(crate) async fn probe(stack: &Stack, behaviour: &str, flags: &[&str]) -> Self {
        let launch = node().args(["probe", "client", "--behaviour", behaviour]);
        Self::of(on_stack(launch, stack, flags)).await
    }

    pub(crate) async fn of(launch: Launch) -> Self {
        let mut process = launch.spawn();
        let address = process.wait_for_stdout(1).await.remove(0);
        Self { process, address }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.split('/').nth(4).unwrap().parse().unwrap()
    }
}

/// `perf-node listen` on `ip`.
pub(crate) fn listening(ip: &str, stack: &Stack, flags: &[&str]) -> Launch {
    on_stack(node().args(["listen", "--ip", ip]), stack, flags)
}

fn on_stack(launch: Launch, stack: &Stack, flags: &[&str]) -> Launch {
    let layers = layers(stack).into_iter().flat_map(|(flag, value)| [flag, value]);
    launch.args(["--transport", stack.transport.as_str()]).args(layers).args(flags.iter().copied())
}

fn layers(stack: &Stack) -> Vec<(&'static str, &'static str)> {
    let secure_channel = stack.secure_channel.map(|name| ("--secure-channel", name.as_str()));
    let muxer = stack.muxer.map(|name| ("--muxer", name.as_str()));
    secure_channel.into_iter().chain(muxer).collect()
}
