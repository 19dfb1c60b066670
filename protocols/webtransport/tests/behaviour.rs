//! What any rust-libp2p transport does, between two of ours.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use futures::future::join_all;
use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p_core::Multiaddr;
use libp2p_core::multiaddr::Protocol;
use libp2p_core::muxing::StreamMuxerExt;
use libp2p_core::transport::PortUse;
use libp2p_webtransport_native::{CipherSuite, Clock, Config, Error, StreamReset};
use support::{
    Driven, Happened, IP4, IP6, Node, connected, echo, echo_all, exchange, identity, in_time,
    noise, read_all,
};

fn certhashes(address: &Multiaddr) -> usize {
    address.iter().filter(|part| matches!(part, Protocol::Certhash(_))).count()
}

fn udp_port(address: &Multiaddr) -> Option<u16> {
    address.iter().find_map(|part| match part {
        Protocol::Udp(port) => Some(port),
        _ => None,
    })
}

/// Why a stream's read or write failed.
fn reset_code(error: &std::io::Error) -> Option<u32> {
    error.get_ref()?.downcast_ref::<StreamReset>()?.code
}

#[tokio::test]
async fn listen_and_dial() {
    for any in [IP4, IP6] {
        let mut listener = Node::new(1);
        let address = listener.listen(any).await;
        assert_eq!(certhashes(&address), 2, "{address}");
        assert_ne!(udp_port(&address), Some(0));
        let dialer = Node::new(2);
        let (dialed, accepted) =
            tokio::join!(dialer.dial(&address), async { listener.accept().await });
        assert_eq!(dialed.unwrap().0, listener.peer);
        assert_eq!(accepted.0, dialer.peer);
    }
}

#[tokio::test]
async fn one_certhash_is_enough() {
    let mut listener = Node::new(1);
    let mut address = listener.listen(IP4).await;
    address.pop();
    assert_eq!(certhashes(&address), 1);
    Node::new(2).dial(&address).await.unwrap();
}

#[tokio::test]
async fn all_interfaces() {
    let mut listener = Node::new(1);
    let mut address = listener.listen("/ip4/0.0.0.0/udp/0/quic-v1/webtransport").await;
    while address.iter().next() != Some(Protocol::Ip4([127, 0, 0, 1].into())) {
        let Some(Happened::New(next)) = in_time(listener.happened.recv()).await else { panic!() };
        address = next;
    }
    Node::new(2).dial(&address).await.unwrap();
}

#[tokio::test]
async fn many_streams_at_once() {
    let mut listener = Node::new(1).echo();
    let address = listener.listen(IP4).await;
    let (_, connection) = Node::new(2).dial(&address).await.unwrap();
    let connection = Driven::new(connection);
    // More than the peer allows at once: the others wait for their turn.
    let streams = (0..400).map(|seed| {
        let connection = &connection;
        async move { exchange(connection.open().await, seed, 5_000).await }
    });
    in_time(join_all(streams)).await;
}

/// Two hundred at once, of which half have said to whom they belong, and nothing else.
#[tokio::test]
async fn silent_streams_hold_up_nobody() {
    let (_dialer, dialed, _listener, mut accepted) = connected().await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        let mut stream = dialed.open().await;
        stream.flush().await.unwrap();
        silent.push(stream);
    }
    // They are there, all of them.
    for _ in 0..100 {
        tokio::spawn(echo(accepted.next().await));
    }
    // These are not, but for QUIC, to which every stream opens those before it.
    for _ in 0..20 {
        silent.push(dialed.open().await);
    }
    tokio::spawn(echo_all(accepted));
    let talking = (0..100).map(|seed| {
        let dialed = &dialed;
        async move { exchange(dialed.open().await, seed, 50_000).await }
    });
    in_time(join_all(talking)).await;
    // They were not dropped meanwhile.
    for (seed, stream) in silent.into_iter().enumerate() {
        exchange(stream, seed as u64, 10).await;
    }
}

#[tokio::test]
async fn both_sides_open_streams() {
    let (_dialer, mut dialed, _listener, mut accepted) = connected().await;
    let (mut ours, mut theirs) = (dialed.open().await, accepted.open().await);
    ours.write_all(b"from the dialer").await.unwrap();
    ours.close().await.unwrap();
    theirs.write_all(b"from the listener").await.unwrap();
    theirs.close().await.unwrap();
    assert_eq!(read_all(&mut accepted.next().await).await.unwrap(), b"from the dialer");
    assert_eq!(read_all(&mut dialed.next().await).await.unwrap(), b"from the listener");
}

