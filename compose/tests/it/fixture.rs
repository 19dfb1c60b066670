//! A run that never was: the default matrix's 46 tests, with every status. All numbers are made up,
//! and its name says so.

use std::time::Duration;

use harness_sdk::document::{NodeInfo, Section};
use harness_sdk::{Class, Muxer, SecureChannel, Transport};
use perf_compose::machine::Machine;
use perf_compose::results::{
    Blame, Git, Metadata, Provenance, Results, Sides, Status, Summary, TestResult,
};

/// Implementations with what they speak, and how fast they are made out to be.
const IMPLEMENTATIONS: [(&str, &[Transport], f64); 5] = [
    ("go-v0.45", &[Transport::Tcp, Transport::QuicV1, Transport::Webtransport], 1.3),
    ("rust-v0.56", &[Transport::Tcp, Transport::QuicV1], 1.0),
    ("js-v3.x", &[Transport::Tcp, Transport::Webtransport], 3.5),
    ("https-baseline", &[Transport::Https], 0.7),
    ("quic-go-baseline", &[Transport::Quic], 0.9),
];

/// The fixture.
pub(crate) fn results() -> Results {
    let mut numbers = Numbers(7);
    let mut tests = Vec::new();
    for (dialer, transports, slow) in IMPLEMENTATIONS {
        for (listener, theirs, slower) in IMPLEMENTATIONS {
            for transport in transports.iter().filter(|transport| theirs.contains(transport)) {
                for (channel, muxer) in layers(*transport) {
                    let factor =
                        slow * slower / if muxer == Some(Muxer::Mplex) { 1.1 } else { 1.0 };
                    tests.push(test(
                        [dialer, listener],
                        (*transport, channel, muxer),
                        factor,
                        &mut numbers,
                    ));
                }
            }
        }
    }
    for test in &mut tests {
        end(test);
    }
    Results { metadata: metadata(), summary: Summary::of(&tests), tests }
}

fn layers(transport: Transport) -> Vec<(Option<SecureChannel>, Option<Muxer>)> {
    if !transport.is_layered() {
        return vec![(None, None)];
    }
    let channels = [SecureChannel::Noise, SecureChannel::Tls];
    let with = |channel| [Muxer::Yamux, Muxer::Mplex].map(|muxer| (Some(channel), Some(muxer)));
    channels.into_iter().flat_map(with).collect()
}

fn test(
    [dialer, listener]: [&str; 2],
    (transport, secure_channel, muxer): (Transport, Option<SecureChannel>, Option<Muxer>),
    factor: f64,
    numbers: &mut Numbers,
) -> TestResult {
    let layers = secure_channel.iter().map(|channel| channel.to_string());
    let layers = layers.chain(muxer.iter().map(|muxer| muxer.to_string()));
    let stack: Vec<_> = std::iter::once(transport.to_string()).chain(layers).collect();
    TestResult {
        test: format!("{dialer} x {listener} ({})", stack.join(", ")),
        dialer: dialer.to_owned(),
        listener: listener.to_owned(),
        transport,
        secure_channel,
        muxer,
        status: Status::Pass,
        class: None,
        reason: None,
        expected: None,
        duration: Duration::from_millis(12_345).into(),
        upload: Section::new(&numbers.around(7.2 / factor, 10), "Gbps"),
        download: Section::new(&numbers.around(6.8 / factor, 10), "Gbps"),
        latency: Section::new(&numbers.around(0.19 * factor, 100), "ms"),
        node: Some(node(transport, secure_channel, muxer)),
    }
}

/// What the dialer told of itself.
fn node(
    transport: Transport,
    secure_channel: Option<SecureChannel>,
    muxer: Option<Muxer>,
) -> NodeInfo {
    let phases = match transport.is_layered() {
        true => "dial: 0.1, security: 1.2, muxer: 0.3",
        false => "handshake: 1.6",
    };
    let layer = |name: Option<String>| name.unwrap_or_else(|| "null".to_owned());
    let (secure_channel, muxer) = (
        layer(secure_channel.map(|channel| channel.to_string())),
        layer(muxer.map(|muxer| muxer.to_string())),
    );
    let text = format!(
        "{{name: perf-node, version: 0.1.0, stack: {{transport: {transport}, secure_channel: {secure_channel}, muxer: {muxer}, profile: stock}}, phases_ms: {{{phases}, stream_open: {{p50: 0.11, p99: null}}, exchange: {{p50: 0.08, p99: null}}}}, cpu_seconds: 12.3, peak_rss_bytes: 31457280}}"
    );
    serde_yaml::from_str(&text).unwrap()
}

