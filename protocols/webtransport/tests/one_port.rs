//! quic-v1 and WebTransport on one UDP port.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::collections::HashSet;
use std::future::poll_fn;
use std::io;

use futures::future::{Either, join_all};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::swarm::SwarmEvent;
use libp2p::{SwarmBuilder, identify};
use libp2p_core::multiaddr::Protocol;
use libp2p_core::muxing::{StreamMuxerBox, StreamMuxerExt};
use libp2p_core::transport::{Boxed, DialOpts, ListenerId, PortUse, TransportEvent};
use libp2p_core::{Endpoint, Multiaddr, Transport as _};
use libp2p_identity::PeerId;
use libp2p_quic_shared as quic;
use libp2p_webtransport_native as webtransport;
use libp2p_webtransport_native::wire::stream::bidi_prefix;
use quinn::{ConnectionError, TransportErrorCode};
use support::raw::{RawDialer, client_config_for, socket, status};
use support::{identity, in_time, noise};
use tokio::sync::mpsc;

/// TLS alerts, as RFC 8446 numbers them.
const CERTIFICATE_REQUIRED: u8 = 116;
const NO_APPLICATION_PROTOCOL: u8 = 120;

type Stack = Boxed<(PeerId, StreamMuxerBox)>;

fn ports(seed: u8, change: impl FnOnce(&mut quic::Config)) -> quic::Ports {
    let mut config = quic::Config::new(&identity(seed));
    change(&mut config);
    quic::Ports::new(config).unwrap()
}

/// Both transports on `ports`.
fn both(ports: &quic::Ports, seed: u8) -> Stack {
    both_with(ports, seed, |_| ())
}

/// The same with other options of WebTransport.
fn both_with(
    ports: &quic::Ports,
    seed: u8,
    change: impl FnOnce(&mut webtransport::Config),
) -> Stack {
    let mut config = webtransport::Config::new(&identity(seed));
    change(&mut config);
    let webtransport = webtransport::Transport::on(config, ports).unwrap();
    let quic = quic::Transport::new(&identity(seed), ports).unwrap();
    quic.or_transport(webtransport)
        .map(|either, _| match either {
            Either::Left((peer, connection)) => (peer, StreamMuxerBox::new(connection)),
            Either::Right((peer, connection)) => (peer, StreamMuxerBox::new(connection)),
        })
        .boxed()
}

/// libp2p's own quic-v1.
fn stock(seed: u8) -> Stack {
    libp2p::quic::tokio::Transport::new(libp2p::quic::Config::new(&identity(seed)))
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)))
        .boxed()
}

/// A transport that echoes whatever whoever connects sends.
struct Listener {
    orders: mpsc::UnboundedSender<Order>,
    told: mpsc::UnboundedReceiver<(ListenerId, Multiaddr)>,
    arrived: mpsc::UnboundedReceiver<Multiaddr>,
}

enum Order {
    Listen(Multiaddr),
    Remove(ListenerId),
}

impl Listener {
    fn new(mut stack: Stack) -> Self {
        let (orders, mut inbox) = mpsc::unbounded_channel();
        let (tell, told) = mpsc::unbounded_channel();
        let (arrive, arrived) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let event = tokio::select! {
                    order = inbox.recv() => {
                        match order {
                            Some(Order::Listen(address)) => {
                                stack.listen_on(ListenerId::next(), address).unwrap();
                            }
                            Some(Order::Remove(id)) => assert!(stack.remove_listener(id)),
                            None => return,
                        }
                        continue;
                    }
                    event = poll_fn(|cx| std::pin::Pin::new(&mut stack).poll(cx)) => event,
                };
                // Nobody may be interested any more.
                match event {
                    TransportEvent::NewAddress { listener_id, listen_addr } => {
                        let _ = tell.send((listener_id, listen_addr));
                    }
                    TransportEvent::Incoming { upgrade, send_back_addr, .. } => {
                        let _ = arrive.send(send_back_addr);
                        tokio::spawn(async { echo(upgrade.await?.1).await });
                    }
                    TransportEvent::ListenerError { error, .. } => panic!("{error}"),
                    _ => {}
                }
            }
        });
        Self { orders, told, arrived }
    }

    async fn listen(&mut self, address: &str) -> (ListenerId, Multiaddr) {
        self.orders.send(Order::Listen(address.parse().unwrap())).ok().unwrap();
        in_time(self.told.recv()).await.unwrap()
    }

    /// Listens for both on a port that the system gives, and says where: quic-v1 first.
    async fn listen_on_both(&mut self, ip: &str) -> [(ListenerId, Multiaddr); 2] {
        let first = self.listen(&format!("{ip}/udp/0/quic-v1")).await;
        let second = self.listen(&format!("{}/webtransport", first.1)).await;
        [first, second]
    }

    fn remove(&self, id: ListenerId) {
        self.orders.send(Order::Remove(id)).ok().unwrap();
    }
}