#[tokio::test]
async fn half_close_both_ways() {
    let (_dialer, dialed, _listener, mut accepted) = connected().await;
    // The dialer ends its side first, then the listener writes; and the other way round.
    for opener_first in [true, false] {
        let mut opener = dialed.open().await;
        opener.write_all(b"a").await.unwrap();
        let mut other = accepted.next().await;
        let (first, second) =
            if opener_first { (&mut opener, &mut other) } else { (&mut other, &mut opener) };
        first.close().await.unwrap();
        first.close().await.unwrap();
        let before = if opener_first { &b"a"[..] } else { b"" };
        assert_eq!(read_all(second).await.unwrap(), before);
        assert_eq!(read_all(second).await.unwrap(), b"", "an end stays an end");
        second.write_all(b"later").await.unwrap();
        second.close().await.unwrap();
        let after = if opener_first { &b"later"[..] } else { b"alater" };
        assert_eq!(read_all(first).await.unwrap(), after);
    }
}

#[tokio::test]
async fn an_empty_stream_has_an_end() {
    let (_dialer, dialed, _listener, mut accepted) = connected().await;
    let mut ours = dialed.open().await;
    ours.close().await.unwrap();
    let mut theirs = accepted.next().await;
    assert_eq!(read_all(&mut theirs).await.unwrap(), b"");
    theirs.close().await.unwrap();
    assert_eq!(read_all(&mut ours).await.unwrap(), b"");
}

#[tokio::test]
async fn a_reset_has_its_code_both_ways() {
    let (_dialer, dialed, _listener, mut accepted) = connected().await;
    for (code, expected) in [(Some(0), 0), (Some(77), 77), (Some(u32::MAX), u32::MAX), (None, 0)] {
        let mut ours = dialed.open().await;
        ours.write_all(b"a").await.unwrap();
        let mut theirs = accepted.next().await;
        // Who drops a stream resets it.
        match code {
            Some(code) => ours.reset(code),
            None => drop(ours),
        }
        let error = read_all(&mut theirs).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        assert_eq!(reset_code(&error), Some(expected));
        let stopped = in_time(async {
            loop {
                if let Err(error) = theirs.write_all(&[0; 1024]).await {
                    return error;
                }
                tokio::task::yield_now().await;
            }
        });
        assert_eq!(reset_code(&stopped.await), Some(expected));
    }
}

#[tokio::test]
async fn large_transfers_are_byte_exact() {
    let mut listener = Node::new(1).echo();
    let address = listener.listen(IP4).await;
    let (_, connection) = Node::new(2).dial(&address).await.unwrap();
    exchange(Driven::new(connection).open().await, 1, 16 << 20).await;
}

#[tokio::test]
async fn a_datagram_in_a_hundred_is_lost() {
    let mut listener = Node::new(1).echo();
    let address = listener.listen(IP4).await;
    let lossy = support::raw::lossy_relay(&address, 100).await;
    let (_, connection) = Node::new(2).dial(&lossy).await.unwrap();
    let connection = Driven::new(connection);
    exchange(connection.open().await, 1, 2 << 20).await;
    // A loss holds up the stream that it hits, and no other for good.
    let streams = (0..100).map(|seed| {
        let connection = &connection;
        async move { exchange(connection.open().await, seed, 20_000).await }
    });
    in_time(join_all(streams)).await;
}

fn node_with_suites(seed: u8, suites: &[CipherSuite]) -> Node {
    let mut config = Config::new(&identity(seed));
    config.cipher_suites = suites.to_vec();
    Node::with(config, seed)
}

/// QUIC's first packets are AES-128's even where nothing else is.
#[tokio::test]
async fn any_one_cipher_suite_is_enough() {
    for suite in [CipherSuite::ChaCha20Poly1305, CipherSuite::Aes256Gcm, CipherSuite::Aes128Gcm] {
        let mut listener = node_with_suites(1, &[suite]).echo();
        let address = listener.listen(IP4).await;
        let (_, connection) = node_with_suites(2, &[suite]).dial(&address).await.unwrap();
        exchange(Driven::new(connection).open().await, 1, 100_000).await;
        // What offers all finds the one that is there.
        Node::new(3).dial(&address).await.unwrap();
    }
}

