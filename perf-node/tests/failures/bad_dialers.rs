//! Dialers that do not keep to the protocol, or to none at all. The same listener serves a good one
//! after each. What `perf-node probe server` does to every node, `tests/probe` has done to ours.

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, join};
use harness_sdk::Muxer;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, Stream};
use nix::sys::signal::Signal;
use perf_node::swarm::OpenError;
use tokio::time::{sleep, timeout};

use crate::support::{Dialer, LIMIT, Listening, Process, dial, each_libp2p_stack, stacks};

/// What the listener allows a stream that should move.
const STALL: Duration = Duration::from_secs(1);

/// What a dialer does to a listener, over one connection.
type Abuse = (&'static str, fn(Dialer) -> BoxFuture<'static, ()>);

const ABUSES: [Abuse; 4] = [
    ("sends no header", |dialer| sends_no_header(dialer).boxed()),
    ("never reads what it asked for", |dialer| never_reads_what_it_asked_for(dialer).boxed()),
    ("opens hundreds of streams", |dialer| opens_hundreds_of_streams(dialer).boxed()),
    ("opens no stream", |dialer| async move { drop(dialer) }.boxed()),
];

#[tokio::test]
async fn a_listener_survives_every_dialer() {
    each_libp2p_stack(async |stack| {
        let listening = Listening::start(&stack, &["--stall-secs", "1"]).await;
        let serves = async || {
            let good = dial(&stack, &listening.address).measuring([1, 1, 5], 100_000);
            good.run().await.measured([1, 1, 5]);
        };
        for (name, abuse) in ABUSES {
            let dialer = Dialer::connect(&stack, &listening.address).await;
            let abused = timeout(LIMIT, abuse(dialer)).await;
            assert!(abused.is_ok(), "{stack}: a dialer that {name} was left hanging");
            serves().await;
        }
        send_garbage(&listening.address.parse().unwrap());
        serves().await;

        let mut killed =
            dial(&stack, &listening.address).measuring([100_000, 0, 0], 1_000_000).spawn();
        killed.wait_for_stderr("upload 2/").await;
        killed.kill().await;
        serves().await;

        let ended = listening.process.stop(Signal::SIGTERM).await;
        assert_eq!(ended.stdout, format!("{}\n", listening.address));
    })
    .await;
}

/// The good dialers are served while the bad streams stand.
#[tokio::test]
async fn a_listener_serves_others_meanwhile() {
    each_libp2p_stack(async |stack| {
        let listening = Listening::start(&stack, &["--stall-secs", "30"]).await;
        let bad = Dialer::connect(&stack, &listening.address).await;
        let _stuck = join_all((0..10).map(async |_| ask(&bad, u64::MAX).await)).await;
        let good = || dial(&stack, &listening.address).measuring([2, 2, 5], 100_000).spawn();
        let both: [Process; 2] = [good(), good()];
        for process in both {
            process.ended().await.measured([2, 2, 5]);
        }
        listening.process.stop(Signal::SIGTERM).await;
    })
    .await;
}

/// For an upload the end of its stream is the receipt, so one that is given up ends with its connection. One
/// that has asked for bytes misses them, and is given up alone.
#[tokio::test]
async fn giving_up_an_upload_is_no_receipt() {
    each_libp2p_stack(async |stack| {
        let listening = Listening::start(&stack, &["--stall-secs", "1"]).await;
        for header in [8, 3] {
            let dialer = Dialer::connect(&stack, &listening.address).await;
            let mut stream = dialer.open().await;
            stream.write_all(&[0; 8][..header]).await.unwrap();
            stream.flush().await.unwrap();
            ended_with_its_connection(&dialer, &mut stream).await;
        }
        let dialer = Dialer::connect(&stack, &listening.address).await;
        let mut stream = ask(&dialer, 1000).await;
        sleep(2 * STALL).await;
        let (received, ()) = join!(drain(&mut stream), is_served(&dialer));
        assert_eq!(received, 0);
    })
    .await;
}

