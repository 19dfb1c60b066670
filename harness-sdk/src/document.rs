//! The document a dialer prints: typed, written as YAML or JSON, read back by runners.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Deserializer, Serialize};

use crate::failure::{Class, Phase};
use crate::stack::Stack;
use crate::stats::{BoxPlot, box_plot};
use crate::transport_info::TransportInfo;

/// The document's JSON Schema (draft 2020-12), as JSON: what any reader may rely on.
pub const SCHEMA: &str = include_str!("../schema/document.schema.json");

/// One YAML document (contract, "stdout").
///
/// Reading is tolerant: unknown keys are ignored and a foreign node's own `node:` block, of
/// whatever shape, is `None`; the three sections are taken at their word or not at all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Present only if every iteration was measured; Gbps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<Section>,
    /// Present only if every iteration was measured; Gbps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download: Option<Section>,
    /// Present only if every iteration was measured; ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Section>,
    /// What measured, and on what.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "ours_or_none")]
    pub node: Option<NodeInfo>,
    /// Why the process ended with a status other than 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureInfo>,
}

/// One section's nine keys, values rounded to six significant digits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// How many samples there are.
    pub iterations: u64,
    /// min, q1, median, q3, max, outliers; of the unrounded samples.
    #[serde(flatten)]
    pub plot: BoxPlot,
    /// Every sample in time order.
    pub samples: Vec<f64>,
    /// `Gbps` or `ms`.
    pub unit: String,
}

impl Section {
    /// The section of `samples`; `None` where there are none, or one is not finite.
    pub fn new(samples: &[f64], unit: &str) -> Option<Self> {
        let BoxPlot { min, q1, median, q3, max, outliers } = box_plot(samples)?;
        let [min, q1, median, q3, max] = [min, q1, median, q3, max].map(round);
        let plot = BoxPlot { min, q1, median, q3, max, outliers: rounded(&outliers) };
        Some(Self {
            iterations: samples.len() as u64,
            plot,
            samples: rounded(samples),
            unit: unit.to_owned(),
        })
    }

    /// Writes the nine keys, one a line, lists on one line, each line behind `indent`.
    pub fn write_yaml(&self, out: &mut String, indent: &str) {
        let BoxPlot { min, q1, median, q3, max, outliers } = &self.plot;
        line(out, indent, "iterations", &self.iterations.to_string());
        for (key, value) in [("min", min), ("q1", q1), ("median", median), ("q3", q3), ("max", max)]
        {
            line(out, indent, key, &significant(*value));
        }
        line(out, indent, "outliers", &list(outliers));
        line(out, indent, "samples", &list(&self.samples));
        line(out, indent, "unit", &self.unit);
    }
}

/// What measured, and on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// The node's name.
    pub name: String,
    /// The node's version.
    pub version: String,
    /// The stack as asked for and verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<StackInfo>,
    /// What connecting, opening a stream and exchanging one byte cost.
    #[serde(default)]
    pub phases_ms: Phases,
    /// Of the latency section's samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_percentiles_ms: Option<LatencyPercentiles>,
    /// How the iterations were run, where that is not one stream of one connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<LoadInfo>,
    /// Latency beside transfers, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_under_load: Option<LatencyUnderLoad>,
    /// What making connections takes, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handshakes: Option<Handshakes>,
    /// User and system time of this process so far.
    pub cpu_seconds: f64,
    /// What moving payload costs this side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds_per_gb: Option<CpuPerGb>,
    /// Largest resident set of this process so far.
    pub peak_rss_bytes: u64,
    /// What the transport did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<TransportInfo>,
    /// Who timed and counted, where that was a foreign tool and not the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<String>,
    /// What else the node tells.
    #[serde(default, flatten)]
    pub extra: BTreeMap<String, String>,
}

/// CPU time of this process while uploads, or downloads, were under way, over their payload in GB of 10⁹
/// bytes; `None` where none moved.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CpuPerGb {
    /// Seconds per GB uploaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<f64>,
    /// Seconds per GB downloaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download: Option<f64>,
}

/// The stack of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StackInfo {
    /// Transport, secure channel, muxer, profile.
    #[serde(flatten)]
    pub stack: Stack,
    /// How streams agree on their protocol, where they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negotiation: Option<String>,
    /// What else was negotiated: a version of HTTP, a cipher.
    #[serde(default, flatten)]
    pub extra: BTreeMap<String, String>,
}