#[tokio::test]
async fn no_common_cipher_suite_is_an_error_of_tls_at_once() {
    let mut listener = node_with_suites(1, &[CipherSuite::ChaCha20Poly1305]);
    let address = listener.listen(IP4).await;
    let error = node_with_suites(2, &[CipherSuite::Aes128Gcm]).dial(&address).await.unwrap_err();
    // Not that it timed out.
    assert!(matches!(error, Error::Connection(_)), "{error}");
    assert!(error.to_string().contains("handshake"), "{error}");
}

#[tokio::test]
async fn what_nobody_reads_is_bounded() {
    let mut config = Config::new(&identity(2));
    config.max_send_data = 200_000;
    let mut listening = Config::new(&identity(1));
    (listening.max_stream_data, listening.max_connection_data) = (100_000, 100_000);
    let mut listener = Node::with(listening, 1);
    let address = listener.listen(IP4).await;
    let dialer = Node::with(config, 2);
    let (dialed, accepted) = tokio::join!(dialer.dial(&address), async { listener.accept().await });
    let (dialed, mut accepted) = (Driven::new(dialed.unwrap().1), Driven::new(accepted.1));
    let bytes = noise(1, 1 << 20);
    let mut ours = dialed.open().await;
    let mut written = 0;
    while let Ok(more) =
        tokio::time::timeout(Duration::from_millis(500), ours.write(&bytes[written..])).await
    {
        written += more.unwrap();
    }
    assert!(written <= 300_000, "{written} bytes were taken, and nobody has read one");
    // It goes on where it stood once somebody does.
    let mut theirs = accepted.next().await;
    let write = async {
        ours.write_all(&bytes[written..]).await.unwrap();
        ours.close().await.unwrap();
    };
    let (read, ()) = in_time(async { tokio::join!(read_all(&mut theirs), write) }).await;
    assert!(read.unwrap() == bytes);
}

#[tokio::test]
async fn a_close_in_mid_transfer_is_no_end_of_a_stream() {
    let (_dialer, mut dialed, _listener, mut accepted) = connected().await;
    let mut ours = dialed.open().await;
    ours.write_all(b"a").await.unwrap();
    let mut theirs = accepted.next().await;
    theirs.write_all(b"part of it").await.unwrap();
    let mut read = [0; 10];
    ours.read_exact(&mut read).await.unwrap();
    accepted.close(42, "enough");
    let error = read_all(&mut ours).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionAborted, "{error}");
    match dialed.ended().await {
        Error::Closed { code: Some(42), reason } => assert_eq!(reason, "enough"),
        other => panic!("{other}"),
    }
    accepted.ended().await;
}

/// Whichever side closes, and whatever overtakes what: on several threads, as programs run.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_close_code_arrives_every_time() {
    let mut listener = Node::new(1);
    let address = listener.listen(IP4).await;
    let dialer = Node::new(2);
    for round in 0..100 {
        let (dialed, accepted) =
            tokio::join!(dialer.dial(&address), async { listener.accept().await });
        let (mut one, mut other) = (Driven::new(dialed.unwrap().1), Driven::new(accepted.1));
        if round % 2 == 0 {
            std::mem::swap(&mut one, &mut other);
        }
        one.close(round, "bye");
        match other.ended().await {
            Error::Closed { code: Some(code), reason } => {
                assert_eq!((code, &reason[..]), (round, "bye"));
            }
            error => panic!("round {round}: {error}"),
        }
    }
}

#[tokio::test]
async fn who_closes_is_not_told_that_the_peer_did() {
    let mut listener = Node::new(1);
    let address = listener.listen(IP4).await;
    let dialer = Node::new(2);
    let (dialed, accepted) = tokio::join!(dialer.dial(&address), async { listener.accept().await });
    let (mut dialed, mut accepted) = (dialed.unwrap().1, Driven::new(accepted.1));
    dialed.close_with(7, "enough");
    let error = in_time(poll_fn(|cx| dialed.poll_unpin(cx))).await.unwrap_err();
    assert!(matches!(error, Error::LocallyClosed), "{error}");
    let error = accepted.ended().await;
    assert!(matches!(error, Error::Closed { code: Some(7), .. }), "{error}");
}

#[tokio::test]
async fn a_connection_that_is_dropped_is_closed() {
    let mut listener = Node::new(1);
    let address = listener.listen(IP4).await;
    let dialer = Node::new(2);
    let (dialed, accepted) = tokio::join!(dialer.dial(&address), async { listener.accept().await });
    let mut accepted = Driven::new(accepted.1);
    drop(dialed);
    let ended = accepted.ended().await;
    assert!(matches!(ended, Error::Closed { code: None, .. }), "{ended}");
}