/// yamux alone takes as many streams of a connection.
#[tokio::test]
async fn a_stream_beyond_those_that_are_answered_ends_its_connection() {
    for stack in stacks().into_iter().filter(|stack| stack.muxer == Some(Muxer::Yamux)) {
        let listening = Listening::start(&stack, &[]).await;
        let dialer = Dialer::connect(&stack, &listening.address).await;
        let mut open = Vec::new();
        for _ in 0..256 {
            open.push(ask(&dialer, 0).await);
        }
        // Closed before it was agreed on, maybe.
        if let Ok(mut stream) = dialer.try_to_open().await {
            ended_with_its_connection(&dialer, &mut stream).await;
        }
        assert!(dialer.try_to_open().await.is_err());
        let good = dial(&stack, &listening.address).measuring([1, 1, 5], 100_000);
        good.run().await.measured([1, 1, 5]);
    }
}

/// Waits for the end of `stream`, after which nothing is to be had on its connection.
async fn ended_with_its_connection(dialer: &Dialer, stream: &mut Stream) {
    let ended = timeout(LIMIT, drain(stream)).await;
    assert_eq!(ended, Ok(0), "{}: the stream stands", dialer.stack);
    let opened = timeout(LIMIT, dialer.try_to_open()).await;
    assert!(matches!(opened, Ok(Err(_))), "{}: {opened:?}", dialer.stack);
}

/// A stream with a header that asks for `bytes`, flushed and not closed.
async fn ask(dialer: &Dialer, bytes: u64) -> Stream {
    try_to_ask(dialer, bytes).await.unwrap()
}

async fn try_to_ask(dialer: &Dialer, bytes: u64) -> Result<Stream, OpenError> {
    let mut stream = dialer.try_to_open().await?;
    stream.write_all(&bytes.to_be_bytes()).await?;
    stream.flush().await?;
    Ok(stream)
}

/// Reads until the listener ends or resets the stream; how many bytes came.
async fn drain(stream: &mut Stream) -> u64 {
    let (mut block, mut received) = (vec![0; 65_536], 0);
    while let Ok(size @ 1..) = stream.read(&mut block).await {
        received += size as u64;
    }
    received
}

/// A good exchange. It also makes libp2p-mplex send the reset of another stream, which it keeps in
/// a buffer until something else is sent.
async fn is_served(dialer: &Dialer) {
    let mut stream = ask(dialer, 1000).await;
    stream.close().await.unwrap();
    assert_eq!(drain(&mut stream).await, 1000);
}

async fn sends_no_header(dialer: Dialer) {
    let mut stream = dialer.open().await;
    stream.close().await.unwrap();
    let (received, ()) = join!(drain(&mut stream), is_served(&dialer));
    assert_eq!(received, 0);
}

async fn never_reads_what_it_asked_for(dialer: Dialer) {
    let mut stream = ask(&dialer, u64::MAX).await;
    stream.close().await.unwrap();
    sleep(2 * STALL).await;
    // What was under way when it was given up, and no more. Without flow control it stands before
    // the other stream's answer.
    let (received, ()) = join!(drain(&mut stream), is_served(&dialer));
    assert!(received < 1 << 30, "{received}");
}

async fn opens_hundreds_of_streams(dialer: Dialer) {
    // Some stacks let the last of them wait, or end the connection.
    let many = (0..300).map(async |_| timeout(STALL, try_to_ask(&dialer, u64::MAX)).await);
    let opened = join_all(many).await.iter().filter(|asked| matches!(asked, Ok(Ok(_)))).count();
    assert!(opened > 0);
}

/// Bytes that are of no protocol, over the bare transport.
fn send_garbage(address: &Multiaddr) {
    let garbage = [0xff; 1200];
    match address.iter().nth(1).unwrap() {
        Protocol::Tcp(port) => {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.write_all(&garbage).unwrap();
        }
        Protocol::Udp(port) => {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            for _ in 0..10 {
                socket.send_to(&garbage, ("127.0.0.1", port)).unwrap();
            }
        }
        other => panic!("{other}"),
    }
}
