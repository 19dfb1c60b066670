//! Dialers that are refused, and a listener that others can still dial.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::time::Duration;

use libp2p_core::Multiaddr;
use quinn::{ConnectionError, TransportErrorCode};
use support::stranger::{Shows, dial, dial_from, one_way, socket};
use support::{Accepted, IP4, Make, Node, in_time};

/// TLS alerts, as RFC 8446 numbers them.
const BAD_CERTIFICATE: u8 = 42;
const CERTIFICATE_REQUIRED: u8 = 116;
const NO_APPLICATION_PROTOCOL: u8 = 120;

/// The TLS alert that the listener closed the connection with.
fn alert(error: &ConnectionError) -> Option<u8> {
    let ConnectionError::ConnectionClosed(close) = error else { return None };
    (0..=u8::MAX).find(|alert| close.error_code == TransportErrorCode::crypto(*alert))
}

async fn listener() -> (Node, Multiaddr) {
    let mut listener = Node::new(Make::Ours, 1);
    let address = listener.listen(IP4).await;
    (listener, address)
}

/// It is none the worse for whoever came before.
async fn is_still_there(mut listener: Node, address: &Multiaddr) {
    let dialer = Node::new(Make::Stock, 2);
    let (dialed, accepted) = tokio::join!(dialer.dial(address), async {
        // Whoever was refused may come up first.
        loop {
            if let Accepted { result: Ok((peer, _)), .. } =
                in_time(listener.accepted.recv()).await.unwrap()
            {
                return peer;
            }
        }
    });
    assert_eq!((dialed.unwrap().0, accepted), (listener.peer, dialer.peer));
}

#[tokio::test]
async fn protocols_that_nobody_listens_for() {
    let (listener, address) = listener().await;
    for alpn in [&[&b"h3"[..]][..], &[b"libp2", b"libp2pp"], &[]] {
        let refused = dial(&address, alpn, Shows::Identity).await.unwrap_err();
        assert_eq!(alert(&refused), Some(NO_APPLICATION_PROTOCOL), "{alpn:?}: {refused}");
    }
    is_still_there(listener, &address).await;
}

#[tokio::test]
async fn one_protocol_among_others_is_enough() {
    let (mut listener, address) = listener().await;
    let alpn: &[&[u8]] = &[b"h3", b"libp2p"];
    let (_endpoint, connection) = dial(&address, alpn, Shows::Identity).await.unwrap();
    let (peer, _connection) = listener.accept().await;
    assert_eq!(peer, support::identity(9).public().to_peer_id());
    assert!(connection.close_reason().is_none());
}

/// As many protocols of nobody's as fill so many bytes.
fn filler(bytes: usize) -> Vec<Vec<u8>> {
    (0..bytes / 100).map(|n| format!("{n:0>99}").into_bytes()).collect()
}

#[tokio::test]
async fn a_client_hello_of_several_datagrams() {
    let (mut listener, address) = listener().await;
    let filler = filler(5_000);
    let alpn: Vec<&[u8]> = filler.iter().map(Vec::as_slice).chain([&b"libp2p"[..]]).collect();
    let _dialed = dial(&address, &alpn, Shows::Identity).await.unwrap();
    assert_eq!(listener.accept().await.0, support::identity(9).public().to_peer_id());
}

#[tokio::test]
async fn a_client_hello_without_an_end() {
    let (listener, address) = listener().await;
    let filler = filler(20_000);
    let alpn: Vec<&[u8]> = filler.iter().map(Vec::as_slice).chain([&b"libp2p"[..]]).collect();
    match dial(&address, &alpn, Shows::Identity).await.unwrap_err() {
        ConnectionError::ConnectionClosed(close) => {
            assert_eq!(close.error_code, TransportErrorCode::CRYPTO_BUFFER_EXCEEDED);
        }
        error => panic!("{error}"),
    }
    is_still_there(listener, &address).await;
}

#[tokio::test]
async fn nobody_is_taken_without_a_certificate_of_libp2ps() {
    let (mut listener, address) = listener().await;
    for (shows, expected) in
        [(Shows::Nothing, CERTIFICATE_REQUIRED), (Shows::AnyCertificate, BAD_CERTIFICATE)]
    {
        // In TLS 1.3 the dialer is done before the listener has looked at what it shows.
        let refused = match dial(&address, &[b"libp2p"], shows).await {
            Ok((_endpoint, connection)) => in_time(connection.closed()).await,
            Err(refused) => refused,
        };
        assert_eq!(alert(&refused), Some(expected), "{refused}");
        let Accepted { result, .. } = in_time(listener.accepted.recv()).await.unwrap();
        assert!(result.is_err(), "it was taken");
    }
    is_still_there(listener, &address).await;
}

#[tokio::test]
async fn datagrams_of_nothing() {
    let (listener, address) = listener().await;
    let socket_of_ours = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for length in [0_usize, 1, 20, 1200, 1400] {
        let noise = support::noise(length as u64, length);
        socket_of_ours.send_to(&noise, socket(&address)).unwrap();
        // With the first byte of an Initial, and the version.
        let initial = [&[0xc3, 0, 0, 0, 1][..], &noise].concat();
        socket_of_ours.send_to(&initial, socket(&address)).unwrap();
    }
    is_still_there(listener, &address).await;
}

#[tokio::test]
async fn half_open_handshakes_leave_room_for_others() {
    let mut listener = Node::with(1, |config| {
        config.max_pending_handshakes = 32;
        config.max_pending_handshakes_per_address = 8;
    });
    let address = listener.listen(IP4).await;
    let mut half_open = Vec::new();
    for _ in 0..20 {
        let way = one_way(&address, "127.0.0.2").await;
        half_open
            .push(tokio::spawn(async move { dial(&way, &[b"libp2p"], Shows::Identity).await }));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    // From another address, and from the same for those who hear that they have to prove it.
    for from in ["127.0.0.1", "127.0.0.2"] {
        let dialed = dial_from(from, &address, &[b"libp2p"], Shows::Identity).await;
        assert_eq!(listener.accept().await.0, support::identity(9).public().to_peer_id());
        drop(dialed.unwrap());
    }
    half_open.iter().for_each(tokio::task::JoinHandle::abort);
    let first = in_time(listener.accepted.recv()).await.unwrap();
    assert!(first.result.is_err(), "nothing of it was heard");
    let mut taken = 1;
    while let Ok(Some(Accepted { result, .. })) =
        tokio::time::timeout(Duration::from_secs(1), listener.accepted.recv()).await
    {
        assert!(result.is_err(), "nothing of it was heard");
        taken += 1;
    }
    // Half of an address's places are for those who have not proved that it is theirs.
    assert!(taken <= 4, "{taken}");
}