/// Lets some tests end otherwise.
fn end(test: &mut TestResult) {
    let (status, blame, reason): (_, Blame, _) = match test.test.as_str() {
        "go-v0.45 x rust-v0.56 (tcp, tls, mplex)" => (
            Status::Fail,
            Class::Connect.into(),
            "dialer: dial: refused by 127.0.0.1:4001; offered /tls/1.0.0, /mplex/6.7.0",
        ),
        "rust-v0.56 x go-v0.45 (quic-v1)" => (
            Status::Partial,
            Class::Transfer.into(),
            "dialer: latency: iteration 31: no byte for 30 s on a stream that should move",
        ),
        "go-v0.45 x go-v0.45 (webtransport)" => (
            Status::Fail,
            Blame::UNCLASSIFIED,
            "the dialer ended with status 2; its last line: panic: runtime error: <nil> & \"worse\"\ngoroutine 1 [running]:",
        ),
        "js-v3.x x js-v3.x (webtransport)" => (
            Status::Unsupported,
            Class::Unsupported.into(),
            "listener: webtransport cannot be listened on in Node",
        ),
        "quic-go-baseline x quic-go-baseline (quic)" => (
            Status::NotRun,
            Class::Interrupted.into(),
            "the run was interrupted before it was done",
        ),
        _ if test.dialer == "js-v3.x" && test.listener != "js-v3.x" => (
            Status::Unavailable,
            Class::Environment.into(),
            "js-v3.x: npm is not on this machine; install it (for example: apt-get install npm)",
        ),
        _ => return,
    };
    (test.status, test.class, test.reason) = (status, Some(blame), Some(reason.to_owned()));
    test.latency = None;
    if status != Status::Partial {
        (test.upload, test.download, test.node) = (None, None, None);
    }
}

fn metadata() -> Metadata {
    Metadata {
        test_pass: "perf-fixture-made-up-numbers".to_owned(),
        started_at: "2026-11-08T14:30:22Z".to_owned(),
        completed_at: "2026-11-08T14:45:18Z".to_owned(),
        duration: Duration::from_secs(896).into(),
        platform: "x86_64 / Linux".to_owned(),
        engine: "process".to_owned(),
        runner: "perf-compose 0.0.0".to_owned(),
        workload: [
            ("UPLOAD_BYTES", "1073741824"),
            ("UPLOAD_ITERATIONS", "10"),
            ("LATENCY_ITERATIONS", "100"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        timeout: Duration::from_secs(600).into(),
        filters: [("--test-ignore".to_owned(), "nothing|at all".to_owned())].into(),
        machine: Machine {
            platform: String::new(),
            cpu: Some("A made-up CPU @ 3.00GHz".to_owned()),
            cores: 8,
            kernel: "6.1.0".to_owned(),
            governor: Some("performance".to_owned()),
            sysctls: [("net.core.rmem_max".to_owned(), "212992".to_owned())].into(),
            load_average: Some([0.12, 0.3, 0.28]),
            load_average_end: Some([1.9, 1.2, 0.6]),
        },
        provenance: Provenance {
            definitions: "impls/impls.yaml".to_owned(),
            definitions_sha256: "0".repeat(64),
            matrix_sha256: "1".repeat(64),
            git: Some(Git { commit: "2".repeat(40), dirty: true }),
            toolchains: [("cargo".to_owned(), "cargo 1.95.0".to_owned())].into(),
            images: [("rust-v0.56".to_owned(), format!("sha256:{}", "3".repeat(64)))].into(),
            limits: [("rust-v0.56".to_owned(), "cpus 1.5, memory 512m".to_owned())].into(),
            workers: 1,
            pinning: vec![Sides { dialer: vec![0, 1], listener: vec![2, 3] }],
            resumed_at: vec!["2026-11-08T14:40:00Z".to_owned()],
        },
        unmet_expectations: Vec::new(),
        warnings: vec!["the machine was not quiet: <b>made up</b>".to_owned()],
    }
}

/// Numbers that look drawn by lot and are the same every time.
struct Numbers(u64);

impl Numbers {
    /// From 0 to 1.
    fn next(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1u32 << 31)
    }

    /// `count` of them around `middle`, one in thirty far off.
    fn around(&mut self, middle: f64, count: usize) -> Vec<f64> {
        let sample = |numbers: &mut Self| {
            let spread = (0..4).map(|_| numbers.next() - 0.5).sum::<f64>() * 0.12;
            let off = if numbers.next() < 1.0 / 30.0 { 0.5 + 2.5 * numbers.next() } else { 1.0 };
            middle * (1.0 + spread) * off
        };
        (0..count).map(|_| sample(self)).collect()
    }
}