async fn echo(mut connection: StreamMuxerBox) -> io::Result<()> {
    loop {
        let event = poll_fn(|cx| {
            if let std::task::Poll::Ready(ended) = connection.poll_unpin(cx) {
                return std::task::Poll::Ready(ended.map(|_| None));
            }
            connection.poll_inbound_unpin(cx).map(|stream| stream.map(Some))
        });
        if let Some(stream) = event.await? {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                futures::io::copy(&mut reader, &mut writer).await?;
                writer.close().await
            });
        }
    }
}

/// Dials, sends `length` bytes to an echo and compares what comes back. Who was there.
async fn exchange(stack: &mut Stack, address: &Multiaddr, length: usize) -> io::Result<PeerId> {
    let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::Reuse };
    let dial = stack.dial(address.clone(), options).map_err(io::Error::other)?;
    let (peer, mut connection) = in_time(dial).await?;
    let stream = in_time(poll_fn(|cx| {
        let _ = connection.poll_unpin(cx)?;
        connection.poll_outbound_unpin(cx)
    }));
    let (mut reader, mut writer) = stream.await?.split();
    let bytes = noise(length as u64, length);
    let write = async {
        writer.write_all(&bytes).await?;
        writer.close().await
    };
    let mut echoed = Vec::with_capacity(length);
    let exchanged = async { tokio::try_join!(write, reader.read_to_end(&mut echoed)) };
    tokio::select! {
        exchanged = in_time(exchanged) => { exchanged?; }
        ended = poll_fn(|cx| connection.poll_unpin(cx)) => panic!("{ended:?}"),
    }
    assert!(echoed == bytes, "{} of {length} bytes came back, or others", echoed.len());
    Ok(peer)
}

fn port(address: &Multiaddr) -> u16 {
    socket(address).port()
}

#[tokio::test]
async fn one_port_two_addresses() {
    for ip in ["/ip4/127.0.0.1", "/ip6/::1"] {
        let mut listener = Listener::new(both(&ports(1, |_| ()), 1));
        let [(_, quic), (_, webtransport)] = listener.listen_on_both(ip).await;
        assert_eq!(socket(&quic), socket(&webtransport));
        let rest: Vec<_> = webtransport.iter().skip(3).collect();
        assert!(matches!(
            rest[..],
            [Protocol::WebTransport, Protocol::Certhash(_), Protocol::Certhash(_)]
        ));
        let peer = identity(1).public().to_peer_id();
        let mut dialer = both(&ports(2, |_| ()), 2);
        assert_eq!(exchange(&mut dialer, &quic, 10_000).await.unwrap(), peer);
        assert_eq!(exchange(&mut dialer, &webtransport, 10_000).await.unwrap(), peer);
        assert_eq!(exchange(&mut stock(3), &quic, 10_000).await.unwrap(), peer);
    }
}

/// Either protocol may be the one that the socket's first packets are read by.
#[tokio::test]
async fn one_may_leave_out_the_cipher_suite_of_the_first_packets() {
    let suites = |config: &mut webtransport::Config| {
        config.cipher_suites = vec![webtransport::CipherSuite::ChaCha20Poly1305];
    };
    for first in ["/quic-v1", "/quic-v1/webtransport"] {
        let mut listener = Listener::new(both_with(&ports(1, |_| ()), 1, suites));
        let (_, address) = listener.listen(&format!("/ip4/127.0.0.1/udp/0{first}")).await;
        let at = format!("/ip4/127.0.0.1/udp/{}", port(&address));
        let second = if first == "/quic-v1" { "/quic-v1/webtransport" } else { "/quic-v1" };
        let (_, other) = listener.listen(&format!("{at}{second}")).await;
        for address in [address, other] {
            let mut dialer = both_with(&ports(2, |_| ()), 2, suites);
            exchange(&mut dialer, &address, 10_000).await.unwrap();
        }
    }
}

#[tokio::test]
async fn either_may_be_first() {
    let mut listener = Listener::new(both(&ports(1, |_| ()), 1));
    let (_, webtransport) = listener.listen("/ip4/127.0.0.1/udp/0/quic-v1/webtransport").await;
    let at = port(&webtransport);
    let (_, quic) = listener.listen(&format!("/ip4/127.0.0.1/udp/{at}/quic-v1")).await;
    exchange(&mut stock(2), &quic, 1_000).await.unwrap();
    exchange(&mut both(&ports(2, |_| ()), 2), &webtransport, 1_000).await.unwrap();
}

