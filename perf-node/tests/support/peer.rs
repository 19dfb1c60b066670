//! Peers within the test's own process, on the node's stacks, that behave as a test wants.

use std::future::Future;

use harness_sdk::{Config, Listener, Role, Settings, Shutdown, ShutdownHandle, Stack};
use libp2p::Stream;
use perf_node::probe::client::{Behaviour, manner};
use perf_node::swarm::{Answer, Manner, OpenError};
use perf_node::{PerfConnection, PerfNode, bind};
use tokio::time::timeout;

use super::LIMIT;

/// A listener that answers streams in the test's way; gone when dropped.
pub(crate) struct Peer {
    pub(crate) address: String,
    _stop: ShutdownHandle,
}

impl Peer {
    /// Agrees on perf and answers every stream with `answer`; dropping the stream resets it.
    pub(crate) async fn answering<F>(
        stack: &Stack,
        answer: impl Fn(Stream) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::listen(stack, Answer::new(answer), &Manner::default()).await
    }

    /// Connects, and agrees on no protocol.
    pub(crate) async fn without_perf(stack: &Stack) -> Self {
        Self::listen(stack, Answer::refuse(), &manner(Behaviour::NoPerf)).await
    }

    async fn listen(stack: &Stack, answer: Answer, manner: &Manner) -> Self {
        let ip = [127, 0, 0, 1].into();
        let listener = bind(&Config { ip, ..config(Role::Listener, stack) }, answer, manner).await;
        let listener = listener.unwrap();
        let address = listener.address(ip);
        let (stop, shutdown) = Shutdown::new();
        tokio::spawn(async move { listener.serve(shutdown).await.unwrap() });
        Self { address, _stop: stop }
    }
}

/// A dialer that does with its streams what the test wants; gone when dropped.
pub(crate) struct Dialer {
    pub(crate) stack: Stack,
    connection: PerfConnection,
}

impl Dialer {
    pub(crate) async fn connect(stack: &Stack, address: &str) -> Self {
        Self::connect_as(stack, address, &Manner::default()).await
    }

    /// With streams that are negotiated in the way of `manner`.
    pub(crate) async fn connect_as(stack: &Stack, address: &str, manner: &Manner) -> Self {
        let (node, config) = (PerfNode::default(), config(Role::Dialer, stack));
        let dialed = timeout(LIMIT, node.dial_as(&config, address, manner)).await.unwrap();
        Self {
            stack: *stack,
            connection: dialed.unwrap_or_else(|error| panic!("{address}: {error}")),
        }
    }

    /// A stream on which perf is agreed on.
    pub(crate) async fn open(&self) -> Stream {
        timeout(LIMIT, self.try_to_open()).await.unwrap().unwrap()
    }

    pub(crate) async fn try_to_open(&self) -> Result<Stream, OpenError> {
        self.connection.open().await
    }
}

fn config(role: Role, stack: &Stack) -> Config {
    Config { stack: *stack, ..Config::by_hand(role, Settings::default()).unwrap() }
}
