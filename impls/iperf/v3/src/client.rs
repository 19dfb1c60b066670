//! The dialer: an iperf3 for each iteration.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use harness_sdk::plan::{Amount, Plan};
use harness_sdk::{BoxError, Connection, Details, Meter, Phase, address};
use tokio::process::Command;

use crate::NoIperf;
use crate::report::Report;
use crate::watch::watch;

/// A pause before a server that is still busy with the test before is asked again.
const BUSY: Duration = Duration::from_millis(100);

/// A server that is busy for longer than this is somebody else's.
const TRIES: u32 = 20;

/// A listener that answers.
pub(crate) struct Peer {
    addr: SocketAddr,
    plan: Plan,
    version: String,
}

impl Peer {
    /// Moves one block, to know that an iperf3 is there.
    pub(crate) async fn connect(
        config: &harness_sdk::Config,
        address: &str,
    ) -> Result<Self, BoxError> {
        let addr = address::socket_addr(address)?;
        let mut peer = Self { addr, plan: config.plan, version: String::new() };
        let report = peer.run(&["-n", "1"], &Meter::start(), Phase::Dial).await?;
        report.version().clone_into(&mut peer.version);
        Ok(peer)
    }

    /// One iteration, however long it is asked to be: `iperf3` sends whole blocks (128 KiB), so a
    /// size is rounded up, and what its receiver counted is what holds.
    async fn measure(&self, bytes: u64, reverse: bool, meter: &Meter) -> Result<(), BoxError> {
        let (direction, phase) = match reverse {
            true => (self.plan.download, Phase::Download),
            false => (self.plan.upload, Phase::Upload),
        };
        let length = match direction.amount {
            Amount::Bytes(_) => ["-n".to_owned(), bytes.to_string()],
            // Whole seconds are all that it takes.
            Amount::Duration(time) => ["-t".to_owned(), time.as_secs_f64().ceil().to_string()],
        };
        let mut arguments: Vec<&str> = length.iter().map(String::as_str).collect();
        arguments.extend(reverse.then_some("--reverse"));
        let report = self.run(&arguments, meter, phase).await?;
        let (bytes, time) = report.received().ok_or(NoFigure)?;
        meter.measured_elsewhere(bytes, time);
        Ok(())
    }

    async fn run(
        &self,
        arguments: &[&str],
        meter: &Meter,
        phase: Phase,
    ) -> Result<Report, BoxError> {
        for _ in 0..TRIES {
            let report = self.once(arguments, meter, phase).await?;
            match &report.error {
                None => return Ok(report),
                // It answers one test at a time, and takes a moment between two.
                Some(error) if error.contains("the server is busy") => {
                    tokio::time::sleep(BUSY).await;
                }
                Some(error) => return Err(Refused(error.clone()).into()),
            }
        }
        Err(Refused("the server is busy running a test of somebody else's".to_owned()).into())
    }

    async fn once(
        &self,
        arguments: &[&str],
        meter: &Meter,
        phase: Phase,
    ) -> Result<Report, BoxError> {
        let (ip, port) = (self.addr.ip().to_string(), self.addr.port().to_string());
        let child = Command::new("iperf3")
            .args(["--client", &ip, "--port", &port, "--json"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| NoIperf::failure(error, phase))?;
        meter.opened();
        let watching = watch(child.id().unwrap_or_default(), meter);
        let output = tokio::select! {
            output = child.wait_with_output() => output?,
            () = watching => return Err(NoFigure.into()),
        };
        Report::parse(&output.stdout).map_err(|_| {
            let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Refused(format!("it {}: {stderr}", output.status)).into()
        })
    }
}

impl Connection for Peer {
    async fn upload(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
        self.measure(bytes, false, meter).await
    }

    async fn download(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
        self.measure(bytes, true, meter).await
    }

    async fn latency(&self, _: &Meter) -> Result<(), BoxError> {
        // Refused before it was dialed.
        Err(NoFigure.into())
    }

    fn details(&self) -> Details {
        Details { foreign_clock: Some(self.version.clone()), ..Details::default() }
    }
}

/// What iperf3 says of a test that it did not do.
#[derive(Debug, thiserror::Error)]
#[error("iperf3: {0}")]
struct Refused(String);

/// A report without an error and without a figure.
#[derive(Debug, thiserror::Error)]
#[error("iperf3 reports nothing that its receiver counted")]
struct NoFigure;
