//! Dialers that do what they should not, and a listener that others can still dial.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::future::poll_fn;
use std::time::Duration;

use futures::FutureExt;
use libp2p_core::Multiaddr;
use libp2p_core::muxing::StreamMuxerExt;
use libp2p_webtransport_native::wire::stream::bidi_prefix;
use libp2p_webtransport_native::wire::{capsule, frame, headers, settings};
use libp2p_webtransport_native::{Config, Connection, Error};
use quinn::VarInt;
use support::raw::{RawDialer, status};
use support::{Accepted, Driven, IP4, Node, exchange, identity, in_time, read_all};

const NO_ERROR: u64 = 0x100;
const GENERAL_PROTOCOL_ERROR: u64 = 0x101;
const FRAME_ERROR: u64 = 0x106;
const EXCESSIVE_LOAD: u64 = 0x107;
const REQUEST_CANCELLED: u64 = 0x10c;
const REQUEST_INCOMPLETE: u64 = 0x10d;
const MESSAGE_ERROR: u64 = 0x10e;
const PATH: &str = headers::PATH_AND_QUERY;

async fn listener() -> (Node, Multiaddr) {
    listener_with(|_| ()).await
}

async fn listener_with(change: impl FnOnce(&mut Config)) -> (Node, Multiaddr) {
    let mut config = Config::new(&identity(1));
    change(&mut config);
    let mut listener = Node::with(config, 1);
    let address = listener.listen(IP4).await;
    (listener, address)
}

/// Why a handshake failed.
async fn failed(listener: &mut Node) -> Error {
    match in_time(listener.accepted.recv()).await {
        Some(Accepted { result: Err(error), .. }) => error,
        Some(Accepted { result: Ok((peer, _)), .. }) => panic!("{peer} was taken"),
        None => panic!("the listener is gone"),
    }
}

/// A dialer by hand whose handshake is done, with what it needs to keep open, and the other side.
async fn connected() -> (RawDialer, (quinn::SendStream, quinn::RecvStream), Node, Connection) {
    let (mut listener, address) = listener().await;
    let dialer = RawDialer::dial(&address).await;
    let connect = dialer.session().await;
    let stream = dialer.stream(connect.0.id()).await;
    dialer.noise(stream).await.unwrap();
    let (_, connection) = listener.accept().await;
    (dialer, connect, listener, connection)
}

/// A session, with that option changed.
async fn session_with(
    change: impl FnOnce(&mut Config),
) -> (RawDialer, (quinn::SendStream, quinn::RecvStream), Node, Driven) {
    let (mut listener, address) = listener_with(change).await;
    let dialer = RawDialer::dial(&address).await;
    let connect = dialer.session().await;
    let noise = dialer.stream(connect.0.id()).await;
    dialer.noise(noise).await.unwrap();
    let (_, connection) = listener.accept().await;
    (dialer, connect, listener, Driven::new(connection))
}

#[tokio::test]
async fn wrong_path_wrong_type_and_plain_get_are_answered_and_the_connection_kept() {
    let (mut listener, address) = listener().await;
    let dialer = RawDialer::dial(&address).await;
    for (path, expected) in [
        ("/", 404),
        ("/.well-known/libp2p-webtransport/?type=noise", 404),
        ("/.well-known/libp2p-webtransport?type=tls", 400),
        ("/.well-known/libp2p-webtransport", 400),
    ] {
        let (_send, mut recv) = dialer.connect(path).await;
        assert_eq!(status(&mut recv).await, expected, "{path}");
    }
    let get = [(":method", "GET"), (":scheme", "https"), (":authority", "a"), (":path", "/")];
    let (mut send, mut recv) = dialer.request(&get).await;
    send.finish().unwrap();
    assert_eq!(status(&mut recv).await, 404);
    assert_eq!(in_time(recv.read(&mut [0])).await.unwrap(), None, "the response has an end");

    let connect = dialer.session().await;
    let stream = dialer.stream(connect.0.id()).await;
    assert_eq!(dialer.noise(stream).await.unwrap(), listener.peer);
    let (_, connection) = listener.accept().await;

    // Nor does a request in mid-session harm it, or a second session.
    let mut connection = Driven::new(connection);
    let (_send, mut recv) = dialer.request(&get).await;
    assert_eq!(status(&mut recv).await, 404);
    let (_send, mut recv) = dialer.connect(PATH).await;
    let rejected = in_time(recv.read_chunk(1, true)).await.unwrap_err();
    assert_eq!(rejected, quinn::ReadError::Reset(VarInt::from_u32(0x10b)));
    let (mut send, _recv) = dialer.stream(connect.0.id()).await;
    send.finish().unwrap();
    assert_eq!(read_all(&mut connection.next().await).await.unwrap(), b"");
}