/// Milliseconds by phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phases {
    /// `stream_open` and `exchange` over the latency section's iterations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_open: Option<PhasePercentiles>,
    /// What remains of a latency sample once its stream is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<PhasePercentiles>,
    /// The connection's own: `dial`, `security`, `muxer`, or `handshake`.
    #[serde(default, flatten)]
    pub connection: BTreeMap<String, f64>,
}

/// Percentiles of a phase; `None` where fewer than ten samples lie beyond.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhasePercentiles {
    /// Median.
    pub p50: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
}

/// Percentiles of latency; `None` where fewer than ten samples lie beyond.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyPercentiles {
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
}

/// How iterations were run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadInfo {
    /// How many connections carried an upload or download at once.
    pub connections: u64,
    /// On how many streams of each.
    pub streams: u64,
    /// Whether uploads and downloads ran at once.
    pub bidirectional: bool,
    /// How long each iteration ran before it counted.
    pub omit_seconds: f64,
    /// The upload section's streams; absent where there was one, or the section is not whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<StreamsInfo>,
    /// The download section's streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download: Option<StreamsInfo>,
}

/// What each of several streams at once had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamsInfo {
    /// By stream, those of the first connection first: its bytes in all iterations over the time until
    /// its own last receipts.
    pub stream_gbps: Vec<f64>,
    /// By iteration: Jain's index ([`fairness`](crate::stats::fairness)) of the streams' rates.
    pub fairness: Vec<f64>,
}

/// Latency beside transfers on the same connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyUnderLoad {
    /// What ran meanwhile: `upload`, `download` or `both`.
    pub beside: String,
    /// One-byte exchanges, each on a fresh stream, one after the other.
    pub exchanges: u64,
    /// What they took.
    pub percentiles_ms: TailPercentiles,
    /// What the uploads reached, in whole requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_gbps: Option<f64>,
    /// What the downloads reached, in whole requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download_gbps: Option<f64>,
}

/// Percentiles of what may have a long tail; `None` where fewer than ten samples lie beyond.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TailPercentiles {
    /// Median.
    pub p50: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// 99.9th percentile.
    #[serde(rename = "p99.9")]
    pub p99_9: Option<f64>,
}

/// What making connections takes: each was dialed until it was ready for a request, and closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Handshakes {
    /// How many.
    pub completed: u64,
    /// How many at a time.
    pub at_once: u64,
    /// For all of them, closing included.
    pub seconds: f64,
    /// Their number over that time.
    pub per_second: f64,
    /// From the dial until the connection was ready.
    pub ready_ms: HandshakePercentiles,
    /// By the phases of connecting, as in [`NodeInfo::phases_ms`].
    #[serde(default)]
    pub phases_ms: BTreeMap<String, HandshakePercentiles>,
}

/// Percentiles of connecting; `None` where fewer than ten samples lie beyond.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandshakePercentiles {
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
}

/// Why a run ended with a status other than 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailureInfo {
    /// Who is to blame.
    pub class: Class,
    /// What the node was doing.
    pub phase: Phase,
    /// What happened.
    pub message: String,
    /// The iteration that broke, from 1; `None` outside iterations, and in warm-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iteration: Option<u64>,
    /// What of the broken section was measured all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<Partial>,
}

/// The remains of a broken section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Partial {
    /// Payload bytes that the broken iteration had handed to its stream.
    pub bytes_sent: u64,
    /// Payload bytes that the broken iteration had read.
    pub bytes_received: u64,
    /// The section's whole iterations, in time order.
    pub samples: Vec<f64>,
    /// `Gbps` or `ms`.
    pub unit: String,
}

impl Document {
    /// The document as YAML, ready for stdout.
    pub fn to_yaml(&self) -> String {
        let mut out = String::new();
        let sections =
            [("upload", &self.upload), ("download", &self.download), ("latency", &self.latency)];
        for (name, section) in sections {
            if let Some(section) = section {
                let _ = writeln!(out, "{name}:");
                section.write_yaml(&mut out, "  ");
            }
        }
        if let Some(node) = &self.node {
            node.write_yaml(&mut out);
        }
        if let Some(failure) = &self.failure {
            failure.write_yaml(&mut out);
        }
        out
    }

