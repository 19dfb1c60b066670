//! A listener and a dialer that run: waiting for what ends first, and ending the rest.

use std::io;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::capture::Capture;
use super::group::Group;
use super::{Captured, CellOutcome, SideOutcome};

/// A node asked to end has this long before it is killed.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// A dialer whose listener is gone has this long to find out and say so itself.
const REPORT_GRACE: Duration = Duration::from_secs(2);
/// With its group killed, a dialer's stdout closes at once; this is for processes that left it.
const DRAIN_GRACE: Duration = Duration::from_millis(500);
/// A million samples in each of three sections fit twice over.
const STDOUT_LIMIT: usize = 64 << 20;

/// Both sides of a cell. Dropped, both groups are killed.
#[derive(Debug)]
pub(super) struct Pair {
    listener: Group,
    dialer: Group,
    stdout: Capture,
    began: Instant,
}

/// What happened first.
enum First {
    DialerEnded(io::Result<ExitStatus>),
    ListenerEnded(io::Result<ExitStatus>),
    TimeOut,
}

impl Pair {
    pub(super) fn new(listener: Group, mut dialer: Group, began: Instant) -> Self {
        let stdout = Capture::new(dialer.take_stdout(), STDOUT_LIMIT);
        Self { listener, dialer, stdout, began }
    }

    /// Waits for the end, `limit` at most, and ends what is still there then.
    pub(super) async fn run(mut self, limit: Duration) -> CellOutcome {
        let (dialer, listener, timed_out) = match self.first(limit).await {
            First::DialerEnded(status) => {
                let dialer = self.side(status, false);
                (dialer, self.stop_listener().await, None)
            }
            First::ListenerEnded(status) => {
                let listener = self.side(status, false);
                let dialer = match timeout(REPORT_GRACE, self.dialer_ended()).await {
                    Ok(status) => self.side(status, false),
                    Err(_) => self.stop_dialer().await,
                };
                (dialer, listener, None)
            }
            First::TimeOut => {
                let dialer = self.stop_dialer().await;
                (dialer, self.stop_listener().await, Some(limit))
            }
        };
        // The leaders have ended. What they started goes now: it may hold the pipe open.
        self.dialer.kill();
        self.listener.kill();
        let stdout: Captured = self.stdout.finish(DRAIN_GRACE).await;
        CellOutcome { dialer, listener, stdout, timed_out, duration: self.began.elapsed() }
    }

    async fn first(&mut self, limit: Duration) -> First {
        tokio::select! {
            // In this order where several are true: a dialer that has ended is the better witness.
            biased;
            status = self.dialer.ended() => First::DialerEnded(status),
            status = self.listener.ended() => First::ListenerEnded(status),
            () = sleep(limit) => First::TimeOut,
            never = self.stdout.forever() => match never {},
        }
    }

    /// Waits for the dialer while its stdout is read, so that it never blocks on a full pipe.
    async fn dialer_ended(&mut self) -> io::Result<ExitStatus> {
        tokio::select! {
            biased;
            status = self.dialer.ended() => status,
            never = self.stdout.forever() => match never {},
        }
    }

    async fn stop_dialer(&mut self) -> SideOutcome {
        self.dialer.terminate();
        let status = match timeout(STOP_GRACE, self.dialer_ended()).await {
            Ok(status) => status,
            Err(_) => {
                self.dialer.kill();
                self.dialer.ended().await
            }
        };
        self.side(status, true)
    }

    async fn stop_listener(&mut self) -> SideOutcome {
        if let Ok(Some(status)) = self.listener.has_ended() {
            return self.side(Ok(status), false);
        }
        self.listener.terminate();
        let status = match timeout(STOP_GRACE, self.listener.ended()).await {
            Ok(status) => status,
            Err(_) => {
                self.listener.kill();
                self.listener.ended().await
            }
        };
        self.side(status, true)
    }

    fn side(&self, status: io::Result<ExitStatus>, stopped: bool) -> SideOutcome {
        SideOutcome {
            exit: status.into(),
            stopped,
            ended_after: self.began.elapsed(),
            last_line: None,
        }
    }
}
