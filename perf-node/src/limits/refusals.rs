//! Tells on stderr what a listener refused, without letting a stranger fill the disk.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// At most one line in this time.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    told: Option<Instant>,
    /// Since then.
    untold: u64,
}

impl Refusals {
    /// Tells `reason`, or remembers that there was one.
    pub(super) fn tell(&self, reason: &str) {
        if let Some(line) = self.line(reason) {
            tracing::info!("{line}");
        }
    }

    fn line(&self, reason: &str) -> Option<String> {
        let now = Instant::now();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.told.is_some_and(|told| now - told < PAUSE) {
            kept.untold += 1;
            return None;
        }
        let untold = std::mem::take(&mut kept.untold);
        kept.told = Some(now);
        Some(match untold {
            0 => reason.to_owned(),
            more => format!("{reason} (and {more} more were refused since the last such line)"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_a_line_a_second() {
        let refusals = Refusals::default();
        let lines: Vec<_> = (0..1000).filter_map(|_| refusals.line("no")).collect();
        assert_eq!(lines, ["no"]);
        tokio::time::sleep(PAUSE).await;
        let line = refusals.line("no").unwrap();
        assert_eq!(line, "no (and 999 more were refused since the last such line)");
        tokio::time::sleep(PAUSE).await;
        assert_eq!(refusals.line("no").as_deref(), Some("no"));
    }
}
