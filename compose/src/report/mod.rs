//! Results made readable: for programs, for people, for terminals. Functions from values to text.

mod group;
mod html;
mod log;
mod markdown;
mod table;
mod yaml;

pub use html::html;
pub use log::cell_log;
pub use markdown::markdown;
pub use table::table;
pub use yaml::{matrix_yaml, results_yaml, test_yaml};

use harness_sdk::document::{Section, significant};

use crate::definitions::Implementation;
use crate::results::{Expected, Git, Metadata, Provenance, Status, Summary, TestResult};

/// An implementation on one line: `rust-v0.56 [tcp, quic-v1] [noise, tls] [yamux, mplex]`.
pub fn implementation_line(implementation: &Implementation) -> String {
    let list = |values: Vec<&str>| format!("[{}]", values.join(", "));
    let mut parts = vec![implementation.id.clone()];
    parts.push(list(implementation.transports.iter().map(|value| value.as_str()).collect()));
    parts.push(list(implementation.secure_channels.iter().map(|value| value.as_str()).collect()));
    parts.push(list(implementation.muxers.iter().map(|value| value.as_str()).collect()));
    parts.join(" ")
}

/// A test's result on one line: `pass in 12.3s, upload 6.5 [6.0–6.6] Gbps`.
pub fn line(test: &TestResult) -> String {
    let mut line = format!("{} in {}", status_of(test), test.duration);
    for (name, section) in test.sections() {
        line.push_str(&format!(", {name} {} {}", with_spread(Some(section)), section.unit));
    }
    if test.class.is_some() {
        line.push_str(&format!("; {}", why(test)));
    }
    line
}

/// `1 test`, `2 tests`.
fn tests_of(count: usize) -> String {
    format!("{count} test{}", if count == 1 { "" } else { "s" })
}