/// The code that the other side resets a stream with.
async fn reset_with(recv: &mut quinn::RecvStream) -> u64 {
    match in_time(recv.read_chunk(1, true)).await {
        Err(quinn::ReadError::Reset(code)) => code.into_inner(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_malformed_request_is_an_error_of_its_stream_alone() {
    let (mut listener, address) = listener().await;
    let dialer = RawDialer::dial(&address).await;
    let malformed: [&[(&str, &str)]; 3] = [
        &[(":path", "/")],
        &[(":method", "GET"), (":method", "GET"), (":path", "/")],
        &[(":method", "CONNECT"), (":path", PATH), (":path", PATH), (":protocol", "webtransport")],
    ];
    for fields in malformed {
        let (_send, mut recv) = dialer.request(fields).await;
        assert_eq!(reset_with(&mut recv).await, MESSAGE_ERROR, "{fields:?}");
    }
    let connect = dialer.session().await;
    let stream = dialer.stream(connect.0.id()).await;
    dialer.noise(stream).await.unwrap();
    let mut connection = Driven::new(listener.accept().await.1);
    for fields in malformed {
        let (_send, mut recv) = dialer.request(fields).await;
        assert_eq!(reset_with(&mut recv).await, MESSAGE_ERROR, "{fields:?}");
    }
    let (mut send, _recv) = dialer.stream(connect.0.id()).await;
    send.finish().unwrap();
    assert_eq!(read_all(&mut connection.next().await).await.unwrap(), b"");
}

#[tokio::test]
async fn a_request_that_is_not_finished_is_given_up() {
    let (_listener, address) =
        listener_with(|config| config.request_timeout = Duration::from_millis(300)).await;
    let dialer = RawDialer::dial(&address).await;
    // It goes on no more, or ends.
    for (ends, code) in [(false, REQUEST_CANCELLED), (true, REQUEST_INCOMPLETE)] {
        let (mut send, mut recv) = dialer.quic.open_bi().await.unwrap();
        // A frame of an unknown type, which may come before HEADERS.
        send.write_all(&[0x21, 0]).await.unwrap();
        if ends {
            send.finish().unwrap();
        }
        assert_eq!(reset_with(&mut recv).await, code);
    }
    assert!(dialer.quic.close_reason().is_none());
}

#[tokio::test]
async fn a_session_that_never_starts_noise_ends() {
    let (mut listener, address) =
        listener_with(|config| config.handshake_timeout = Duration::from_secs(1)).await;
    let dialer = RawDialer::dial(&address).await;
    let _session = dialer.session().await;
    assert!(matches!(failed(&mut listener).await, Error::HandshakeTimedOut));
    assert_eq!(dialer.closed_with().await, REQUEST_CANCELLED);
}

/// Not even the SETTINGS of the listener.
#[tokio::test]
async fn a_dialer_that_takes_nothing_is_let_go() {
    let (mut listener, address) =
        listener_with(|config| config.handshake_timeout = Duration::from_secs(1)).await;
    let dialer = RawDialer::dial_with_room(0, &address).await;
    assert!(matches!(failed(&mut listener).await, Error::HandshakeTimedOut));
    assert_eq!(dialer.closed_with().await, REQUEST_CANCELLED);
}

#[tokio::test]
async fn a_dialer_that_asks_for_nothing_is_let_go() {
    let (mut listener, address) =
        listener_with(|config| config.handshake_timeout = Duration::from_secs(1)).await;
    let dialer = RawDialer::dial(&address).await;
    assert!(matches!(failed(&mut listener).await, Error::HandshakeTimedOut));
    assert_eq!(dialer.closed_with().await, REQUEST_CANCELLED);
}

#[tokio::test]
async fn a_second_stream_before_noise_is_done_waits_for_it() {
    let (mut listener, address) = listener().await;
    let dialer = RawDialer::dial(&address).await;
    let connect = dialer.session().await;
    let first = dialer.stream(connect.0.id()).await;
    let (mut second, _recv) = dialer.stream(connect.0.id()).await;
    second.write_all(b"too early").await.unwrap();
    second.finish().unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(listener.accepted.try_recv().is_err(), "nobody is known before Noise is done");
    dialer.noise(first).await.unwrap();
    let (_, connection) = listener.accept().await;
    assert_eq!(read_all(&mut Driven::new(connection).next().await).await.unwrap(), b"too early");
}

/// Streams overtake the request for their session, and each other.
#[tokio::test]
async fn streams_before_the_session_wait_for_it_in_the_order_that_they_were_opened_in() {
    let (mut listener, address) = listener().await;
    let dialer = RawDialer::dial(&address).await;
    let (mut connect, mut answer) = dialer.quic.open_bi().await.unwrap();
    let mut noise = dialer.quic.open_bi().await.unwrap();
    let mut later = Vec::new();
    for said in [b"one", b"two"] {
        let (mut send, recv) = dialer.stream(connect.id()).await;
        send.write_all(said).await.unwrap();
        send.finish().unwrap();
        // It is there.
        assert_eq!(in_time(send.stopped()).await.unwrap(), None);
        later.push(recv);
        if said == b"one" {
            noise.0.write_all(&bidi_prefix(connect.id().into())).await.unwrap();
        }
    }
    let mut request = Vec::new();
    headers::write_request("127.0.0.1", &mut request).unwrap();
    connect.write_all(&request).await.unwrap();
    assert_eq!(status(&mut answer).await, 200);
    assert_eq!(dialer.noise(noise).await.unwrap(), listener.peer);
    let mut connection = Driven::new(listener.accept().await.1);
    for said in [b"one", b"two"] {
        assert_eq!(read_all(&mut connection.next().await).await.unwrap(), said);
    }
}

#[tokio::test]
async fn streams_of_other_sessions_are_rejected() {
    let (dialer, _connect, _listener, connection) = connected().await;
    let _connection = Driven::new(connection);
    let (mut send, mut recv) = dialer.stream(400_u32).await;
    let rejected = VarInt::from_u32(0x3994_bd84);
    let error = in_time(recv.read_chunk(1, true)).await.unwrap_err();
    assert_eq!(error, quinn::ReadError::Reset(rejected));
    assert_eq!(in_time(send.stopped()).await.unwrap(), Some(rejected));
    // Not to be taken for the end of the connection.
    assert!(dialer.quic.close_reason().is_none());
    let _ = send.reset(rejected);
}

#[tokio::test]
async fn garbage_in_noise() {
    let (mut listener, address) = listener().await;
    let dialer = RawDialer::dial(&address).await;
    let connect = dialer.session().await;
    let (mut send, _recv) = dialer.stream(connect.0.id()).await;
    let garbage = [&[0x00, 0x60][..], &[0xff; 0x60]].concat();
    // The first message is only a key, which anything is: the third is not.
    send.write_all(&garbage).await.unwrap();
    send.write_all(&garbage).await.unwrap();
    assert!(matches!(failed(&mut listener).await, Error::Noise(_)));
    assert_eq!(dialer.closed_with().await, GENERAL_PROTOCOL_ERROR);
}

#[tokio::test]
async fn a_header_block_bomb() {
    let (mut listener, address) = listener().await;
    // A claim alone; then a block whose fields are ten times as large as it is.
    let claim = vec![0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    let mut bomb = Vec::new();
    frame::write(frame::HEADERS, &[&[0, 0][..], &[0xd8; 4_000]].concat(), &mut bomb);
    for bytes in [claim, bomb] {
        let dialer = RawDialer::dial(&address).await;
        let (mut send, _recv) = dialer.quic.open_bi().await.unwrap();
        send.write_all(&bytes).await.unwrap();
        let error = failed(&mut listener).await;
        assert!(matches!(error, Error::Protocol(_)), "{error}");
        assert_eq!(dialer.closed_with().await, EXCESSIVE_LOAD);
    }
}

#[tokio::test]
async fn a_capsule_that_claims_to_be_endless() {
    let (dialer, mut connect, _listener, connection) = connected().await;
    let mut connection = Driven::new(connection);
    let mut bytes = Vec::new();
    frame::write(frame::DATA, &[0x21, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], &mut bytes);
    connect.0.write_all(&bytes).await.unwrap();
    let error = connection.ended().await;
    assert!(matches!(error, Error::Protocol(_)), "{error}");
    assert_eq!(dialer.closed_with().await, EXCESSIVE_LOAD);
}

/// In as many ways as peers have: a capsule, the end of the stream, and of the connection as go-libp2p
/// ends it. One that is cut into pieces is a capsule still, and unknown ones before it are skipped.
#[tokio::test]
async fn clean_ends() {
    for way in ["capsule", "pieces", "end", "go", "http/3"] {
        let (dialer, (mut send, _recv), _listener, connection) = connected().await;
        let mut connection = Driven::new(connection);
        let mut close = vec![0x21, 3, 1, 2, 3];
        capsule::write_close(7, "bye", &mut close);
        let mut bytes = Vec::new();
        match way {
            "capsule" => frame::write(frame::DATA, &close, &mut bytes),
            "pieces" => {
                close.iter().for_each(|byte| frame::write(frame::DATA, &[*byte], &mut bytes))
            }
            "end" => send.finish().unwrap(),
            "go" => dialer.quic.close(1_u32.into(), b""),
            _ => dialer.quic.close(0x100_u32.into(), b""),
        }
        if !bytes.is_empty() {
            send.write_all(&bytes).await.unwrap();
        }
        match (way, connection.ended().await) {
            ("capsule" | "pieces", Error::Closed { code: Some(7), reason }) => {
                assert_eq!(reason, "bye")
            }
            ("capsule" | "pieces", other) => panic!("{way}: {other}"),
            (_, Error::Closed { code: None, .. }) => {}
            (_, other) => panic!("{way}: {other}"),
        }
    }
}

#[tokio::test]
async fn an_end_with_another_code_is_not_clean() {
    let (dialer, _connect, _listener, connection) = connected().await;
    let mut connection = Driven::new(connection);
    dialer.quic.close(0x102_u32.into(), b"");
    let error = connection.ended().await;
    assert!(matches!(error, Error::Connection(_)), "{error}");
}

#[tokio::test]
async fn a_session_that_is_reset_has_no_clean_end() {
    let (_dialer, (mut send, _recv), _listener, connection) = connected().await;
    let mut connection = Driven::new(connection);
    send.reset(REQUEST_CANCELLED.try_into().unwrap()).unwrap();
    let error = connection.ended().await;
    assert!(matches!(error, Error::SessionReset { code: REQUEST_CANCELLED }), "{error}");
}

#[tokio::test]
async fn a_session_that_is_cut_off_has_no_clean_end() {
    // Within a capsule, and within the frame around one.
    let mut capsule = Vec::new();
    capsule::write_close(7, "bye", &mut capsule);
    capsule.pop();
    let mut in_capsule = Vec::new();
    frame::write(frame::DATA, &capsule, &mut in_capsule);
    let in_frame = in_capsule[..in_capsule.len() - 1].to_vec();
    for (bytes, code) in [(in_capsule, MESSAGE_ERROR), (in_frame, FRAME_ERROR)] {
        let (dialer, (mut send, _recv), _listener, connection) = connected().await;
        let mut connection = Driven::new(connection);
        send.write_all(&bytes).await.unwrap();
        send.finish().unwrap();
        let error = connection.ended().await;
        assert!(matches!(error, Error::Protocol(_)), "{error}");
        assert_eq!(dialer.closed_with().await, code);
    }
}

/// Whoever closes gives the peer the time to read the code.
#[tokio::test]
async fn a_close_is_read_before_the_connection_ends() {
    let (dialer, (mut send, mut recv), _listener, connection) =
        session_with(|config| config.close_timeout = Duration::from_secs(60)).await;
    connection.close(42, "enough");
    // It has arrived, and was acknowledged: nobody has read it.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(dialer.quic.close_reason(), None);
    assert_eq!(farewell(&mut recv).await, (42, "enough".to_owned()));
    send.finish().unwrap();
    assert_eq!(dialer.closed_with().await, NO_ERROR);
}

#[tokio::test]
async fn who_does_not_read_a_close_is_not_waited_for() {
    let (dialer, _connect, _listener, connection) =
        session_with(|config| config.close_timeout = Duration::from_millis(300)).await;
    connection.close(42, "enough");
    assert_eq!(dialer.closed_with().await, NO_ERROR);
}

/// What a session's stream says last.
async fn farewell(recv: &mut quinn::RecvStream) -> (u32, String) {
    let bytes = in_time(recv.read_to_end(4096)).await.unwrap();
    let mut frames = frame::FrameDecoder::new(4096);
    frames.push(&bytes);
    let mut capsules = capsule::CapsuleDecoder::new(4096);
    while let Some(frame) = frames.next().unwrap() {
        if let frame::Frame::Data(part) = frame {
            capsules.push(&part);
        }
    }
    match capsules.next().unwrap() {
        Some(capsule::Capsule::Close { code, reason }) => (code, reason),
        other => panic!("{other:?}"),
    }
}

/// Both are there before anybody looks.
#[tokio::test]
async fn a_code_counts_for_more_than_the_end_of_the_connection() {
    for is_watched in [true, false] {
        let (dialer, (mut send, _recv), _listener, mut connection) = connected().await;
        if is_watched {
            assert!(poll_fn(|cx| connection.poll_unpin(cx)).now_or_never().is_none());
        }
        let (mut close, mut bytes) = (Vec::new(), Vec::new());
        capsule::write_close(7, "bye", &mut close);
        frame::write(frame::DATA, &close, &mut bytes);
        send.write_all(&bytes).await.unwrap();
        send.finish().unwrap();
        in_time(send.stopped()).await.unwrap();
        dialer.quic.close(1_u32.into(), b"");
        tokio::time::sleep(Duration::from_millis(100)).await;
        let error = in_time(poll_fn(|cx| connection.poll_unpin(cx))).await.unwrap_err();
        assert!(matches!(error, Error::Closed { code: Some(7), .. }), "{error}");
    }
}

#[tokio::test]
async fn what_has_ended_is_closed_at_once() {
    let (dialer, connect, _listener, mut connection) = connected().await;
    // More than wait to be taken, and nobody takes one: whoever looks at new streams waits for that.
    let mut streams = Vec::new();
    for _ in 0..32 {
        streams.push(dialer.stream(connect.0.id()).await);
    }
    let some_time = Duration::from_millis(200);
    let alive = poll_fn(|cx| connection.poll_unpin(cx));
    assert!(tokio::time::timeout(some_time, alive).await.is_err());
    dialer.quic.close(0x102_u32.into(), b"");
    let error = in_time(poll_fn(|cx| connection.poll_unpin(cx))).await.unwrap_err();
    assert!(matches!(error, Error::Connection(_)), "{error}");
    in_time(poll_fn(|cx| connection.poll_close_unpin(cx))).await.unwrap();
    assert!(poll_fn(|cx| connection.poll_unpin(cx)).now_or_never().unwrap().is_err());
}

async fn is_reset(recv: &mut quinn::RecvStream) {
    let reset = in_time(recv.read_chunk(1, true)).await;
    assert!(matches!(reset, Err(quinn::ReadError::Reset(_))), "{reset:?}");
}

#[tokio::test]
async fn streams_without_a_prefix_are_bounded_in_number() {
    let (dialer, connect, _listener, mut connection) =
        session_with(|config| config.max_streams_awaiting_prefix = Some(4)).await;
    let prefix = bidi_prefix(connect.0.id().into());
    let mut silent = Vec::new();
    for _ in 0..12 {
        let (mut send, recv) = dialer.quic.open_bi().await.unwrap();
        // Half of it.
        send.write_all(&prefix[..1]).await.unwrap();
        silent.push((send, recv));
    }
    // Who says what it is gets through.
    let (mut send, _recv) = dialer.stream(connect.0.id()).await;
    send.write_all(b"here").await.unwrap();
    send.finish().unwrap();
    assert_eq!(read_all(&mut connection.next().await).await.unwrap(), b"here");
    // The oldest have made room for the others, who still may.
    for (_, recv) in &mut silent[..8] {
        is_reset(recv).await;
    }
    for (mut send, _recv) in silent.drain(8..) {
        send.write_all(&prefix[1..]).await.unwrap();
        send.finish().unwrap();
        assert_eq!(read_all(&mut connection.next().await).await.unwrap(), b"");
    }
}

#[tokio::test]
async fn streams_without_a_prefix_are_bounded_in_time_where_that_is_asked_for() {
    let deadline = Some(Duration::from_millis(300));
    let (dialer, connect, _listener, mut connection) =
        session_with(|config| config.stream_prefix_timeout = deadline).await;
    let (mut send, mut recv) = dialer.quic.open_bi().await.unwrap();
    send.write_all(&[0x40]).await.unwrap();
    is_reset(&mut recv).await;
    let (mut send, _recv) = dialer.stream(connect.0.id()).await;
    send.finish().unwrap();
    assert_eq!(read_all(&mut connection.next().await).await.unwrap(), b"");
}

/// As go-libp2p does it: a stream that a later one opens, and that says what it is when there is something
/// to say.
#[tokio::test]
async fn a_stream_may_be_silent_for_an_hour() {
    let (dialer, connect, _listener, mut connection) = session_with(|_| ()).await;
    let (mut silent, _recv) = dialer.quic.open_bi().await.unwrap();
    let (mut later, _recv) = dialer.stream(connect.0.id()).await;
    later.finish().unwrap();
    assert_eq!(read_all(&mut connection.next().await).await.unwrap(), b"");
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    tokio::time::resume();
    silent.write_all(&bidi_prefix(connect.0.id().into())).await.unwrap();
    silent.write_all(b"at last").await.unwrap();
    silent.finish().unwrap();
    assert_eq!(read_all(&mut connection.next().await).await.unwrap(), b"at last");
}

#[tokio::test]
async fn who_takes_no_answer_is_not_waited_for() {
    let (_listener, address) =
        listener_with(|config| config.request_timeout = Duration::from_millis(300)).await;
    // There is room for the listener's SETTINGS, and for nothing more.
    let mut control = vec![0];
    settings::write_ours(&mut control);
    let dialer = RawDialer::dial_with_room(control.len(), &address).await;
    let get = [(":method", "GET"), (":scheme", "https"), (":authority", "a"), (":path", "/")];
    let (_send, mut recv) = dialer.request(&get).await;
    assert_eq!(reset_with(&mut recv).await, REQUEST_CANCELLED);
}

#[tokio::test]
async fn half_open_sessions_from_one_address_leave_room_for_others() {
    let (listener, address) = listener_with(|config| {
        config.max_pending_sessions = 32;
        config.max_pending_sessions_per_address = 8;
    })
    .await;
    let _listener = listener.echo();
    let mut half_open = Vec::new();
    let mut refused = 0;
    for _ in 0..40 {
        match RawDialer::dial_from("127.0.0.2", &address).await {
            Ok(dialer) => half_open.push(dialer),
            Err(_) => refused += 1,
        }
    }
    assert_eq!((half_open.len(), refused), (8, 32));
    let (_, connection) = Node::new(2).dial(&address).await.unwrap();
    exchange(Driven::new(connection).open().await, 1, 1_000).await;
    // Their places are free again once they are gone.
    drop(half_open);
    let dialed = async {
        while RawDialer::dial_from("127.0.0.2", &address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    in_time(dialed).await;
}

#[tokio::test]
async fn control_streams_that_break_the_rules() {
    // A second one; one that does not begin with SETTINGS; one that ends.
    let (mut listener, address) = listener().await;
    let cases: [(&[u8], bool, u64); 3] =
        [(&[0, 4, 0], false, 0x103), (&[0, 0x21, 0], false, 0x103), (&[0x02], true, 0x104)];
    for (bytes, ends, code) in cases {
        let dialer = RawDialer::dial(&address).await;
        let mut uni = dialer.quic.open_uni().await.unwrap();
        uni.write_all(bytes).await.unwrap();
        if ends {
            uni.finish().unwrap();
        }
        let error = failed(&mut listener).await;
        assert!(matches!(error, Error::Protocol(_)), "{error}");
        assert_eq!(dialer.closed_with().await, code);
    }
}

#[tokio::test]
async fn unknown_unidirectional_streams_and_datagrams_do_no_harm() {
    let (dialer, connect, _listener, connection) = connected().await;
    let mut connection = Driven::new(connection);
    for kind in [0x21, 0x54] {
        let mut uni = dialer.quic.open_uni().await.unwrap();
        uni.write_all(&[0x40, kind, 0, 1, 2, 3]).await.unwrap();
        in_time(uni.stopped()).await.unwrap().expect("it is not wanted");
    }
    for _ in 0..100 {
        dialer.quic.send_datagram(vec![0; 1000].into()).unwrap();
    }
    let (mut send, _recv) = dialer.stream(connect.0.id()).await;
    send.finish().unwrap();
    assert_eq!(read_all(&mut connection.next().await).await.unwrap(), b"");
}
