//! What `iperf3 --json` prints, as far as it is needed.

use std::time::Duration;

use serde::Deserialize;

/// The whole report.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    start: Start,
    end: End,
    /// Why the test failed.
    pub(crate) error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Start {
    version: String,
}

#[derive(Debug, Default, Deserialize)]
struct End {
    sum_received: Option<Sum>,
}

#[derive(Debug, Deserialize)]
struct Sum {
    bytes: u64,
    seconds: f64,
}

impl Report {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// The program's version: `iperf 3.12`.
    pub(crate) fn version(&self) -> &str {
        &self.start.version
    }

    /// What the receiver counted, and the time that it took by the receiver's clock.
    pub(crate) fn received(&self) -> Option<(u64, Duration)> {
        let Sum { bytes, seconds } = self.end.sum_received.as_ref()?;
        let time = Duration::try_from_secs_f64(*seconds).ok()?;
        (*bytes > 0 && !time.is_zero()).then_some((*bytes, time))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_receivers_figure_is_the_one_that_counts() {
        let text = br#"{"start": {"version": "iperf 3.12"}, "end": {
            "sum_sent": {"bytes": 2000, "seconds": 0.5}, "sum_received": {"bytes": 1900, "seconds": 0.6}}}"#;
        let report = Report::parse(text).unwrap();
        assert_eq!(report.version(), "iperf 3.12");
        assert_eq!(report.received(), Some((1900, Duration::from_millis(600))));
    }

    #[test]
    fn a_failure_has_a_reason_and_no_figure() {
        let text =
            br#"{"start": {"version": "iperf 3.12"}, "end": {}, "error": "unable to connect"}"#;
        let report = Report::parse(text).unwrap();
        assert_eq!((report.error.as_deref(), report.received()), (Some("unable to connect"), None));
    }

    #[test]
    fn nothing_received_is_no_measurement() {
        for (bytes, seconds) in [("0", "1.0"), ("1", "0"), ("1", "-1")] {
            let sum = format!("{{\"bytes\": {bytes}, \"seconds\": {seconds}}}");
            let text = format!(
                "{{\"start\": {{\"version\": \"x\"}}, \"end\": {{\"sum_received\": {sum}}}}}"
            );
            assert_eq!(Report::parse(text.as_bytes()).unwrap().received(), None, "{text}");
        }
    }
}
