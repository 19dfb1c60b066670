//! What any rust-libp2p transport does, between two of ours, and between ours and libp2p-quic.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::io::ErrorKind;
use std::time::Duration;

use futures::future::join_all;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::swarm::{DialError, SwarmEvent, dummy};
use libp2p::{Swarm, SwarmBuilder};
use libp2p_core::multiaddr::Protocol;
use libp2p_core::transport::PortUse;
use libp2p_core::{Endpoint, Multiaddr};
use libp2p_quic_shared::{Config, Error, Ports, StreamReset, Transport};
use support::{
    Driven, Happened, IP4, IP6, Make, Node, PAIRS, Pair, connected, exchange, identity, in_time,
    noise, read_all, udp_port,
};

const OURS: (Make, Make) = (Make::Ours, Make::Ours);

/// With which code the peer ended a stream.
fn reset_code(error: &std::io::Error) -> Option<u64> {
    Some(error.get_ref()?.downcast_ref::<StreamReset>()?.code)
}

/// Our own error, which boxing has put into one of I/O.
fn cause(error: &std::io::Error) -> &Error {
    error.get_ref().and_then(|inner| inner.downcast_ref()).unwrap_or_else(|| panic!("{error:?}"))
}

#[tokio::test]
async fn listen_and_dial() {
    for (dialing, listening) in PAIRS {
        for any in [IP4, IP6] {
            let mut listener = Node::new(listening, 1);
            let address = listener.listen(any).await;
            assert_ne!(udp_port(&address), 0);
            let dialer = Node::new(dialing, 2);
            let (dialed, accepted) =
                tokio::join!(dialer.dial(&address), async { listener.accept().await });
            assert_eq!(dialed.unwrap().0, listener.peer, "{dialing:?} dials {listening:?}");
            assert_eq!(accepted.0, dialer.peer, "{dialing:?} dials {listening:?}");
        }
    }
}

#[tokio::test]
async fn all_interfaces() {
    let mut listener = Node::new(Make::Ours, 1);
    let mut address = listener.listen("/ip4/0.0.0.0/udp/0/quic-v1").await;
    while address.iter().next() != Some(Protocol::Ip4([127, 0, 0, 1].into())) {
        let Some(Happened::New(next)) = in_time(listener.happened.recv()).await else { panic!() };
        address = next;
    }
    Node::new(Make::Stock, 2).dial(&address).await.unwrap();
}

#[tokio::test]
async fn many_streams_at_once() {
    for (dialing, listening) in PAIRS {
        let mut listener = Node::new(listening, 1).echo();
        let address = listener.listen(IP4).await;
        let (_, connection) = Node::new(dialing, 2).dial(&address).await.unwrap();
        let connection = Driven::new(connection);
        // More than the peer allows at once: the others wait for their turn.
        let streams = (0..400).map(|seed| {
            let connection = &connection;
            async move { exchange(connection.open().await, seed, 5_000).await }
        });
        in_time(join_all(streams)).await;
    }
}

#[tokio::test]
async fn either_side_may_end_first() {
    for pair in PAIRS {
        let Pair { dialed, mut accepted, .. } = connected(pair).await;
        // The opener ends, then reads.
        let mut stream = dialed.open().await;
        stream.write_all(b"question").await.unwrap();
        stream.close().await.unwrap();
        let mut theirs = accepted.next().await;
        assert_eq!(read_all(&mut theirs).await.unwrap(), b"question");
        theirs.write_all(b"answer").await.unwrap();
        theirs.close().await.unwrap();
        assert_eq!(read_all(&mut stream).await.unwrap(), b"answer");
        // The opener reads to the end, then writes.
        let mut stream = dialed.open().await;
        stream.write_all(b"a").await.unwrap();
        let mut theirs = accepted.next().await;
        theirs.write_all(b"said").await.unwrap();
        theirs.close().await.unwrap();
        assert_eq!(read_all(&mut stream).await.unwrap(), b"said");
        stream.write_all(b"nd replied").await.unwrap();
        stream.close().await.unwrap();
        assert_eq!(read_all(&mut theirs).await.unwrap(), b"and replied");
    }
}