    /// The same document as JSON.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }

    /// Reads a node's stdout: one YAML (or JSON) document.
    pub fn parse(text: &str) -> Result<Self, serde_yaml::Error> {
        serde_yaml::from_str(text)
    }

    /// Whether at least one section was measured whole.
    pub fn has_section(&self) -> bool {
        self.upload.is_some() || self.download.is_some() || self.latency.is_some()
    }
}

impl NodeInfo {
    fn write_yaml(&self, out: &mut String) {
        out.push_str("node:\n");
        line(out, "  ", "name", &quoted_if_needed(&self.name));
        line(out, "  ", "version", &quoted_if_needed(&self.version));
        if let Some(info) = &self.stack {
            let Stack { transport, secure_channel, muxer, profile } = info.stack;
            let mut entries = vec![("transport", transport.to_string())];
            entries.extend(secure_channel.map(|value| ("secure_channel", value.to_string())));
            entries.extend(muxer.map(|value| ("muxer", value.to_string())));
            entries.push(("profile", profile.to_string()));
            entries.extend(info.negotiation.clone().map(|value| ("negotiation", value)));
            let extra = info.extra.iter();
            entries.extend(extra.map(|(name, value)| (name.as_str(), quoted_if_needed(value))));
            line(out, "  ", "stack", &mapping(entries));
        }
        let connection = by_phase(&self.phases_ms.connection);
        let mut phases: Vec<_> = connection.map(|(name, ms)| (name, significant(*ms))).collect();
        for (name, percentiles) in
            [("stream_open", self.phases_ms.stream_open), ("exchange", self.phases_ms.exchange)]
        {
            phases.extend(percentiles.map(|PhasePercentiles { p50, p99 }| {
                (name, mapping([("p50", or_null(p50)), ("p99", or_null(p99))]))
            }));
        }
        line(out, "  ", "phases_ms", &mapping(phases));
        if let Some(LatencyPercentiles { p50, p90, p95, p99 }) = self.latency_percentiles_ms {
            let entries = [("p50", p50), ("p90", p90), ("p95", p95), ("p99", p99)];
            let entries = entries.map(|(name, value)| (name, or_null(value)));
            line(out, "  ", "latency_percentiles_ms", &mapping(entries));
        }
        if let Some(load) = &self.load {
            load.write_yaml(out);
        }
        if let Some(measured) = &self.latency_under_load {
            measured.write_yaml(out);
        }
        if let Some(made) = &self.handshakes {
            made.write_yaml(out);
        }
        line(out, "  ", "cpu_seconds", &significant(self.cpu_seconds));
        if let Some(CpuPerGb { upload, download }) = self.cpu_seconds_per_gb {
            let entries = [("upload", upload), ("download", download)];
            let entries = entries.into_iter().filter_map(|(name, s)| Some((name, significant(s?))));
            line(out, "  ", "cpu_seconds_per_gb", &mapping(entries));
        }
        line(out, "  ", "peak_rss_bytes", &self.peak_rss_bytes.to_string());
        if let Some(transport) = self.transport {
            line(out, "  ", "transport", &transport.to_flow());
        }
        if let Some(clock) = &self.clock {
            line(out, "  ", "clock", &quoted_if_needed(clock));
        }
        for (name, value) in &self.extra {
            line(out, "  ", name, &quoted_if_needed(value));
        }
    }
}

/// The order phases happen in, which is the order they are printed in.
const CONNECTION_PHASES: [&str; 4] = ["dial", "security", "muxer", "handshake"];

/// What is known by phase in the order of the phases; those of unknown names come last.
fn by_phase<T>(values: &BTreeMap<String, T>) -> impl Iterator<Item = (&str, &T)> {
    let known = CONNECTION_PHASES.into_iter().filter_map(|name| Some((name, values.get(name)?)));
    let others = values.iter().map(|(name, value)| (name.as_str(), value));
    known.chain(others.filter(|(name, _)| !CONNECTION_PHASES.contains(name)))
}

