//! Listeners that keep to a rate, or read late: what the dialer reports has to be that.
//!
//! A dialer that stopped an upload's clock when its own buffers had taken the last byte would report
//! more than was ever read, by what those buffers hold: to a steady reader over QUIC several times as
//! much, and over TCP with yamux a few percent, which nobody would notice. So there is the late reader:
//! of an upload that fits into the buffers it takes nothing for a while, and such a dialer would not
//! notice that at all.

use harness_sdk::Stack;

use crate::seen::seen;
use crate::support::{Listening, Sections, dial, stack};

const TOO_FAST: f64 = 0.01;
const TOO_SLOW: f64 = 0.05;
const TRIES: usize = 5;

/// A behaviour with its figures, and what a dialer has to report of it.
struct Paced {
    behaviour: &'static str,
    flags: [&'static str; 2],
    sections: Sections,
    bytes: u64,
    gbps: f64,
}

/// Each takes half a second.
const STEADY: u64 = 12_500_000;
const LATE: u64 = 65_536;

const STEADY_READER: Paced = Paced {
    behaviour: "paced-reader",
    flags: ["--rate", "200"],
    sections: [2, 0, 0],
    bytes: STEADY,
    gbps: 0.2,
};

const LATE_READER: Paced = Paced {
    behaviour: "late-reader",
    flags: ["--delay-ms", "500"],
    sections: [2, 0, 0],
    bytes: LATE,
    gbps: LATE as f64 * 8.0 / 0.5 / 1e9,
};

const STEADY_SENDER: Paced = Paced {
    behaviour: "paced-sender",
    flags: ["--rate", "200"],
    sections: [0, 2, 0],
    bytes: STEADY,
    gbps: 0.2,
};

const LATE_SENDER: Paced = Paced {
    behaviour: "paced-sender",
    flags: ["--delay-ms", "500"],
    sections: [0, 2, 0],
    bytes: LATE,
    // At 100 Mbit/s, which it keeps to unless told otherwise.
    gbps: LATE as f64 * 8.0 / (0.5 + LATE as f64 * 8.0 / 1e8) / 1e9,
};

macro_rules! on_every_stack {
    ($($name:ident: $stack:literal),+ $(,)?) => { $(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn upload_to_a_steady_reader() {
                the_rate_is_the_probes(stack($stack), STEADY_READER).await;
            }

            #[tokio::test]
            async fn upload_to_a_late_reader() {
                the_rate_is_the_probes(stack($stack), LATE_READER).await;
            }

            #[tokio::test]
            async fn download_from_a_steady_sender() {
                the_rate_is_the_probes(stack($stack), STEADY_SENDER).await;
            }

            #[tokio::test]
            async fn download_from_a_late_sender() {
                the_rate_is_the_probes(stack($stack), LATE_SENDER).await;
            }
        }
    )+ };
}

on_every_stack!(
    tcp_noise_yamux: "tcp noise yamux",
    tcp_noise_mplex: "tcp noise mplex",
    tcp_tls_yamux: "tcp tls yamux",
    tcp_tls_mplex: "tcp tls mplex",
    ws_noise_yamux: "ws noise yamux",
    ws_noise_mplex: "ws noise mplex",
    ws_tls_yamux: "ws tls yamux",
    ws_tls_mplex: "ws tls mplex",
    quic_v1: "quic-v1",
    webtransport: "webtransport",
);

/// A busy machine makes a dialer slower, which is tried again, and never faster than the probe.
async fn the_rate_is_the_probes(stack: Stack, paced: Paced) {
    let Paced { behaviour, gbps, .. } = paced;
    let mut all = Vec::new();
    for _ in 0..TRIES {
        let samples = samples(&stack, &paced).await;
        println!("{stack}, {behaviour}: {samples:?} Gbps, where the probe moves {gbps}");
        assert!(
            samples.iter().all(|sample| *sample <= gbps * (1.0 + TOO_FAST)),
            "{stack}, {behaviour}: {samples:?} Gbps, where the probe moves {gbps}"
        );
        if samples.iter().any(|sample| *sample >= gbps * (1.0 - TOO_SLOW)) {
            return;
        }
        all.extend(samples);
    }
    panic!("{stack}, {behaviour}: {all:?} Gbps, where the probe moves {gbps}");
}

/// What a dialer reports of two iterations with the probe, which sees as many bytes.
async fn samples(stack: &Stack, paced: &Paced) -> Vec<f64> {
    let Paced { behaviour, flags, sections, bytes, .. } = paced;
    let probe = Listening::probe(stack, behaviour, flags).await;
    let ended = dial(stack, &probe.address).measuring(*sections, *bytes).run().await;
    let document = ended.measured(*sections);
    let seen = seen(probe).await;
    assert!(seen.streams.iter().all(|s| s.received.max(s.sent) == *bytes), "{seen:?}");
    document.upload.or(document.download).unwrap().samples
}