#[tokio::test]
async fn a_stream_that_is_dropped_is_reset() {
    for (dialing, listening) in [OURS, (Make::Ours, Make::Stock)] {
        let Pair { dialed, mut accepted, .. } = connected((dialing, listening)).await;
        let mut stream = dialed.open().await;
        stream.write_all(b"part of it").await.unwrap();
        let mut theirs = accepted.next().await;
        drop(stream);
        let error = read_all(&mut theirs).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{listening:?}: {error}");
        let stopped = in_time(async {
            loop {
                if let Err(error) = theirs.write_all(&[0; 1024]).await {
                    return error;
                }
                tokio::task::yield_now().await;
            }
        });
        let stopped = stopped.await;
        if listening == Make::Ours {
            assert_eq!((reset_code(&error), reset_code(&stopped)), (Some(0), Some(0)));
        }
    }
}

#[tokio::test]
async fn large_transfers_are_byte_exact() {
    for (dialing, listening) in PAIRS {
        let mut listener = Node::new(listening, 1).echo();
        let address = listener.listen(IP4).await;
        let (_, connection) = Node::new(dialing, 2).dial(&address).await.unwrap();
        exchange(Driven::new(connection).open().await, 1, 16 << 20).await;
    }
}

#[tokio::test]
async fn what_nobody_reads_is_bounded() {
    let mut listener = Node::with(1, |config| {
        (config.max_stream_data, config.max_connection_data) = (100_000, 100_000);
    });
    let address = listener.listen(IP4).await;
    let dialer = Node::with(2, |config| config.max_send_data = 200_000);
    let (dialed, accepted) = tokio::join!(dialer.dial(&address), async { listener.accept().await });
    let (dialed, mut accepted) = (Driven::new(dialed.unwrap().1), Driven::new(accepted.1));
    let bytes = noise(1, 1 << 20);
    let mut stream = dialed.open().await;
    let mut written = 0;
    while let Ok(more) =
        tokio::time::timeout(Duration::from_millis(500), stream.write(&bytes[written..])).await
    {
        written += more.unwrap();
    }
    assert!(written <= 300_000, "{written} bytes were taken, and nobody has read one");
    // It goes on where it stood once somebody does.
    let mut theirs = accepted.next().await;
    let write = async {
        stream.write_all(&bytes[written..]).await.unwrap();
        stream.close().await.unwrap();
    };
    let (read, ()) = in_time(async { tokio::join!(read_all(&mut theirs), write) }).await;
    assert!(read.unwrap() == bytes);
}

