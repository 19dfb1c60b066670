//! A listener that stands open, on every stack: what it refuses, whom, and that it serves on.

use std::time::Duration;

use futures::future::join_all;
use harness_sdk::{Class, Stack, Transport};
use libp2p::PeerId;
use nix::sys::signal::Signal;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::support::{
    Ended, LIMIT, Listening, NONE, Process, all_stacks, dial, each_stack, has_streams, is_over_tcp,
    node,
};

const MEGABYTES_20: u64 = 20_000_000;

/// As many uploads and downloads of `bytes` each.
async fn moves(stack: &Stack, address: &str, [up, down]: [usize; 2], bytes: u64) -> Ended {
    dial(stack, address).measuring([up, down, 0], bytes).run().await
}

/// What makes a dialer send several requests at once.
fn at_once(stack: &Stack, requests: &'static str) -> [&'static str; 2] {
    [if has_streams(stack) { "--streams" } else { "--connections" }, requests]
}

/// Whether a dialer says who it is.
fn has_peers(stack: &Stack) -> bool {
    !matches!(stack.transport, Transport::RawTcp | Transport::RawTls | Transport::RawQuic)
}

#[tokio::test]
async fn strangers_are_not_let_in() {
    each_stack(async |stack| {
        if !has_peers(&stack) {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        let identity = ["--identity", key.to_str().unwrap()];
        let friend = Listening::start(&stack, &identity).await;
        let (_, id) = friend.address.rsplit_once('/').unwrap();
        let allowed = ["--allow-peer", id];
        let mut listening = Listening::start(&stack, &allowed).await;
        let stranger = moves(&stack, &listening.address, [1, 0], 1000).await;
        // It may hear of it while it settles, or with its first stream.
        assert!([4, 5].contains(&stranger.status), "{}", stranger.everything());
        listening.process.wait_for_stderr("was not let in").await;
        let launch = dial(&stack, &listening.address).measuring([1, 1, 1], 1000).args(identity);
        launch.run().await.measured([1, 1, 1]);
    })
    .await;
}

#[tokio::test]
async fn peers_are_not_named_where_nobody_is_one() {
    for stack in all_stacks().filter(|stack| !has_peers(stack)) {
        let peer = PeerId::random().to_string();
        let listen = node().args(["listen", "--allow-peer", &peer, "--transport"]);
        let ended = listen.arg(stack.transport.as_str()).run().await;
        let message = ended.failed_silently(Class::Usage);
        assert!(message.contains("does not say who it is"), "{message}");
    }
}

#[tokio::test]
async fn a_stream_that_takes_too_much_ends_its_connection_and_the_next_is_served() {
    each_stack(async |stack| {
        let mut listening = Listening::start(&stack, &["--max-bytes", "1M"]).await;
        let address = listening.address.clone();
        // One byte too many may have left, its stream's end too, before anybody minds.
        for (which, bytes) in
            [([1, 0], MEGABYTES_20), ([1, 0], (1 << 20) + 1), ([0, 1], MEGABYTES_20)]
        {
            let broken = moves(&stack, &address, which, bytes).await;
            broken.failed(Class::Transfer, NONE);
            assert!(broken.lived < Duration::from_secs(20), "{}", broken.everything());
        }
        listening.process.wait_for_stderr("uploads more than --max-bytes").await;
        // At most one refusal a second is told.
        sleep(Duration::from_millis(1100)).await;
        moves(&stack, &address, [0, 1], MEGABYTES_20).await.failed(Class::Transfer, NONE);
        listening.process.wait_for_stderr("asks for 20000000").await;
        moves(&stack, &address, [1, 1], 1 << 20).await.measured([1, 1, 0]);
    })
    .await;
}

#[tokio::test]
async fn all_streams_together_keep_to_the_rate() {
    each_stack(async |stack| {
        let listening = Listening::start(&stack, &["--max-rate", "4M"]).await;
        let launch = dial(&stack, &listening.address).measuring([1, 1, 0], 1 << 20);
        let document = launch.args(at_once(&stack, "4")).run().await.measured([1, 1, 0]);
        // 4 MiB in a second, but for a burst of a twentieth and a piece of each stream.
        let most = f64::from(4 << 20) * 8.0 / 1e9 * 1.15;
        for section in [document.upload.unwrap(), document.download.unwrap()] {
            let gbps = section.samples[0];
            assert!(gbps < most && gbps > most / 5.0, "{stack}: {gbps}, at most {most}");
        }
    })
    .await;
}

/// Four bytes take as long as a stall does.
#[tokio::test]
async fn a_stream_that_waits_for_its_turn_is_not_given_up() {
    each_stack(async |stack| {
        let limits = ["--max-rate", "4", "--stall-secs", "1"];
        let listening = Listening::start(&stack, &limits).await;
        let ended = moves(&stack, &listening.address, [1, 0], 24).await;
        // Six seconds or more, but for a burst: no sooner is it the listener's.
        assert!(ended.lived > Duration::from_secs(5), "{}", ended.everything());
        ended.measured([1, 0, 0]);
    })
    .await;
}

#[tokio::test]
async fn connections_beyond_those_that_may_be_are_refused() {
    each_stack(async |stack| {
        let mut listening = Listening::start(&stack, &["--max-connections", "2"]).await;
        let with = async |connections: &str| {
            let launch = dial(&stack, &listening.address).measuring([1, 0, 0], 1000);
            launch.args(["--connections", connections]).run().await
        };
        let third = with("3").await;
        assert!([4, 5].contains(&third.status), "{}", third.everything());
        with("2").await.measured([1, 0, 0]);
        listening.process.wait_for_stderr("--max-connections").await;
    })
    .await;
}

/// Were the listener not told, QUIC's idle time-out would have to pass first: 10 s, on raw-quic 300.
#[tokio::test]
async fn the_place_of_a_dialer_that_was_ended_is_another_s() {
    each_stack(async |stack| {
        let listening = Listening::start(&stack, &["--max-connections", "1"]).await;
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let launch = dial(&stack, &listening.address).measuring([0, 1, 0], 1 << 40);
            let mut dialing = launch.args(["--interval", "0.1"]).spawn();
            dialing.wait_for_stderr("download 1/1").await;
            dialing.signal(signal);
            dialing.ended().await;
            // Over TCP, once the listener has read its end.
            let next = async {
                while moves(&stack, &listening.address, [1, 0], 1000).await.status != 0 {
                    sleep(Duration::from_millis(50)).await;
                }
            };
            assert!(timeout(Duration::from_secs(5), next).await.is_ok(), "{stack}: it is taken");
        }
    })
    .await;
}

