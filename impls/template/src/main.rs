//! A complete node in under 100 lines: the perf exchange over plain TCP, a connection a stream.

use harness_sdk::{stall::until_silent, *};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::spawn;

struct TcpPerf;
struct Bound(SocketAddr, TcpListener, Duration);
struct Peer(SocketAddr);
impl Node for TcpPerf {
    type Listener = Bound;
    type Connection = Peer;
    fn name(&self) -> &str {
        "tcp-perf"
    }
    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }
    fn speaks(&self, stack: &Stack) -> Result<(), String> {
        let known = stack.transport == Transport::RawTcp && stack.profile == Profile::Stock;
        known.then_some(()).ok_or_else(|| "only raw-tcp, as it comes".to_owned())
    }
    async fn listen(&self, config: &Config) -> Result<Bound, BoxError> {
        let listener = TcpListener::bind((config.ip, config.port)).await?;
        Ok(Bound(listener.local_addr()?, listener, config.stall))
    }
    async fn dial(&self, _: &Config, address: &str) -> Result<Peer, BoxError> {
        let peer = address::socket_addr(address)?;
        TcpStream::connect(peer).await?; // nobody there: say so now, not in the first iteration
        Ok(Peer(peer))
    }
}

impl Listener for Bound {
    fn local_addr(&self) -> SocketAddr {
        self.0
    }
    fn address(&self, ip: IpAddr) -> String {
        address::multiaddr(ip, "tcp", self.0.port())
    }
    async fn serve(self, mut shutdown: Shutdown) -> Result<(), BoxError> {
        loop {
            tokio::select! {
                () = shutdown.requested() => return Ok(()),
                accepted = self.1.accept() => if let Ok((stream, _)) = accepted { spawn(until_silent(stream, self.2, answer)); },
            }
        }
    }
}

/// Reads how many bytes are wanted back, then to the end, then sends them.
async fn answer(mut stream: Watched<TcpStream>) -> std::io::Result<()> {
    let wanted = stream.read_u64().await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    tokio::io::copy(&mut tokio::io::repeat(7).take(wanted), &mut stream).await?;
    stream.shutdown().await
}

impl Peer {
    async fn exchange(&self, upload: u64, download: u64, meter: &Meter) -> Result<(), BoxError> {
        let (mut block, mut left) = (vec![7; 65_536], upload);
        let mut stream = TcpStream::connect(self.0).await?;
        meter.opened();
        stream.write_u64(download).await?;
        while left > 0 {
            let size = block.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let sent = stream.write(&block[..size]).await? as u64;
            meter.sent(sent);
            left -= sent;
        }
        stream.shutdown().await?;
        loop {
            match stream.read(&mut block).await? {
                0 => return Ok(()), // the SDK checks that the meter saw as many as were asked for
                size => meter.received(size as u64),
            }
        }
    }
}

impl Connection for Peer {
    async fn upload(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
        self.exchange(bytes, 0, meter).await
    }
    async fn download(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
        self.exchange(0, bytes, meter).await
    }
    async fn latency(&self, meter: &Meter) -> Result<(), BoxError> {
        self.exchange(1, 1, meter).await
    }
}

fn main() -> ExitCode {
    harness_sdk::main(TcpPerf)
}