impl LoadInfo {
    fn write_yaml(&self, out: &mut String) {
        out.push_str("  load:\n");
        line(out, "    ", "connections", &self.connections.to_string());
        line(out, "    ", "streams", &self.streams.to_string());
        line(out, "    ", "bidirectional", &self.bidirectional.to_string());
        line(out, "    ", "omit_seconds", &significant(self.omit_seconds));
        for (name, streams) in [("upload", &self.upload), ("download", &self.download)] {
            if let Some(StreamsInfo { stream_gbps, fairness }) = streams {
                let entries = [("stream_gbps", list(stream_gbps)), ("fairness", list(fairness))];
                line(out, "    ", name, &mapping(entries));
            }
        }
    }
}

impl LatencyUnderLoad {
    fn write_yaml(&self, out: &mut String) {
        let TailPercentiles { p50, p99, p99_9 } = self.percentiles_ms;
        let percentiles = [("p50", p50), ("p99", p99), ("p99.9", p99_9)];
        out.push_str("  latency_under_load:\n");
        line(out, "    ", "beside", &self.beside);
        line(out, "    ", "exchanges", &self.exchanges.to_string());
        let percentiles = percentiles.map(|(name, value)| (name, or_null(value)));
        line(out, "    ", "percentiles_ms", &mapping(percentiles));
        for (name, gbps) in
            [("upload_gbps", self.upload_gbps), ("download_gbps", self.download_gbps)]
        {
            if let Some(gbps) = gbps {
                line(out, "    ", name, &significant(gbps));
            }
        }
    }
}

impl Handshakes {
    fn write_yaml(&self, out: &mut String) {
        let written = |HandshakePercentiles { p50, p90, p99 }: &HandshakePercentiles| {
            mapping([("p50", or_null(*p50)), ("p90", or_null(*p90)), ("p99", or_null(*p99))])
        };
        out.push_str("  handshakes:\n");
        line(out, "    ", "completed", &self.completed.to_string());
        line(out, "    ", "at_once", &self.at_once.to_string());
        line(out, "    ", "seconds", &significant(self.seconds));
        line(out, "    ", "per_second", &significant(self.per_second));
        line(out, "    ", "ready_ms", &written(&self.ready_ms));
        let phases = by_phase(&self.phases_ms).map(|(name, of)| (name, written(of)));
        line(out, "    ", "phases_ms", &mapping(phases));
    }
}

impl FailureInfo {
    fn write_yaml(&self, out: &mut String) {
        out.push_str("failure:\n");
        line(out, "  ", "class", self.class.as_str());
        line(out, "  ", "phase", self.phase.as_str());
        line(out, "  ", "message", &quoted(&self.message));
        if let Some(iteration) = self.iteration {
            line(out, "  ", "iteration", &iteration.to_string());
        }
        if let Some(partial) = &self.partial {
            out.push_str("  partial:\n");
            line(out, "    ", "bytes_sent", &partial.bytes_sent.to_string());
            line(out, "    ", "bytes_received", &partial.bytes_received.to_string());
            line(out, "    ", "samples", &list(&partial.samples));
            line(out, "    ", "unit", &partial.unit);
        }
    }
}

fn line(out: &mut String, indent: &str, key: &str, value: &str) {
    let _ = writeln!(out, "{indent}{key}: {value}");
}

fn list(values: &[f64]) -> String {
    let values: Vec<_> = values.iter().map(|value| significant(*value)).collect();
    format!("[{}]", values.join(", "))
}

fn mapping<'a>(entries: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let entries: Vec<_> =
        entries.into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
    format!("{{{}}}", entries.join(", "))
}

fn or_null(value: Option<f64>) -> String {
    value.map_or_else(|| "null".to_owned(), significant)
}

/// `text` as a double-quoted YAML (and JSON) scalar.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `text` as it is where YAML reads that back as the same string, else quoted.
pub fn quoted_if_needed(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/' | b' ');
    let reads_back = serde_yaml::from_str::<serde_yaml::Value>(text)
        .is_ok_and(|value| value.as_str() == Some(text));
    match text.bytes().all(plain) && reads_back {
        true => text.to_owned(),
        false => quoted(text),
    }
}

