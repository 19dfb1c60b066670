//! The listener: an iperf3 server, started again should it end.

use std::net::{IpAddr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use harness_sdk::{BoxError, Class, Config, Failure, Listener, Phase, Shutdown, address};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdout, Command};

use crate::NoIperf;

/// How often another port is tried, where somebody took the free one in between.
const TRIES: u32 = 5;

/// The pause before a server that ended is started again.
const BREATH: Duration = Duration::from_millis(100);

/// A server that listens.
pub(crate) struct Bound {
    addr: SocketAddr,
    stall: Duration,
    server: Server,
}

struct Server {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Bound {
    pub(crate) async fn start(config: &Config) -> Result<Self, BoxError> {
        let mut tries = TRIES;
        loop {
            // iperf3 takes no port 0: the system is asked for a free one, which is let go for it.
            let probe = TcpListener::bind((config.ip, config.port)).await?;
            let addr = probe.local_addr()?;
            drop(probe);
            match Server::start(addr, config.stall).await {
                Ok(server) => return Ok(Self { addr, stall: config.stall, server }),
                Err(Start::Refused(_)) if config.port == 0 && tries > 1 => tries -= 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Listener for Bound {
    fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    fn address(&self, ip: IpAddr) -> String {
        address::multiaddr(ip, "tcp", self.addr.port())
    }

    async fn serve(mut self, mut shutdown: Shutdown) -> Result<(), BoxError> {
        loop {
            tokio::select! {
                () = shutdown.requested() => return Ok(()),
                // It ends by itself after some failed tests; nothing a dialer does may end us.
                () = self.server.ended() => {}
            }
            tokio::time::sleep(BREATH).await;
            self.server = Server::start(self.addr, self.stall).await?;
        }
    }
}

/// Why a server does not listen.
enum Start {
    NoIperf(std::io::Error),
    Refused(String),
}

impl From<Start> for BoxError {
    fn from(start: Start) -> Self {
        match start {
            Start::NoIperf(error) => NoIperf::failure(error, Phase::Listen),
            Start::Refused(said) => {
                Failure::new(Class::Environment, Phase::Listen, format!("iperf3: {said}")).into()
            }
        }
    }
}

impl Server {
    /// Starts one, and waits until it listens.
    async fn start(addr: SocketAddr, stall: Duration) -> Result<Self, Start> {
        let (ip, port) = (addr.ip().to_string(), addr.port().to_string());
        // What it takes lies between a tenth of a second and a day.
        let stall = stall.as_millis().clamp(100, 86_400_000).to_string();
        let mut child = Command::new("iperf3")
            .args(["--server", "--forceflush", "--bind", &ip, "--port", &port])
            // No byte for this long: it drops the test and takes the next.
            .args(["--rcv-timeout", &stall])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(Start::NoIperf)?;
        let stdout = child.stdout.take().ok_or_else(|| Start::Refused("no stdout".to_owned()))?;
        let mut stdout = BufReader::new(stdout).lines();
        while let Ok(Some(line)) = stdout.next_line().await {
            if line.contains("Server listening") {
                // What it says from now on is read past: a full pipe would hold it up.
                if let Some(stderr) = child.stderr.take() {
                    tokio::spawn(told(BufReader::new(stderr).lines()));
                }
                return Ok(Self { child, stdout });
            }
        }
        let output = child.wait_with_output().await.map_err(Start::NoIperf)?;
        Err(Start::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }

    /// Waits until it has ended, and reads what it says until then.
    async fn ended(&mut self) {
        while let Ok(Some(line)) = self.stdout.next_line().await {
            tracing::debug!("{line}");
        }
        let _ = self.child.wait().await;
    }
}

async fn told(mut lines: Lines<BufReader<tokio::process::ChildStderr>>) {
    while let Ok(Some(line)) = lines.next_line().await {
        tracing::debug!("{line}");
    }
}
