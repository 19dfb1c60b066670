//! quic-v1 and WebTransport on one UDP port, with go-libp2p and a browser: they dial both at once, and go-libp2p is
//! dialed from there.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use futures::StreamExt;
use futures::future::Either;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{Swarm, SwarmEvent};
use libp2p::{Multiaddr, Transport};
use libp2p_quic_shared as quic;
use libp2p_webtransport_native as webtransport;
use perf_node::swarm::{Answer, Event, Manner, NodeBehaviour, NodeBehaviourEvent, Streams, build};
use perf_protocol::{Progress, ReadBuffer};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::chromium::{BROWSER_LIMIT, page};
use crate::go::V0_45;
use crate::support::{Backend, LIMIT, Launch, Process, Sections, Served, Store};
use crate::{LARGE, LARGE_PLAN, assert_served};

const DIALS: usize = 10;
const SHORT: u64 = 1_000;
const SHORT_PLAN: Sections = [1, 1, 1];

/// The Go node; its key is named after the transport.
fn go(is_dialer: bool, transport: &str, store: &Store) -> Launch {
    let launch = V0_45.launch(is_dialer, &store.addr());
    launch.var("TRANSPORT", transport).var("TEST_KEY", transport)
}

fn key(transport: &str) -> String {
    format!("{transport}_listener_multiaddr")
}

/// What moved on one stream, as its server sees it.
#[derive(Default)]
struct Tally {
    received: AtomicU64,
    sent: AtomicU64,
}

impl Progress for Tally {
    fn sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Relaxed);
    }

    fn received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Relaxed);
    }
}

/// The exchanges that were served to their end.
struct Exchanges(UnboundedReceiver<Served>);

impl Exchanges {
    /// They are those, in any order: the last byte of one may be there before its stream is closed here.
    async fn are(mut self, mut expected: Vec<Served>) {
        let mut counted = Vec::new();
        while counted.len() < expected.len() {
            let next = timeout(LIMIT, self.0.recv()).await;
            counted.push(next.unwrap_or_else(|_| panic!("only {}", counted.len())).unwrap());
        }
        counted.extend(self.0.try_recv());
        counted.sort_unstable();
        expected.sort_unstable();
        assert_eq!(counted, expected);
    }
}

