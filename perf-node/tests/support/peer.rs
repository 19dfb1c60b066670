//! Peers within the test's own process, on the node's stacks, that behave as a test wants.

use std::fmt::Debug;
use std::future::Future;

use futures::StreamExt;
use harness_sdk::Stack;
use libp2p::Stream;
use libp2p::identity::Keypair;
use libp2p::swarm::{Config, NetworkBehaviour, Swarm, SwarmEvent, dummy};
use perf_node::stacks;
use perf_node::swarm::{self, Answer, Event, NodeBehaviourEvent, OpenError, Streams};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::LIMIT;

/// A listener that answers streams in the test's way; gone when dropped.
pub(crate) struct Peer {
    pub(crate) address: String,
    swarm: JoinHandle<()>,
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
        let keypair = Keypair::generate_ed25519();
        let (transport, _) = stacks::transport(stack, &keypair).unwrap();
        Self::listen(stack, swarm::build(transport, &keypair, Answer::new(answer))).await
    }

    /// Connects, and agrees on no protocol.
    pub(crate) async fn without_perf(stack: &Stack) -> Self {
        let keypair = Keypair::generate_ed25519();
        let (transport, _) = stacks::transport(stack, &keypair).unwrap();
        let id = keypair.public().to_peer_id();
        let config = Config::with_tokio_executor().with_idle_connection_timeout(LIMIT);
        Self::listen(stack, Swarm::new(transport, dummy::Behaviour, id, config)).await
    }

    async fn listen<B>(stack: &Stack, mut swarm: Swarm<B>) -> Self
    where
        B: NetworkBehaviour<ToSwarm: Debug> + Send,
    {
        let loopback = [127, 0, 0, 1].into();
        swarm.listen_on(stacks::listen_address(stack, loopback, 0)).unwrap();
        let address = loop {
            let event = timeout(LIMIT, swarm.select_next_some()).await.unwrap();
            if let SwarmEvent::NewListenAddr { address, .. } = event {
                break address.with_p2p(*swarm.local_peer_id()).unwrap().to_string();
            }
        };
        Self { address, swarm: drive(swarm) }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.swarm.abort();
    }
}

/// A dialer that does with its streams what the test wants; gone when dropped.
pub(crate) struct Dialer {
    pub(crate) stack: Stack,
    streams: Streams,
    swarm: JoinHandle<()>,
}

impl Dialer {
    pub(crate) async fn connect(stack: &Stack, address: &str) -> Self {
        let keypair = Keypair::generate_ed25519();
        let (transport, _) = stacks::transport(stack, &keypair).unwrap();
        let mut swarm = swarm::build(transport, &keypair, Answer::refuse());
        swarm.dial(address.parse::<libp2p::Multiaddr>().unwrap()).unwrap();
        loop {
            match timeout(LIMIT, swarm.select_next_some()).await.unwrap() {
                SwarmEvent::Behaviour(NodeBehaviourEvent::Perf(Event::Connected {
                    streams,
                    ..
                })) => return Self { stack: *stack, streams, swarm: drive(swarm) },
                SwarmEvent::OutgoingConnectionError { error, .. } => panic!("{address}: {error}"),
                _ => {}
            }
        }
    }

    /// A stream on which perf is agreed on.
    pub(crate) async fn open(&self) -> Stream {
        timeout(LIMIT, self.try_to_open()).await.unwrap().unwrap()
    }

    pub(crate) async fn try_to_open(&self) -> Result<Stream, OpenError> {
        self.streams.open().await
    }
}

impl Drop for Dialer {
    fn drop(&mut self) {
        self.swarm.abort();
    }
}

fn drive<B: NetworkBehaviour + Send>(mut swarm: Swarm<B>) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    })
}
