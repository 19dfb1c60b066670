//! A peer that reads, or writes, at a rate of its own: what the dialer reports has to be that rate.
//!
//! A dialer that stopped an upload's clock when its own buffers had taken the last byte would report
//! more than the peer ever read, by what those buffers hold: to a steady reader a quarter more over
//! QUIC, and over TCP no more than a percent or two, which nobody would notice. So there is another
//! reader, that leaves the end lying: to that one it is a quarter more and upwards on every stack.

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

/// 2.6 ms at that rate.
const CHUNK: usize = 65_536;

/// What the peer does.
#[derive(Clone, Copy, Debug)]
enum Peers {
    /// Reads an upload steadily.
    SteadyReading,
    /// Reads an upload so fast that a fifth of the time is left for the last chunk, which it then
    /// leaves lying until that has passed. Every stack's buffers have room for it.
    LateReading,
    /// Writes a download steadily.
    SteadyWriting,
}

impl Peers {
    /// Two seconds, or a half, of an iteration.
    const fn bytes(self) -> usize {
        match self {
            Self::SteadyReading | Self::SteadyWriting => 50_000_000,
            Self::LateReading => 12_500_000,
        }
    }
}

macro_rules! on_every_stack {
    ($($name:ident: $stack:literal),+ $(,)?) => { $(
        mod $name {
            use super::{Peers, assert_the_rate_is_the_peers, support::stack};

            #[tokio::test(flavor = "multi_thread")]
            async fn upload_to_a_steady_reader() {
                assert_the_rate_is_the_peers(stack($stack), Peers::SteadyReading).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn upload_to_one_that_leaves_the_end_lying() {
                assert_the_rate_is_the_peers(stack($stack), Peers::LateReading).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn download_from_a_steady_writer() {
                assert_the_rate_is_the_peers(stack($stack), Peers::SteadyWriting).await;
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
async fn assert_the_rate_is_the_peers(stack: Stack, peers: Peers) {
    let mut medians = Vec::new();
    for _ in 0..2 {
        let median = median(&stack, peers).await;
        println!("{stack}, {peers:?}: {median} Gbps, where the peer moves {GBPS}");
        if (median / GBPS - 1.0).abs() <= TOLERANCE {
            return;
        }
        medians.push(median);
    }
    panic!("{stack}, {peers:?}: {medians:?} Gbps, where the peer moves {GBPS}");
}

/// What a dialer reports of three iterations with a paced peer.
async fn median(stack: &Stack, peers: Peers) -> f64 {
    let (sections, peer) = match peers {
        Peers::SteadyWriting => ([0, 3, 0], Peer::answering(stack, write_steadily).await),
        _ => ([3, 0, 0], Peer::answering(stack, move |stream| read_paced(stream, peers)).await),
    };
    let ended = dial(stack, &peer.address).measuring(sections, peers.bytes() as u64).run().await;
    let document = ended.measured(sections);
    document.upload.or(document.download).unwrap().plot.median
}

/// Reads an upload at its pace, and answers it with its end.
async fn read_paced(mut stream: Stream, peers: Peers) {
    let mut block = vec![0; CHUNK];
    stream.read_exact(&mut [0; 8]).await.unwrap();
    let (start, total) = (Instant::now(), peers.bytes());
    let (until, faster) = match peers {
        Peers::LateReading => (total - CHUNK, 1.25),
        _ => (total, 1.0),
    };
    let mut read = 0;
    while read < until {
        let size = block.len().min(until - read);
        read += stream.read(&mut block[..size]).await.unwrap();
        sleep_until(due(start, read, faster * BYTES_PER_SECOND)).await;
    }
    sleep_until(due(start, total, BYTES_PER_SECOND)).await;
    while stream.read(&mut block).await.unwrap() > 0 {}
    stream.close().await.unwrap();
}

/// Answers at its pace with what was asked for.
async fn write_steadily(mut stream: Stream) {
    let mut header = [0; 8];
    stream.read_exact(&mut header).await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    let wanted = usize::try_from(u64::from_be_bytes(header)).unwrap();
    let (start, block) = (Instant::now(), [7; CHUNK]);
    let mut written = 0;
    while written < wanted {
        let size = block.len().min(wanted - written);
        stream.write_all(&block[..size]).await.unwrap();
        // Else a muxer may hold back what is small until its own buffer is full.
        stream.flush().await.unwrap();
        written += size;
        sleep_until(due(start, written, BYTES_PER_SECOND)).await;
    }
    stream.close().await.unwrap();
}

/// When so many bytes are due, by a schedule: what was late is made up for.
fn due(start: Instant, bytes: usize, bytes_per_second: f64) -> Instant {
    start + Duration::from_secs_f64(bytes as f64 / bytes_per_second)
}