#[tokio::test]
async fn a_close_in_mid_transfer_is_no_end_of_a_stream() {
    for pair in PAIRS {
        let Pair { mut dialed, mut accepted, .. } = connected(pair).await;
        let mut stream = dialed.open().await;
        stream.write_all(b"a").await.unwrap();
        let mut theirs = accepted.next().await;
        theirs.write_all(b"part of it").await.unwrap();
        let mut read = [0; 10];
        stream.read_exact(&mut read).await.unwrap();
        drop(accepted);
        let error = read_all(&mut stream).await.unwrap_err();
        let ended = dialed.ended().await;
        if pair.0 == Make::Ours {
            assert_eq!(error.kind(), ErrorKind::ConnectionAborted, "{error}");
            assert!(matches!(cause(&ended), Error::Closed { .. }), "{ended}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_is_dropped_is_closed() {
    let mut listener = Node::new(Make::Ours, 1);
    let address = listener.listen(IP4).await;
    let dialer = Node::new(Make::Ours, 2);
    let (dialed, accepted) = tokio::join!(dialer.dial(&address), async { listener.accept().await });
    let mut accepted = Driven::new(accepted.1);
    drop(dialed);
    let ended = accepted.ended().await;
    assert!(matches!(cause(&ended), Error::Closed { .. }), "{ended}");
}

#[tokio::test]
async fn connections_one_after_the_other() {
    for (dialing, listening) in PAIRS {
        let mut listener = Node::new(listening, 1).echo();
        let address = listener.listen(IP4).await;
        let dialer = Node::new(dialing, 2);
        for seed in 0..50 {
            let (_, connection) = dialer.dial(&address).await.unwrap();
            exchange(Driven::new(connection).open().await, seed, 100).await;
        }
    }
}

#[tokio::test]
async fn a_listener_that_is_removed_keeps_its_connections() {
    let mut listener = Node::new(Make::Ours, 1);
    let (id, address) = listener.try_listen(IP4).await.unwrap();
    let dialer = Node::new(Make::Ours, 2);
    let (dialed, accepted) = tokio::join!(dialer.dial(&address), async { listener.accept().await });
    let (dialed, mut accepted) = (Driven::new(dialed.unwrap().1), Driven::new(accepted.1));
    listener.remove(id);
    assert!(
        matches!(in_time(listener.happened.recv()).await, Some(Happened::Expired(gone)) if gone == address)
    );
    assert!(matches!(in_time(listener.happened.recv()).await, Some(Happened::Closed(Ok(())))));
    let mut stream = dialed.open().await;
    stream.write_all(b"still here").await.unwrap();
    stream.close().await.unwrap();
    assert_eq!(read_all(&mut accepted.next().await).await.unwrap(), b"still here");
    let late = Node::with(3, |config| config.handshake_timeout = Duration::from_millis(500));
    assert!(late.dial(&address).await.is_err());
}

#[tokio::test]
async fn a_listener_whose_socket_is_gone_says_so_and_another_may_listen() {
    let ports = Ports::new(Config::new(&identity(1))).unwrap();
    let mut listener = Node::on(&ports, 1);
    let address = listener.listen(IP4).await;
    let endpoint = ports.dialer("127.0.0.1:1".parse().unwrap(), PortUse::Reuse).unwrap().endpoint;
    assert_eq!(endpoint.local_addr().unwrap().port(), udp_port(&address));
    endpoint.close(0_u32.into(), b"");
    assert!(matches!(in_time(listener.happened.recv()).await, Some(Happened::Expired(_))));
    match in_time(listener.happened.recv()).await {
        Some(Happened::Closed(Err(error))) => assert!(matches!(cause(&error), Error::SocketGone)),
        other => panic!("{other:?}"),
    }
    let address = listener.listen(IP4).await;
    Node::new(Make::Ours, 2).dial(&address).await.unwrap();
}

#[tokio::test]
async fn a_port_is_free_once_nobody_needs_it() {
    let mut first = Node::new(Make::Ours, 1);
    let (id, address) = first.try_listen(IP4).await.unwrap();
    first.remove(id);
    let mut second = Node::new(Make::Ours, 1);
    assert_eq!(listen_once_it_is_free(&mut second, &address).await, address);
}

#[tokio::test]
async fn a_port_is_listened_on_again_while_a_connection_lasts() {
    let mut listener = Node::new(Make::Ours, 1);
    let (mut id, address) = listener.try_listen(IP4).await.unwrap();
    let dialer = Node::new(Make::Ours, 2);
    let (dialed, accepted) = tokio::join!(dialer.dial(&address), async { listener.accept().await });
    let (dialed, mut accepted) = (Driven::new(dialed.unwrap().1), Driven::new(accepted.1));
    for seed in 3..6 {
        listener.remove(id);
        assert!(matches!(in_time(listener.happened.recv()).await, Some(Happened::Expired(_))));
        assert!(matches!(in_time(listener.happened.recv()).await, Some(Happened::Closed(Ok(())))));
        let again = listener.try_listen(&address.to_string()).await.unwrap();
        assert_eq!(again.1, address);
        id = again.0;
        let late = Node::new(Make::Ours, seed);
        let (late, _) = tokio::join!(late.dial(&address), async { listener.accept().await });
        late.unwrap();
        let mut stream = dialed.open().await;
        stream.write_all(b"still here").await.unwrap();
        stream.close().await.unwrap();
        assert_eq!(read_all(&mut accepted.next().await).await.unwrap(), b"still here");
    }
    // What is dialed is dialed from there.
    let mut other = Node::new(Make::Ours, 6);
    let elsewhere = other.listen(IP4).await;
    let (dialed, arrived) =
        tokio::join!(listener.dial(&elsewhere), async { in_time(other.accepted.recv()).await });
    dialed.unwrap();
    assert_eq!(udp_port(&arrived.unwrap().send_back), udp_port(&address));
}

#[tokio::test]
async fn a_port_is_free_once_its_last_connection_has_ended() {
    let mut first = Node::new(Make::Ours, 1);
    let (id, address) = first.try_listen(IP4).await.unwrap();
    let dialer = Node::new(Make::Ours, 2);
    let (dialed, accepted) = tokio::join!(dialer.dial(&address), async { first.accept().await });
    first.remove(id);
    let mut second = Node::new(Make::Ours, 1);
    assert!(second.try_listen(&address.to_string()).await.is_err());
    drop((dialed, accepted));
    assert_eq!(listen_once_it_is_free(&mut second, &address).await, address);
}

/// The socket is gone once its task has noticed.
async fn listen_once_it_is_free(node: &mut Node, address: &Multiaddr) -> Multiaddr {
    in_time(async {
        loop {
            match node.try_listen(&address.to_string()).await {
                Ok((_, again)) => return again,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_port_is_listened_on_once_for_a_protocol() {
    let ports = Ports::new(Config::new(&identity(1))).unwrap();
    let (mut first, mut second) = (Node::on(&ports, 1), Node::on(&ports, 1));
    let (id, address) = first.try_listen(IP4).await.unwrap();
    let error = second.try_listen(&address.to_string()).await.unwrap_err();
    let Error::Io(error) = cause(&error) else { panic!("{error}") };
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    // It was not taken away from who had it.
    let dialer = Node::new(Make::Ours, 2);
    dialer.dial(&address).await.unwrap();
    first.remove(id);
}

#[tokio::test]
async fn the_listeners_port_is_dialed_from_where_that_is_asked_for() {
    let mut listener = Node::new(Make::Ours, 1);
    let address = listener.listen(IP4).await;
    let mut dialer = Node::new(Make::Ours, 2);
    let own = udp_port(&dialer.listen(IP4).await);
    for (port_use, is_own) in [(PortUse::Reuse, true), (PortUse::New, false)] {
        let dialed = dialer.dial_as(&address, Endpoint::Dialer, port_use).await;
        let accepted = in_time(listener.accepted.recv()).await.unwrap();
        assert_eq!(udp_port(&accepted.send_back) == own, is_own);
        drop((dialed.unwrap(), accepted));
    }
}

#[tokio::test]
async fn hole_punching_is_refused() {
    let dialer = Node::new(Make::Ours, 2);
    let address: Multiaddr = "/ip4/127.0.0.1/udp/1/quic-v1".parse().unwrap();
    let error = dialer.dial_as(&address, Endpoint::Listener, PortUse::Reuse).await.unwrap_err();
    assert!(matches!(cause(&error), Error::HolePunching), "{error}");
}

#[tokio::test]
async fn nobody_there_is_an_error_in_time() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let address = format!("/ip4/127.0.0.1/udp/{port}/quic-v1").parse().unwrap();
    let dialer = Node::with(2, |config| config.handshake_timeout = Duration::from_millis(300));
    let error = dialer.dial(&address).await.unwrap_err();
    assert!(matches!(cause(&error), Error::HandshakeTimedOut), "{error}");
}

fn swarm(seed: u8) -> Swarm<dummy::Behaviour> {
    SwarmBuilder::with_existing_identity(identity(seed))
        .with_tokio()
        .with_other_transport(|key| Ok(Transport::new(key, &Ports::new(Config::new(key))?)?))
        .unwrap()
        .with_behaviour(|_| dummy::Behaviour)
        .unwrap()
        .build()
}

#[tokio::test]
async fn another_peer_than_was_dialed() {
    let mut listener = Node::new(Make::Ours, 1);
    let address = listener.listen(IP4).await;
    let expected = identity(3).public().to_peer_id();
    let mut dialer = swarm(2);
    dialer.dial(address.with(Protocol::P2p(expected))).unwrap();
    let failed = in_time(async {
        loop {
            if let SwarmEvent::OutgoingConnectionError { error, .. } =
                dialer.select_next_some().await
            {
                return error;
            }
        }
    });
    match failed.await {
        DialError::WrongPeerId { obtained, .. } => assert_eq!(obtained, listener.peer),
        error => panic!("{error}"),
    }
}