#[tokio::test]
async fn both_are_dialed_at_the_same_time() {
    let mut listener = Listener::new(both(&ports(1, |_| ()), 1));
    let [(_, quic), (_, webtransport)] = listener.listen_on_both("/ip4/127.0.0.1").await;
    let dials = (2..14).map(|seed| {
        let (quic, webtransport) = (&quic, &webtransport);
        async move {
            let (mut stack, address) = match seed % 3 {
                0 => (stock(seed), quic),
                1 => (both(&ports(seed, |_| ()), seed), quic),
                _ => (both(&ports(seed, |_| ()), seed), webtransport),
            };
            // More than what a stranger may send, and than one stream's share of a round trip.
            exchange(&mut stack, address, 1 << 20).await.unwrap();
        }
    });
    in_time(join_all(dials)).await;
}

#[tokio::test]
async fn both_dial_from_it() {
    let mut there = Listener::new(both(&ports(1, |_| ()), 1));
    let [(_, quic), (_, webtransport)] = there.listen_on_both("/ip4/127.0.0.1").await;
    let ports = ports(2, |_| ());
    let mut here = Listener::new(both(&ports, 2));
    let own = port(&here.listen("/ip4/127.0.0.1/udp/0/quic-v1/webtransport").await.1);
    for address in [quic, webtransport] {
        // Another transport on the same ports.
        exchange(&mut both(&ports, 2), &address, 100).await.unwrap();
        assert_eq!(port(&in_time(there.arrived.recv()).await.unwrap()), own, "{address}");
    }
}

/// The TLS alert that the listener refuses with whoever dials for `alpn` without a certificate.
async fn alert(address: &Multiaddr, alpn: &[u8]) -> Option<u8> {
    let endpoint = RawDialer::endpoint("127.0.0.1");
    let dial = endpoint.connect_with(client_config_for(alpn), socket(address), "127.0.0.1");
    // In TLS 1.3 the dialer is done before the listener has looked at what it shows.
    let refused = match in_time(dial.unwrap()).await {
        Ok(connection) => in_time(connection.closed()).await,
        Err(refused) => refused,
    };
    let ConnectionError::ConnectionClosed(close) = &refused else { panic!("{refused}") };
    (0..=u8::MAX).find(|alert| close.error_code == TransportErrorCode::crypto(*alert))
}

#[tokio::test]
async fn each_keeps_its_own_rules() {
    let mut listener = Listener::new(both(&ports(1, |_| ()), 1));
    let [(_, quic), (_, webtransport)] = listener.listen_on_both("/ip4/127.0.0.1").await;
    assert_eq!(alert(&quic, b"hq-interop").await, Some(NO_APPLICATION_PROTOCOL));
    assert_eq!(alert(&quic, b"libp2p").await, Some(CERTIFICATE_REQUIRED));
    let dialer = RawDialer::dial(&webtransport).await;
    let (_send, mut recv) = dialer.connect("/").await;
    assert_eq!(status(&mut recv).await, 404);
    assert!(dialer.quic.close_reason().is_none());
    // None of that harms others.
    exchange(&mut stock(2), &quic, 1_000).await.unwrap();
    exchange(&mut both(&ports(3, |_| ()), 3), &webtransport, 1_000).await.unwrap();
}

#[tokio::test]
async fn one_may_go_and_come_back() {
    let mut listener = Listener::new(both(&ports(1, |_| ()), 1));
    let listening = listener.listen_on_both("/ip4/127.0.0.1").await;
    let at = socket(&listening[0].1);
    for (id, address) in &listening {
        let alpn: &[u8] = if address.iter().count() > 3 { b"h3" } else { b"libp2p" };
        listener.remove(*id);
        let gone = async {
            while alert(address, alpn).await != Some(NO_APPLICATION_PROTOCOL) {
                tokio::task::yield_now().await;
            }
        };
        in_time(gone).await;
        let (_, other) = listening.iter().find(|(other, _)| other != id).unwrap();
        exchange(&mut both(&ports(2, |_| ()), 2), other, 1_000).await.unwrap();
        let suffix = if alpn == b"h3" { "/webtransport" } else { "" };
        let again = format!("/ip4/127.0.0.1/udp/{}/quic-v1{suffix}", at.port());
        let (_, again) = listener.listen(&again).await;
        assert_eq!(again, *address);
        exchange(&mut both(&ports(2, |_| ()), 2), &again, 1_000).await.unwrap();
    }
}