/// `value` with six significant digits at most, without exponent, and a decimal point always.
///
/// ```
/// # use harness_sdk::document::significant;
/// assert_eq!(significant(6.512_341_9), "6.51234");
/// assert_eq!(significant(0.000_123_456_78), "0.000123457");
/// assert_eq!(significant(12_345_678.0), "12345700.0");
/// assert_eq!(significant(7.0), "7.0");
/// ```
pub fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value:.1}");
    }
    let magnitude = value.abs().log10().floor() as i32;
    let decimals = 5 - magnitude;
    let text = match usize::try_from(decimals) {
        Ok(decimals) => format!("{value:.decimals$}"),
        Err(_) => {
            let unit = 10f64.powi(-decimals);
            format!("{:.0}", (value / unit).round() * unit)
        }
    };
    match text.split_once('.') {
        Some((whole, fraction)) => match fraction.trim_end_matches('0') {
            "" => format!("{whole}.0"),
            fraction => format!("{whole}.{fraction}"),
        },
        None => format!("{text}.0"),
    }
}

/// `value` rounded to what [`significant`] prints.
pub(crate) fn round(value: f64) -> f64 {
    significant(value).parse().unwrap_or(value)
}

pub(crate) fn rounded(values: &[f64]) -> Vec<f64> {
    values.iter().copied().map(round).collect()
}

