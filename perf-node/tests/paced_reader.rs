//! A peer that reads, or writes, at a rate of its own: what the dialer reports has to be that rate.
//!
//! A dialer that stopped an upload's clock when its own buffers had taken the last byte would report
//! more than the peer ever read.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use harness_sdk::Stack;
use libp2p::Stream;
use tokio::time::{Instant, sleep_until};

use support::{Peer, dial};

/// 200 Mbit/s.
const BYTES_PER_SECOND: f64 = 25e6;
const GBPS: f64 = 0.2;
const TOLERANCE: f64 = 0.05;

const BYTES: u64 = 50_000_000;

/// 2.6 ms at that rate.
const CHUNK: usize = 65_536;

#[derive(Clone, Copy, Debug)]
enum Direction {
    Upload,
    Download,
}

macro_rules! on_every_stack {
    ($($name:ident: $stack:literal),+ $(,)?) => { $(
        mod $name {
            use super::{Direction, assert_the_rate_is_the_peers, support::stack};

            #[tokio::test(flavor = "multi_thread")]
            async fn upload() {
                assert_the_rate_is_the_peers(stack($stack), Direction::Upload).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn download() {
                assert_the_rate_is_the_peers(stack($stack), Direction::Download).await;
            }
        }
    )+ };
}

on_every_stack!(
    tcp_noise_yamux: "tcp noise yamux",
    tcp_noise_mplex: "tcp noise mplex",
    tcp_tls_yamux: "tcp tls yamux",
    tcp_tls_mplex: "tcp tls mplex",
    quic_v1: "quic-v1",
);

/// Tries twice: the machine may have been busy with something else.
async fn assert_the_rate_is_the_peers(stack: Stack, direction: Direction) {
    let mut medians = Vec::new();
    for _ in 0..2 {
        let median = median(&stack, direction).await;
        println!("{stack} {direction:?}: {median} Gbps, where the peer moves {GBPS}");
        if (median / GBPS - 1.0).abs() <= TOLERANCE {
            return;
        }
        medians.push(median);
    }
    panic!("{stack} {direction:?}: {medians:?} Gbps, where the peer moves {GBPS}");
}

/// What a dialer reports of three iterations with a paced peer.
async fn median(stack: &Stack, direction: Direction) -> f64 {
    let peer = Peer::answering(stack, paced).await;
    let sections = match direction {
        Direction::Upload => [3, 0, 0],
        Direction::Download => [0, 3, 0],
    };
    let ended = dial(stack, &peer.address).measuring(sections, BYTES).run().await;
    let document = ended.measured(sections);
    document.upload.or(document.download).unwrap().plot.median
}

/// Answers by the protocol, and moves payload both ways at [`BYTES_PER_SECOND`].
async fn paced(mut stream: Stream) {
    let mut block = vec![7; CHUNK];
    let mut header = [0; 8];
    stream.read_exact(&mut header).await.unwrap();

    let pace = Pace::from_now();
    let mut read = 0;
    loop {
        match stream.read(&mut block).await.unwrap() {
            0 => break,
            size => read += size,
        }
        pace.until(read).await;
    }

    let pace = Pace::from_now();
    let wanted = usize::try_from(u64::from_be_bytes(header)).unwrap();
    let mut written = 0;
    while written < wanted {
        let size = block.len().min(wanted - written);
        stream.write_all(&block[..size]).await.unwrap();
        // Else a muxer may hold back what is small until its own buffer is full.
        stream.flush().await.unwrap();
        written += size;
        pace.until(written).await;
    }
    stream.close().await.unwrap();
}

/// A schedule from its beginning on: what was late is made up for.
struct Pace(Instant);

impl Pace {
    fn from_now() -> Self {
        Self(Instant::now())
    }

    /// Waits until so many bytes are due.
    async fn until(&self, bytes: usize) {
        sleep_until(self.0 + Duration::from_secs_f64(bytes as f64 / BYTES_PER_SECOND)).await;
    }
}
