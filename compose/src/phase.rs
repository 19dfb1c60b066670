//! What a dialer is at, as it tells in its log: `upload 3/10: 6.512 Gbps`.

use std::fmt;

use serde::Serialize;

/// An iteration that a dialer has done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Phase {
    /// `upload`, `download` or `latency`.
    pub phase: String,
    /// Counted from 1.
    pub iteration: u64,
    /// Of how many.
    pub iterations: u64,
    /// What it measured, with its unit.
    pub sample: String,
}

impl Phase {
    /// Reads a line of a log, whatever stands before.
    pub fn parse(line: &str) -> Option<Self> {
        ["upload", "download", "latency"].into_iter().find_map(|phase| {
            let (_, rest) = line.split_once(&format!("{phase} "))?;
            let (count, sample) = rest.split_once(": ")?;
            let (iteration, iterations) = count.split_once('/')?;
            Some(Self {
                phase: phase.to_owned(),
                iteration: iteration.parse().ok()?,
                iterations: iterations.parse().ok()?,
                // Loggers that write `msg="…"` close a quotation here.
                sample: sample.trim_end().trim_end_matches('"').to_owned(),
            })
        })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { phase, iteration, iterations, sample } = self;
        write!(f, "{phase} {iteration}/{iterations}: {sample}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_nodes_log_is_read() {
        let line = "2026-11-08T14:30:22Z  INFO harness_sdk::plan: upload 3/10: 6.512 Gbps";
        assert_eq!(Phase::parse(line).unwrap().to_string(), "upload 3/10: 6.512 Gbps");
        let go = "time=2026-11-08T14:30:22Z level=INFO msg=\"download 1/5: 4.025 Gbps\"";
        assert_eq!(Phase::parse(go).unwrap().to_string(), "download 1/5: 4.025 Gbps");
        for other in ["upload 3 of 10: x", "upload x/10: y", "uploads 3/10: 1", "", "latency"] {
            assert_eq!(Phase::parse(other), None, "{other}");
        }
    }
}
