//! Ctrl-C and its kin: the first one ends the run in order, the second at once.

use std::io;
use std::process;

use harness_sdk::Shutdown;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::leftovers;

/// The status of a run that the user ended.
pub const INTERRUPTED: u8 = 130;

/// Watches for SIGINT, SIGTERM and SIGHUP, until the process ends.
pub fn watch() -> io::Result<Shutdown> {
    let mut signals = Signals {
        interrupt: signal(SignalKind::interrupt())?,
        terminate: signal(SignalKind::terminate())?,
        hangup: hangup()?,
    };
    let (handle, shutdown) = Shutdown::new();
    tokio::spawn(async move {
        signals.next().await;
        // Whoever holds the shutdown drops what it was doing, and with it every process.
        handle.request();
        signals.next().await;
        leftovers::end_own();
        process::exit(i32::from(INTERRUPTED));
    });
    Ok(shutdown)
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Signals {
    async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }
}

/// A closed terminal ends a run too, but not one that was started with nohup: watching for a signal
/// would undo that it is ignored.
fn hangup() -> io::Result<Option<Signal>> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if ignores_hangup(&status) { Ok(None) } else { signal(SignalKind::hangup()).map(Some) }
}

/// SIGHUP is signal 1: the lowest bit of `SigIgn:` in /proc/self/status.
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nohup_is_seen() {
        assert!(ignores_hangup("Name:\tx\nSigIgn:\t0000000000001001\n"));
        assert!(!ignores_hangup("SigIgn:\t0000000000001000\n"));
        assert!(!ignores_hangup(""));
    }
}