#[tokio::test]
async fn pending_handshakes_are_bounded_for_both_together() {
    let ports_of_ours = ports(1, |config| config.max_pending_handshakes_per_address = 8);
    let mut listener = Listener::new(both(&ports_of_ours, 1));
    let [(_, quic), (_, webtransport)] = listener.listen_on_both("/ip4/127.0.0.1").await;
    let mut half_open = Vec::new();
    while let Ok(dialer) = RawDialer::dial_from("127.0.0.2", &webtransport).await {
        half_open.push(dialer);
        assert!(half_open.len() <= 8);
    }
    assert_eq!(half_open.len(), 8);
    exchange(&mut stock(2), &quic, 1_000).await.unwrap();
    // quic-v1's places are the same.
    let endpoint = RawDialer::endpoint("127.0.0.2");
    let dial = endpoint.connect_with(client_config_for(b"libp2p"), socket(&quic), "127.0.0.1");
    match in_time(dial.unwrap()).await.unwrap_err() {
        ConnectionError::ConnectionClosed(close) => {
            assert_eq!(close.error_code, TransportErrorCode::CONNECTION_REFUSED);
        }
        error => panic!("{error}"),
    }
}

/// As many as the ports allow, not as many as a transport has alone.
#[tokio::test]
async fn streams_may_be_silent_in_any_number_that_may_be_open() {
    let ports = ports(1, |config| config.max_concurrent_streams = 1024);
    let mut listener = Listener::new(both(&ports, 1));
    let [_, (_, webtransport)] = listener.listen_on_both("/ip4/127.0.0.1").await;
    let dialer = RawDialer::dial(&webtransport).await;
    let connect = dialer.session().await;
    dialer.noise(dialer.stream(connect.0.id()).await).await.unwrap();
    let prefix = bidi_prefix(connect.0.id().into());
    let mut streams = Vec::new();
    for _ in 0..600 {
        let (mut send, recv) = dialer.quic.open_bi().await.unwrap();
        send.write_all(&prefix[..1]).await.unwrap();
        streams.push((send, recv));
    }
    for (mut send, mut recv) in streams {
        send.write_all(&prefix[1..]).await.unwrap();
        send.write_all(b"at last").await.unwrap();
        send.finish().unwrap();
        assert_eq!(in_time(recv.read_to_end(100)).await.unwrap(), b"at last");
    }
}

#[test]
fn ports_with_too_few_streams_are_refused() {
    let ports = ports(1, |config| config.max_concurrent_streams = 2);
    let config = webtransport::Config::new(&identity(1));
    let error = webtransport::Transport::on(config, &ports).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the option max_concurrent_streams is 2, and has to be within 3..=4294967295"
    );
}

fn swarm(seed: u8) -> libp2p::Swarm<identify::Behaviour> {
    let ports = ports(seed, |_| ());
    SwarmBuilder::with_existing_identity(identity(seed))
        .with_tokio()
        .with_other_transport(|key| Ok(quic::Transport::new(key, &ports)?))
        .unwrap()
        .with_other_transport(|key| {
            Ok(webtransport::Transport::on(webtransport::Config::new(key), &ports)?)
        })
        .unwrap()
        .with_behaviour(|key| {
            identify::Behaviour::new(identify::Config::new("/test/1".into(), key.public()))
        })
        .unwrap()
        .build()
}

/// As `examples/one_port.rs` has it.
#[tokio::test]
async fn one_swarm_with_both() {
    let (mut listener, mut dialer) = (swarm(1), swarm(2));
    let first = listener.listen_on("/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()).unwrap();
    let identified = in_time(async {
        let mut identified = HashSet::new();
        loop {
            tokio::select! {
                event = listener.select_next_some() => {
                    if let SwarmEvent::NewListenAddr { listener_id, address } = event {
                        if listener_id == first {
                            let same = address.clone().with(Protocol::WebTransport);
                            listener.listen_on(same).unwrap();
                        }
                        let to = libp2p::swarm::dial_opts::DialOpts::unknown_peer_id();
                        dialer.dial(to.address(address).build()).unwrap();
                    }
                }
                event = dialer.select_next_some() => match event {
                    SwarmEvent::Behaviour(identify::Event::Received { connection_id, info, .. }) => {
                        assert_eq!(info.public_key, identity(1).public());
                        identified.insert(connection_id);
                        if identified.len() == 2 {
                            return identified;
                        }
                    }
                    SwarmEvent::OutgoingConnectionError { error, .. } => panic!("{error}"),
                    _ => {}
                },
            }
        }
    });
    assert_eq!(identified.await.len(), 2);
}
