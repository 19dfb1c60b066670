//! quic-v1 and WebTransport on one UDP port, with go-libp2p: it dials both, and is dialed from there.

use futures::StreamExt;
use futures::future::Either;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{Swarm, SwarmEvent};
use libp2p::{Multiaddr, Transport};
use libp2p_quic_shared as quic;
use libp2p_webtransport_native as webtransport;
use nix::sys::signal::Signal;
use perf_node::swarm::{Answer, Event, Manner, NodeBehaviour, NodeBehaviourEvent, Streams, build};
use perf_protocol::ReadBuffer;
use tokio::time::timeout;

use crate::go::V0_45;
use crate::support::{Backend, LIMIT, Launch, Process, Store};
use crate::{LARGE, LARGE_PLAN};

/// The Go node; its key is named after the transport.
fn go(is_dialer: bool, transport: &str, store: &Store) -> Launch {
    let launch = V0_45.launch(is_dialer, &store.addr());
    launch.var("TRANSPORT", transport).var("TEST_KEY", transport)
}

fn key(transport: &str) -> String {
    format!("{transport}_listener_multiaddr")
}

/// A swarm that listens for both on one port, and where: quic-v1 first.
async fn one_port() -> (Swarm<NodeBehaviour>, [Multiaddr; 2]) {
    let identity = Keypair::generate_ed25519();
    let ports = quic::Ports::new(quic::Config::new(&identity)).unwrap();
    let webtransport =
        webtransport::Transport::on(webtransport::Config::new(&identity), &ports).unwrap();
    let transport = quic::Transport::new(&identity, &ports).unwrap().or_transport(webtransport);
    let transport = transport.map(|either, _| match either {
        Either::Left((peer, connection)) => (peer, StreamMuxerBox::new(connection)),
        Either::Right((peer, connection)) => (peer, StreamMuxerBox::new(connection)),
    });
    let answer = Answer::new(|stream| async move {
        // The dialer says whether it was answered.
        let _ = perf_protocol::serve(stream, &(), &mut ReadBuffer::default()).await;
    });
    let mut swarm = build(transport.boxed(), &identity, answer, &Manner::default());
    swarm.listen_on("/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()).unwrap();
    let quic = new_address(&mut swarm).await;
    swarm.listen_on(quic.clone().with(Protocol::WebTransport)).unwrap();
    let webtransport = new_address(&mut swarm).await;
    let peer = Protocol::P2p(*swarm.local_peer_id());
    (swarm, [quic, webtransport].map(|address| address.with(peer.clone())))
}

async fn new_address(swarm: &mut Swarm<NodeBehaviour>) -> Multiaddr {
    let told = timeout(LIMIT, async {
        loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                return address;
            }
        }
    });
    told.await.unwrap()
}

/// Short dials, then 64 MiB each way.
async fn measure(dialer: impl Fn() -> Launch) {
    for _ in 0..10 {
        dialer().measuring([1, 1, 1], 1_000).run().await.measured([1, 1, 1]);
    }
    dialer().measuring(LARGE_PLAN, LARGE).run().await.measured(LARGE_PLAN);
}

#[tokio::test]
#[ignore = "make test-interop: builds a Go node"]
async fn is_dialed_for_both_at_the_same_time() {
    let store = Backend::Redis.start().await;
    let (mut swarm, [quic, webtransport]) = one_port().await;
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    store.publish(&key("quic-v1"), &quic.to_string()).await;
    store.publish(&key("webtransport"), &webtransport.to_string()).await;
    tokio::join!(
        measure(|| go(true, "quic-v1", &store)),
        measure(|| go(true, "webtransport", &store)),
    );
}

#[tokio::test]
#[ignore = "make test-interop: builds a Go node"]
async fn is_dialed_from() {
    let store = Backend::Redis.start().await;
    let (mut swarm, _) = one_port().await;
    for transport in ["quic-v1", "webtransport"] {
        let theirs: Process = go(false, transport, &store).var("LISTENER_IP", "127.0.0.1").spawn();
        let address: Multiaddr = store.published(&key(transport)).await.parse().unwrap();
        swarm.dial(address).unwrap();
        let streams = connected(&mut swarm).await;
        let exchange = async {
            for (upload, download) in [(1, 1), (LARGE, 1), (1, LARGE)] {
                let stream = streams.open().await.unwrap();
                let buffer = &mut ReadBuffer::default();
                perf_protocol::request(stream, upload, download, &(), buffer).await.unwrap();
            }
        };
        tokio::select! {
            exchanged = timeout(LIMIT, exchange) => exchanged.unwrap(),
            () = async { loop { swarm.select_next_some().await; } } => {}
        }
        theirs.stop(Signal::SIGTERM).await;
    }
}

async fn connected(swarm: &mut Swarm<NodeBehaviour>) -> Streams {
    let connected = timeout(LIMIT, async {
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::Behaviour(NodeBehaviourEvent::Perf(Event::Connected {
                    streams,
                    ..
                })) => return streams,
                SwarmEvent::OutgoingConnectionError { error, .. } => panic!("{error}"),
                _ => {}
            }
        }
    });
    connected.await.unwrap()
}