#[tokio::test]
async fn a_restart_changes_no_address() {
    let mut first = Node::new(1);
    let address = first.listen(IP4).await;
    drop(first);
    let port = udp_port(&address).unwrap();
    let mut second = Node::new(1);
    let same_port = IP4.replace("udp/0", &format!("udp/{port}"));
    let again = in_time(async {
        // The socket is free once the tasks of the first are gone.
        loop {
            match second.try_listen(&same_port).await {
                Ok((_, again)) => return again,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    })
    .await;
    assert_eq!(again, address);
    Node::new(2).dial(&address).await.unwrap();
}

#[derive(Debug)]
struct FakeClock(Mutex<SystemTime>);

impl Clock for FakeClock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

#[tokio::test]
async fn certificates_rotate_and_nobody_notices() {
    let clock = Arc::new(FakeClock(Mutex::new(SystemTime::now())));
    let node = |seed| {
        let mut config = Config::new(&identity(seed));
        config.clock = clock.clone();
        config.certificate_check_interval = Duration::from_millis(10);
        Node::with(config, seed)
    };
    let mut listener = node(1);
    let first = listener.listen(IP4).await;
    let dialer = node(2);
    let (dialed, accepted) = tokio::join!(dialer.dial(&first), async { listener.accept().await });
    let (dialed, mut accepted) = (Driven::new(dialed.unwrap().1), Driven::new(accepted.1));

    *clock.0.lock().unwrap() += Duration::from_secs(14 * 86_400 - 2 * 3600);
    let Some(Happened::New(second)) = in_time(listener.happened.recv()).await else { panic!() };
    let Some(Happened::Expired(gone)) = in_time(listener.happened.recv()).await else { panic!() };
    assert_eq!(gone, first);
    let hashes = |address: &Multiaddr| -> Vec<_> {
        address.iter().skip(4).map(|hash| hash.acquire()).collect()
    };
    assert_eq!(hashes(&second)[0], hashes(&first)[1], "what was next is current");

    // The connection lasts, and the old address is good until its second certificate goes as well.
    let mut ours = dialed.open().await;
    ours.write_all(b"still here").await.unwrap();
    ours.close().await.unwrap();
    assert_eq!(read_all(&mut accepted.next().await).await.unwrap(), b"still here");
    dialer.dial(&first).await.unwrap();
    dialer.dial(&second).await.unwrap();
    *clock.0.lock().unwrap() += Duration::from_secs(14 * 86_400 - 2 * 3600);
    assert!(dialer.dial(&first).await.is_err());
    dialer.dial(&second).await.unwrap();
}

#[tokio::test]
async fn a_listener_that_is_removed_keeps_its_connections() {
    let mut listener = Node::new(1);
    let (id, address) = listener.try_listen(IP4).await.unwrap();
    let mut impatient = Config::new(&identity(2));
    impatient.handshake_timeout = Duration::from_secs(1);
    let dialer = Node::with(impatient, 2);
    let (dialed, accepted) = tokio::join!(dialer.dial(&address), async { listener.accept().await });
    let (dialed, mut accepted) = (Driven::new(dialed.unwrap().1), Driven::new(accepted.1));
    listener.remove(id);
    assert!(
        matches!(in_time(listener.happened.recv()).await, Some(Happened::Expired(gone)) if gone == address)
    );
    assert!(matches!(in_time(listener.happened.recv()).await, Some(Happened::Closed)));
    let mut ours = dialed.open().await;
    ours.write_all(b"still here").await.unwrap();
    ours.close().await.unwrap();
    assert_eq!(read_all(&mut accepted.next().await).await.unwrap(), b"still here");
    assert!(dialer.dial(&address).await.is_err());
}

#[tokio::test]
async fn the_listeners_port_is_dialed_from_where_that_is_asked_for() {
    let mut listener = Node::new(1);
    let address = listener.listen(IP4).await;
    let mut dialer = Node::new(2);
    let own = udp_port(&dialer.listen(IP4).await);
    for (port_use, is_own) in [(PortUse::Reuse, true), (PortUse::New, false)] {
        let dialed = dialer.dial_from(&address, port_use).await;
        let accepted = in_time(listener.accepted.recv()).await.unwrap();
        assert_eq!(udp_port(&accepted.send_back) == own, is_own);
        drop((dialed.unwrap(), accepted));
    }
}