/// A swarm that listens for both on one port, where (quic-v1 first), and what it serves.
async fn one_port() -> (Swarm<NodeBehaviour>, [Multiaddr; 2], Exchanges) {
    let identity = Keypair::generate_ed25519();
    let ports = quic::Ports::new(quic::Config::new(&identity)).unwrap();
    let webtransport =
        webtransport::Transport::on(webtransport::Config::new(&identity), &ports).unwrap();
    let transport = quic::Transport::new(&identity, &ports).unwrap().or_transport(webtransport);
    let transport = transport.map(|either, _| match either {
        Either::Left((peer, connection)) => (peer, StreamMuxerBox::new(connection)),
        Either::Right((peer, connection)) => (peer, StreamMuxerBox::new(connection)),
    });
    let (sender, exchanges) = unbounded_channel();
    let answer = Answer::new(move |stream| {
        let sender = sender.clone();
        async move {
            let tally = Tally::default();
            // The dialer says whether it was answered.
            if perf_protocol::serve(stream, &tally, &mut ReadBuffer::default()).await.is_ok() {
                let Tally { received, sent } = tally;
                let served = Served { received: received.into_inner(), sent: sent.into_inner() };
                // A test that is over counts no more.
                let _ = sender.send(served);
            }
        }
    });
    let mut swarm = build(transport.boxed(), &identity, answer, &Manner::default());
    swarm.listen_on("/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()).unwrap();
    let quic = new_address(&mut swarm).await;
    swarm.listen_on(quic.clone().with(Protocol::WebTransport)).unwrap();
    let webtransport = new_address(&mut swarm).await;
    let peer = Protocol::P2p(*swarm.local_peer_id());
    let addresses = [quic, webtransport].map(|address| address.with(peer.clone()));
    (swarm, addresses, Exchanges(exchanges))
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

/// One that serves in the background, and has told `store` its addresses.
async fn serving(store: &Store) -> Exchanges {
    let (mut swarm, [quic, webtransport], exchanges) = one_port().await;
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    store.publish(&key("quic-v1"), &quic.to_string()).await;
    store.publish(&key("webtransport"), &webtransport.to_string()).await;
    exchanges
}

/// Short dials, then 64 MiB each way.
async fn measure(dialer: impl Fn() -> Launch) {
    for _ in 0..DIALS {
        dialer().measuring(SHORT_PLAN, SHORT).run().await.measured(SHORT_PLAN);
    }
    dialer().measuring(LARGE_PLAN, LARGE).run().await.measured(LARGE_PLAN);
}

/// What the listener counts of [`measure`].
fn all_of_it() -> Vec<Served> {
    let mut expected = Served::plan(SHORT_PLAN, SHORT).repeat(DIALS);
    expected.extend(Served::plan(LARGE_PLAN, LARGE));
    expected
}

#[tokio::test]
#[ignore = "make test-interop: builds a Go node"]
async fn is_dialed_for_both_at_the_same_time() {
    let store = Backend::Redis.start().await;
    let exchanges = serving(&store).await;
    tokio::join!(
        measure(|| go(true, "quic-v1", &store)),
        measure(|| go(true, "webtransport", &store)),
    );
    exchanges.are(all_of_it().repeat(2)).await;
}

/// For as long as the browser takes, which is mostly its start, quic-v1 is dialed and measured again and again.
#[tokio::test]
#[ignore = "make test-interop: a browser, and nodes that Go and npm build"]
async fn serves_a_browser_while_quic_is_dialed() {
    let store = Backend::Redis.start().await;
    let exchanges = serving(&store).await;
    let (page, dialer) = (page(&store.addr()), || go(true, "quic-v1", &store));
    let page = page.var("TEST_KEY", "webtransport").measuring(LARGE_PLAN, LARGE).spawn();
    let (page_has_ended, mut expected) = (Cell::new(false), Served::plan(LARGE_PLAN, LARGE));
    let browse = async {
        page.ended_within(BROWSER_LIMIT).await.measured(LARGE_PLAN);
        page_has_ended.set(true);
    };
    let dial = async {
        while !page_has_ended.get() {
            dialer().measuring(LARGE_PLAN, LARGE).run().await.measured(LARGE_PLAN);
            expected.extend(Served::plan(LARGE_PLAN, LARGE));
        }
    };
    tokio::join!(browse, dial);
    exchanges.are(expected).await;
}

#[tokio::test]
#[ignore = "make test-interop: builds a Go node"]
async fn is_dialed_from() {
    const EXCHANGES: [(u64, u64); 3] = [(1, 1), (LARGE, 1), (1, LARGE)];
    let store = Backend::Redis.start().await;
    let (mut swarm, ..) = one_port().await;
    for transport in ["quic-v1", "webtransport"] {
        let theirs = go(false, transport, &store).var("LISTENER_IP", "127.0.0.1");
        let theirs: Process = theirs.var("DEBUG", "true").spawn();
        let address: Multiaddr = store.published(&key(transport)).await.parse().unwrap();
        swarm.dial(address).unwrap();
        let streams = connected(&mut swarm).await;
        let exchange = async {
            for (upload, download) in EXCHANGES {
                let stream = streams.open().await.unwrap();
                let buffer = &mut ReadBuffer::default();
                perf_protocol::request(stream, upload, download, &(), buffer).await.unwrap();
            }
        };
        tokio::select! {
            exchanged = timeout(LIMIT, exchange) => exchanged.unwrap(),
            () = async { loop { swarm.select_next_some().await; } } => {}
        }
        let served = EXCHANGES.map(|(received, sent)| Served { received, sent });
        assert_served(theirs, served.to_vec()).await;
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