/// A handshake that is not made holds a descriptor until it is given up.
#[tokio::test]
async fn connections_that_say_nothing_are_few() {
    each_stack(async |stack| {
        if !is_over_tcp(&stack) {
            return;
        }
        let mut listening = Listening::start(&stack, &["--max-connections", "2"]).await;
        let port = listening.port();
        let silent = (0..30).map(async |_| {
            let mut silent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            timeout(Duration::from_secs(5), silent.read(&mut [0])).await.is_ok()
        });
        let closed = join_all(silent).await.into_iter().filter(|closed| *closed).count();
        if stack.transport == Transport::RawTcp {
            // Which has no handshake.
            assert_eq!(closed, 30 - 2, "{stack}");
            listening.process.wait_for_stderr("--max-connections").await;
        } else {
            assert_eq!(closed, 30 - (16 + 2 * 2), "{stack}");
            listening.process.wait_for_stderr("whose handshake is under way").await;
            listening.process.wait_for_stderr("could not connect").await;
        }
        moves(&stack, &listening.address, [1, 0], 1000).await.measured([1, 0, 0]);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_lasts_too_long_is_closed() {
    each_stack(async |stack| {
        let mut listening = Listening::start(&stack, &["--max-duration", "0.7"]).await;
        let launch = dial(&stack, &listening.address).args(["--duration", "30"]);
        let ended = launch.run().await;
        ended.failed(Class::Transfer, NONE);
        assert!(ended.lived < Duration::from_secs(20), "{}", ended.everything());
        listening.process.wait_for_stderr("--max-duration, 0.7 s, is over").await;
        moves(&stack, &listening.address, [1, 0], 1000).await.measured([1, 0, 0]);
    })
    .await;
}

/// One that does not read either.
#[tokio::test]
async fn a_connection_whose_dialer_has_stopped_is_closed() {
    each_stack(async |stack| {
        let limits = ["--max-duration", "4", "--max-connections", "1"];
        let mut listening = Listening::start(&stack, &limits).await;
        let before = descriptors(&listening.process);
        let launch = dial(&stack, &listening.address).measuring([0, 1, 0], 1 << 40);
        let mut stopped = launch.args(["--interval", "0.1"]).spawn();
        stopped.wait_for_stderr("download 1/1").await;
        stopped.signal(Signal::SIGSTOP);
        listening.process.wait_for_stderr("--max-duration, 4 s, is over").await;
        let gone = async {
            while descriptors(&listening.process) > before {
                sleep(Duration::from_millis(50)).await;
            }
            // Its place is another's.
            while moves(&stack, &listening.address, [1, 0], 1000).await.status != 0 {
                sleep(Duration::from_millis(50)).await;
            }
        };
        assert!(timeout(LIMIT / 2, gone).await.is_ok(), "{stack}: it stands");
        stopped.kill().await;
    })
    .await;
}

/// How many a process has open.
fn descriptors(process: &Process) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", process.pid())).unwrap().count()
}

#[tokio::test]
async fn a_stream_beyond_those_that_may_be_ends_its_connection() {
    each_stack(async |stack| {
        // Slow enough for one to be under way when the others come.
        let limits = ["--max-streams", "2", "--max-rate", "40M"];
        let mut listening = Listening::start(&stack, &limits).await;
        let with = async |streams| {
            let launch = dial(&stack, &listening.address).measuring([1, 0, 0], MEGABYTES_20);
            launch.args(at_once(&stack, streams)).run().await
        };
        with("2").await.measured([1, 0, 0]);
        // A muxer that shows a reset as an end must not make a receipt of it.
        with("3").await.failed(Class::Transfer, NONE);
        listening.process.wait_for_stderr("--max-streams").await;
    })
    .await;
}