fn ours_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NodeInfo>, D::Error> {
    let value = serde_yaml::Value::deserialize(deserializer)?;
    Ok(serde_yaml::from_value(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::SocketBuffers;
    use crate::stack::{Muxer, Profile, SecureChannel, Transport};

    fn example() -> Document {
        let stack = Stack {
            transport: Transport::Tcp,
            secure_channel: Some(SecureChannel::Noise),
            muxer: Some(Muxer::Yamux),
            profile: Profile::Stock,
        };
        let percentiles = PhasePercentiles { p50: Some(0.1), p99: None };
        Document {
            upload: Section::new(&[6.81, 6.84, 6.83, 6.82, 5.102], "Gbps"),
            download: None,
            latency: Section::new(&[0.25], "ms"),
            node: Some(NodeInfo {
                name: "perf-node".into(),
                version: "0.1.0".into(),
                stack: Some(StackInfo {
                    stack,
                    negotiation: Some("v1".into()),
                    extra: [("http".to_owned(), "1.1".to_owned())].into(),
                }),
                phases_ms: Phases {
                    stream_open: Some(percentiles),
                    exchange: Some(percentiles),
                    connection: [("security", 1.2), ("dial", 0.1), ("muxer", 0.3)]
                        .map(|(name, ms)| (name.to_owned(), ms))
                        .into(),
                },
                latency_percentiles_ms: Some(LatencyPercentiles {
                    p50: Some(0.2),
                    p90: Some(0.3),
                    p95: Some(0.3),
                    p99: None,
                }),
                load: Some(LoadInfo {
                    connections: 1,
                    streams: 2,
                    bidirectional: true,
                    omit_seconds: 1.0,
                    upload: Some(StreamsInfo {
                        stream_gbps: vec![3.5, 3.3],
                        fairness: vec![0.999, 1.0],
                    }),
                    download: None,
                }),
                latency_under_load: Some(LatencyUnderLoad {
                    beside: "download".into(),
                    exchanges: 1000,
                    percentiles_ms: TailPercentiles { p50: Some(4.0), p99: Some(9.5), p99_9: None },
                    upload_gbps: None,
                    download_gbps: Some(5.5),
                }),
                handshakes: Some(Handshakes {
                    completed: 20,
                    at_once: 1,
                    seconds: 0.05,
                    per_second: 400.0,
                    ready_ms: HandshakePercentiles { p50: Some(2.0), p90: None, p99: None },
                    phases_ms: ["security", "dial"]
                        .map(|name| {
                            let p50 = Some(1.0);
                            (name.to_owned(), HandshakePercentiles { p50, p90: None, p99: None })
                        })
                        .into(),
                }),
                cpu_seconds: 12.3,
                cpu_seconds_per_gb: Some(CpuPerGb { upload: Some(0.41), download: None }),
                peak_rss_bytes: 31_457_280,
                transport: Some(TransportInfo {
                    socket: Some(SocketBuffers {
                        send_buffer_bytes: 16_384,
                        receive_buffer_bytes: 131_072,
                    }),
                    ..TransportInfo::default()
                }),
                clock: Some("iperf 3.12".to_owned()),
                extra: [("peer_agent".to_owned(), "go: libp2p".to_owned())].into(),
            }),
            failure: Some(FailureInfo {
                class: Class::Transfer,
                phase: Phase::Download,
                message: "stream \"reset\"\nby peer".into(),
                iteration: Some(3),
                partial: Some(Partial {
                    bytes_sent: 0,
                    bytes_received: 77,
                    samples: vec![1.5, 2.0],
                    unit: "Gbps".into(),
                }),
            }),
        }
    }

    #[test]
    fn yaml_is_the_contracts() {
        let expected = r#"upload:
  iterations: 5
  min: 6.81
  q1: 6.81
  median: 6.82
  q3: 6.83
  max: 6.84
  outliers: [5.102]
  samples: [6.81, 6.84, 6.83, 6.82, 5.102]
  unit: Gbps
latency:
  iterations: 1
  min: 0.25
  q1: 0.25
  median: 0.25
  q3: 0.25
  max: 0.25
  outliers: []
  samples: [0.25]
  unit: ms
node:
  name: perf-node
  version: 0.1.0
  stack: {transport: tcp, secure_channel: noise, muxer: yamux, profile: stock, negotiation: v1, http: "1.1"}
  phases_ms: {dial: 0.1, security: 1.2, muxer: 0.3, stream_open: {p50: 0.1, p99: null}, exchange: {p50: 0.1, p99: null}}
  latency_percentiles_ms: {p50: 0.2, p90: 0.3, p95: 0.3, p99: null}
  load:
    connections: 1
    streams: 2
    bidirectional: true
    omit_seconds: 1.0
    upload: {stream_gbps: [3.5, 3.3], fairness: [0.999, 1.0]}
  latency_under_load:
    beside: download
    exchanges: 1000
    percentiles_ms: {p50: 4.0, p99: 9.5, p99.9: null}
    download_gbps: 5.5
  handshakes:
    completed: 20
    at_once: 1
    seconds: 0.05
    per_second: 400.0
    ready_ms: {p50: 2.0, p90: null, p99: null}
    phases_ms: {dial: {p50: 1.0, p90: null, p99: null}, security: {p50: 1.0, p90: null, p99: null}}
  cpu_seconds: 12.3
  cpu_seconds_per_gb: {upload: 0.41}
  peak_rss_bytes: 31457280
  transport: {socket: {send_buffer_bytes: 16384, receive_buffer_bytes: 131072}}
  clock: iperf 3.12
  peer_agent: "go: libp2p"
failure:
  class: transfer
  phase: download
  message: "stream \"reset\"\nby peer"
  iteration: 3
  partial:
    bytes_sent: 0
    bytes_received: 77
    samples: [1.5, 2.0]
    unit: Gbps
"#;
        assert_eq!(example().to_yaml(), expected);
    }

    #[test]
    fn yaml_and_json_read_back_the_same() {
        let document = example();
        assert_eq!(Document::parse(&document.to_yaml()).unwrap(), document);
        assert_eq!(Document::parse(&document.to_json().unwrap()).unwrap(), document);
    }

    #[test]
    fn a_foreign_node_block_is_no_obstacle() {
        let section = "upload: {iterations: 1, min: 1, q1: 1, median: 1, q3: 1, max: 1, outliers: [], samples: [1], unit: Gbps}";
        let document = Document::parse(&format!("{section}\nnode: v22\nother: [1]\n")).unwrap();
        assert!(document.node.is_none() && document.upload.is_some());
    }

    #[test]
    fn a_section_that_lacks_a_key_is_refused() {
        let text = "upload: {iterations: 1, min: 1, q1: 1, median: 1, q3: 1, max: 1, outliers: [], unit: Gbps}";
        assert!(Document::parse(text).unwrap_err().to_string().contains("samples"));
    }

    proptest! {
        #[test]
        fn six_digits_are_kept(value in prop::num::f64::POSITIVE.prop_filter("range", |v| (1e-9..1e12).contains(v))) {
            let text = significant(value);
            prop_assert!(!text.contains(['e', 'E']), "{}", text);
            let error = (text.parse::<f64>().unwrap() - value).abs() / value;
            prop_assert!(error <= 5.1e-6, "{} for {}", text, value);
        }

        #[test]
        fn any_message_reads_back(message in "\\PC*") {
            let mut document = example();
            if let Some(failure) = &mut document.failure {
                failure.message = message;
            }
            prop_assert_eq!(Document::parse(&document.to_yaml()).unwrap(), document);
        }

        #[test]
        fn any_text_parses_or_is_refused(text in ".*") {
            let _ = Document::parse(&text);
        }
    }
}