/// `44 passed, 1 failed, 1 unsupported`: what there is none of is left out.
pub(crate) fn summary_line(summary: &Summary) -> String {
    let counts = counts(summary).into_iter().filter(|(count, ..)| *count > 0);
    counts.map(|(count, name, _)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}

/// How many tests ended how, in words and by status.
fn counts(summary: &Summary) -> [(usize, &'static str, Status); 7] {
    let Summary { total: _, passed, failed, partial, expected, unsupported, unavailable, not_run } =
        *summary;
    [
        (passed, "passed", Status::Pass),
        (failed, "failed", Status::Fail),
        (partial, "partial", Status::Partial),
        (expected, "failed as expected", Status::Fail),
        (unsupported, "unsupported", Status::Unsupported),
        (unavailable, "unavailable", Status::Unavailable),
        (not_run, "not run", Status::NotRun),
    ]
}

/// What a reader must know of a run, before its numbers.
fn facts(metadata: &Metadata) -> Vec<(&'static str, String)> {
    let machine = &metadata.machine;
    let cpu = machine.cpu.as_deref().unwrap_or("CPU unknown");
    let (platform, cores, kernel) = (&metadata.platform, machine.cores, &machine.kernel);
    let (from, to, took) = (&metadata.started_at, &metadata.completed_at, metadata.duration);
    let load = |load: Option<[f64; 3]>| {
        load.map_or_else(|| "unknown".to_owned(), |load| load.map(short).join(", "))
    };
    let mut facts = vec![
        ("when", format!("{from} to {to} ({took})")),
        ("machine", format!("{platform}, {cpu}, {cores} cores, kernel {kernel}")),
        ("governor", machine.governor.clone().unwrap_or_else(|| "none".to_owned())),
        ("load at the start", load(machine.load_average)),
        ("load at the end", load(machine.load_average_end)),
        ("engine", format!("{}, {}", metadata.engine, metadata.runner)),
        ("time-out of a test", metadata.timeout.to_string()),
    ];
    let workload = metadata.workload.iter().map(|(name, value)| format!("{name}={value}"));
    let filters = metadata.filters.iter().map(|(flag, value)| format!("{flag} '{value}'"));
    let provenance = &metadata.provenance;
    let toolchains =
        provenance.toolchains.iter().map(|(tool, version)| format!("{tool}: {version}"));
    // As many digits as Docker shows.
    let images = provenance.images.iter().map(|(id, image)| {
        format!("{id}: {}", image.trim_start_matches("sha256:").get(..12).unwrap_or(image))
    });
    let limits = provenance.limits.iter().map(|(id, limits)| format!("{id}: {limits}"));
    let given: [(_, Vec<_>); 7] = [
        ("commit", provenance.git.iter().map(state_of).collect()),
        ("toolchains", toolchains.collect()),
        ("images", images.collect()),
        ("limits", limits.collect()),
        ("workers and processors", placement(provenance)),
        ("workload", workload.collect()),
        ("filters", filters.collect()),
    ];
    let given = given.into_iter().filter(|(_, values)| !values.is_empty());
    facts.extend(given.map(|(name, values)| (name, values.join(", "))));
    facts
}

fn state_of(git: &Git) -> String {
    let dirty = if git.dirty { ", with changes that are not in it" } else { "" };
    format!("{}{dirty}", git.commit)
}

/// What is worth saying only where it is not the usual: several workers, pinned sides.
fn placement(provenance: &Provenance) -> Vec<String> {
    let workers = provenance.workers;
    let several = (workers > 1).then(|| format!("{workers} tests at a time"));
    let pinned = provenance
        .pinning
        .iter()
        .map(|sides| format!("dialer on {:?}, listener on {:?}", sides.dialer, sides.listener));
    several.into_iter().chain(pinned).collect()
}

/// A median never stands alone: with the quartiles around it.
fn with_spread(section: Option<&Section>) -> String {
    section.map_or_else(String::new, |section| {
        let plot = &section.plot;
        format!("{} [{}–{}]", short(plot.median), short(plot.q1), short(plot.q3))
    })
}

/// Three significant digits, which is more than repeats, and not fewer than the integer part has.
fn short(value: f64) -> String {
    let magnitude = value.abs().log10().floor();
    if !magnitude.is_finite() {
        return significant(value);
    }
    let decimals = (2.0 - magnitude).clamp(0.0, 9.0) as usize;
    format!("{value:.decimals$}")
}

/// `class: reason` of a test that did not pass; a class that its status says already is left out.
fn why(test: &TestResult) -> String {
    let class = test.class.map(|class| class.to_string());
    let class = class.filter(|class| *class != test.status.to_string());
    [class, reason_of(test)].into_iter().flatten().collect::<Vec<_>>().join(": ")
}

/// The status as people read it: `fail`, or `fail (expected)`.
fn status_of(test: &TestResult) -> String {
    let expected = if test.expected.is_some() { " (expected)" } else { "" };
    format!("{}{expected}", test.status)
}

/// What happened, and where it was expected, why.
fn reason_of(test: &TestResult) -> Option<String> {
    let reason = test.reason.clone()?;
    Some(match &test.expected {
        Some(Expected { reason: why, owner, expires }) => {
            format!("{reason} (expected until {expires} by {owner}: {why})")
        }
        None => reason,
    })
}

/// What the dialer told of itself, for people: seconds of CPU, MiB, milliseconds by phase.
struct OwnFigures {
    cpu: String,
    peak: String,
    phases: String,
}

/// The headings of [`OwnFigures`].
const OWN_FIGURES: [&str; 3] = ["CPU s", "peak RSS MiB", "phases ms"];

impl OwnFigures {
    fn of(test: &TestResult) -> Option<Self> {
        let node = test.node.as_ref()?;
        let phases = &node.phases_ms;
        // In the order in which they happen, whatever that of their names is.
        let known = ["dial", "security", "muxer", "handshake"];
        let (first, others): (Vec<_>, Vec<_>) =
            phases.connection.iter().partition(|(name, _)| known.contains(&name.as_str()));
        let first = known.iter().filter_map(|name| first.iter().find(|(key, _)| key == name));
        let once = first.chain(&others).map(|(name, value)| format!("{name} {}", short(**value)));
        let repeated = [("stream open", &phases.stream_open), ("exchange", &phases.exchange)];
        let repeated = repeated.into_iter().filter_map(|(name, percentiles)| {
            let median = percentiles.as_ref()?.p50?;
            Some(format!("{name} p50 {}", short(median)))
        });
        Some(Self {
            cpu: short(node.cpu_seconds),
            peak: short(node.peak_rss_bytes as f64 / f64::from(1 << 20)),
            phases: once.chain(repeated).collect::<Vec<_>>().join(", "),
        })
    }
}

/// What a reader must be told before anything else.
fn warnings(metadata: &Metadata) -> impl Iterator<Item = &String> {
    metadata.unmet_expectations.iter().chain(&metadata.warnings)
}

#[cfg(test)]
pub(crate) mod sample {
    //! A run to render.

    use std::time::Duration;

    use harness_sdk::document::Section;
    use harness_sdk::{Class, Muxer, SecureChannel, Transport};

    use crate::machine::Machine;
    use crate::results::{Git, Metadata, Provenance, Results, Sides, Status, Summary, TestResult};

    fn test(dialer: &str, listener: &str, status: Status) -> TestResult {
        TestResult {
            test: format!("{dialer} x {listener} (tcp, noise, yamux)"),
            dialer: dialer.to_owned(),
            listener: listener.to_owned(),
            transport: Transport::Tcp,
            secure_channel: Some(SecureChannel::Noise),
            muxer: Some(Muxer::Yamux),
            status,
            class: None,
            reason: None,
            expected: None,
            duration: Duration::from_millis(12_345).into(),
            upload: Section::new(&[6.0, 6.5, 7.0, 6.6, 0.5], "Gbps"),
            download: Section::new(&[1.0 / 3.0], "Gbps"),
            latency: None,
            node: None,
        }
    }

    pub(crate) fn results() -> Results {
        let node = "{name: n, version: 'v: 1', cpu_seconds: 0.0000001, peak_rss_bytes: 1, stack: {transport: tcp, secure_channel: noise, muxer: yamux, profile: stock}, phases_ms: {dial: 0.5, exchange: {p50: 1.0, p99: null}}, note: 'yes'}";
        let mut passed = test("a", "a", Status::Pass);
        passed.node = Some(serde_yaml::from_str(node).unwrap());
        let mut failed = test("a", "b", Status::Fail);
        failed.class = Some(Class::Transfer.into());
        failed.reason = Some("stalled: \"no | byte\"\nfor 30 s".to_owned());
        (failed.upload, failed.download) = (None, None);
        let mut quic = test("b", "b", Status::Pass);
        quic.test = "b x b (quic-v1)".to_owned();
        (quic.transport, quic.secure_channel, quic.muxer) = (Transport::QuicV1, None, None);
        let tests = vec![passed, failed, quic];
        let metadata = Metadata {
            test_pass: "perf-143022-08-11-2026".to_owned(),
            started_at: "2026-11-08T14:30:22Z".to_owned(),
            completed_at: "2026-11-08T14:45:18Z".to_owned(),
            duration: Duration::from_secs(896).into(),
            platform: "x86_64 / Linux".to_owned(),
            engine: "process".to_owned(),
            runner: "perf-compose 0.1.0".to_owned(),
            workload: [("UPLOAD_BYTES".to_owned(), "1".to_owned())].into(),
            timeout: Duration::from_secs(600).into(),
            filters: [("--test-select".to_owned(), "~a|!b".to_owned())].into(),
            machine: Machine {
                platform: String::new(),
                cpu: Some("CPU: fast".to_owned()),
                cores: 2,
                kernel: "6.1.0".to_owned(),
                load_average: Some([0.1, 0.2, 0.3]),
                ..Machine::default()
            },
            provenance: Provenance {
                definitions: "impls/impls.yaml".to_owned(),
                workers: 1,
                toolchains: [("cargo".to_owned(), "cargo 1.95.0".to_owned())].into(),
                pinning: vec![Sides { dialer: vec![0], listener: vec![1] }],
                git: Some(Git { commit: "8dce2ea".to_owned(), dirty: true }),
                ..Provenance::default()
            },
            unmet_expectations: Vec::new(),
            warnings: vec!["the machine was not quiet: it was busy".to_owned()],
        };
        Results { metadata, summary: Summary::of(&tests), tests }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_repeat() {
        for (value, text) in [
            (6.51234, "6.51"),
            (0.123_456, "0.123"),
            (12.345, "12.3"),
            (1234.5, "1234"),
            (0.0, "0.0"),
        ] {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn a_summary_names_what_there_is() {
        let summary = Summary { total: 3, passed: 2, not_run: 1, ..Summary::default() };
        assert_eq!(summary_line(&summary), "2 passed, 1 not run");
    }
}
