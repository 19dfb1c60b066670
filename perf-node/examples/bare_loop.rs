//! The bound that `scripts/bench` holds the node against: the same libp2p transport and upgrades,
//! and nothing else. No Swarm and no harness: a plain write loop and a plain read loop on streams that
//! agree on their protocol as the Swarm's do (multistream-select V1).
//!
//! ```text
//! bare_loop listen tcp noise yamux              prints its multiaddr, serves until killed
//! bare_loop dial ADDRESS tcp noise yamux BYTES LATENCIES
//!               prints {"upload": Gbps, "download": Gbps, "latency": ms, "connect": ms}
//! ```

use std::error::Error;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Instant;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use harness_sdk::stats::{gbps, quantile};
use harness_sdk::{Profile, Stack};
use libp2p::core::Endpoint;
use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerExt, SubstreamBox};
use libp2p::core::transport::{DialOpts, ListenerId, PortUse, TransportEvent};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, Transport};
use multistream_select::{Negotiated, Version, dialer_select_proto, listener_select_proto};
use perf_node::{runtime, stacks};
use tokio::sync::{mpsc, oneshot};

type Stream = Negotiated<SubstreamBox>;
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const PROTOCOL: &str = perf_protocol::PROTOCOL_NAME;

/// As large as what the node writes and reads at once.
const BLOCK: usize = 256 * 1024;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["listen", ref names @ ..] => {
            let stack = stack(names)?;
            runtime::build()?.block_on(listen(stack))
        }
        ["dial", address, ref names @ .., bytes, latencies] => {
            let stack = stack(names)?;
            let dialing = dial(stack, address.parse()?, bytes.parse()?, latencies.parse()?);
            runtime::build()?.block_on(dialing)
        }
        _ => Err("see the source for usage".into()),
    }
}

fn stack(names: &[&str]) -> Result<Stack> {
    let unknown = |()| "unknown name";
    Ok(Stack {
        transport: names.first().ok_or("no transport")?.parse().map_err(unknown)?,
        secure_channel: names.get(1).map(|name| name.parse()).transpose().map_err(unknown)?,
        muxer: names.get(2).map(|name| name.parse()).transpose().map_err(unknown)?,
        profile: Profile::Stock,
    })
}

async fn listen(stack: Stack) -> Result<()> {
    let (mut transport, _) = stacks::transport(&stack, &Keypair::generate_ed25519(), None)?;
    let address = stacks::listen_address(&stack, [127, 0, 0, 1].into(), 0);
    transport.listen_on(ListenerId::next(), address)?;
    loop {
        match transport.select_next_some().await {
            TransportEvent::NewAddress { listen_addr, .. } => println!("{listen_addr}"),
            TransportEvent::Incoming { upgrade, .. } => {
                tokio::spawn(async move {
                    let Ok((_, mut muxer)) = upgrade.await else { return };
                    while let Ok(stream) = next_stream(&mut muxer).await {
                        tokio::spawn(serve(stream));
                    }
                });
            }
            _ => {}
        }
    }
}

/// The next inbound stream, the muxer driven meanwhile.
async fn next_stream(muxer: &mut StreamMuxerBox) -> std::io::Result<SubstreamBox> {
    poll_fn(|cx| {
        while let Poll::Ready(event) = muxer.poll_unpin(cx) {
            event?;
        }
        muxer.poll_inbound_unpin(cx)
    })
    .await
}

async fn serve(stream: SubstreamBox) -> Result<()> {
    let (_, mut stream) = listener_select_proto(stream, [PROTOCOL]).await?;
    let mut header = [0; 8];
    stream.read_exact(&mut header).await?;
    let mut block = vec![7; BLOCK];
    while stream.read(&mut block).await? > 0 {}
    Ok(write(&mut stream, &block, u64::from_be_bytes(header)).await?)
}

async fn write(stream: &mut Stream, block: &[u8], mut left: u64) -> std::io::Result<()> {
    while left > 0 {
        let most = block.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        left -= stream.write(&block[..most]).await? as u64;
    }
    stream.close().await
}

async fn dial(stack: Stack, address: Multiaddr, bytes: u64, latencies: u64) -> Result<()> {
    let (mut transport, _) = stacks::transport(&stack, &Keypair::generate_ed25519(), None)?;
    let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
    let start = Instant::now();
    let dialed = transport.dial(address, options)?;
    // QUIC's endpoint is driven by the transport.
    tokio::spawn(async move { while transport.next().await.is_some() {} });
    let (_, muxer) = dialed.await?;
    let connect = start.elapsed().as_secs_f64() * 1e3;
    let (open, requests) = mpsc::channel(1);
    tokio::spawn(drive(muxer, requests));
    // As the node does by the time it measures: one exchange has gone before.
    exchange(&open, 1, 1).await?;
    let up = exchange(&open, bytes, 0).await?;
    let down = exchange(&open, 0, bytes).await?;
    let mut samples = Vec::new();
    for _ in 0..latencies {
        samples.push(exchange(&open, 1, 1).await? * 1e3);
    }
    samples.sort_by(f64::total_cmp);
    let latency = if samples.is_empty() { 0.0 } else { quantile(&samples, 0.5) };
    let (up, down) = (gbps(bytes, up), gbps(bytes, down));
    println!(
        r#"{{"upload": {up}, "download": {down}, "latency": {latency}, "connect": {connect}}}"#
    );
    Ok(())
}

type Open = oneshot::Sender<SubstreamBox>;

/// Drives the muxer and opens streams on request.
async fn drive(mut muxer: StreamMuxerBox, mut requests: mpsc::Receiver<Open>) {
    let mut waiting: Option<Open> = None;
    poll_fn(|cx| {
        loop {
            if waiting.is_none()
                && let Poll::Ready(request) = requests.poll_recv(cx)
            {
                let Some(request) = request else { return Poll::Ready(()) };
                waiting = Some(request);
            }
            if waiting.is_some()
                && let Poll::Ready(opened) = muxer.poll_outbound_unpin(cx)
            {
                let (Ok(stream), Some(request)) = (opened, waiting.take()) else {
                    return Poll::Ready(());
                };
                let _ = request.send(stream);
                continue;
            }
            if let Poll::Ready(Err(_)) = muxer.poll_inbound_unpin(cx) {
                return Poll::Ready(());
            }
            match muxer.poll_unpin(cx) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
}

/// One exchange on a fresh stream, in seconds, its opening included.
async fn exchange(open: &mpsc::Sender<Open>, upload: u64, download: u64) -> Result<f64> {
    let mut block = vec![7; BLOCK];
    let start = Instant::now();
    let (request, opened) = oneshot::channel();
    open.send(request).await.map_err(|_| "the connection is gone")?;
    let (_, mut stream) = dialer_select_proto(opened.await?, [PROTOCOL], Version::V1).await?;
    stream.write_all(&download.to_be_bytes()).await?;
    write(&mut stream, &block, upload).await?;
    let mut received = 0;
    loop {
        match stream.read(&mut block).await? {
            0 => break,
            size => received += size as u64,
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    if received != download {
        return Err(format!("{received} bytes instead of {download}").into());
    }
    Ok(seconds)
}
