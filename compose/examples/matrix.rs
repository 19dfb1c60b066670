//! How long it takes from definitions to the tests that are run: the committed ones, and a hundred
//! implementations, each with each, over six stacks. `cargo run --release -p perf-compose --example matrix`

// Not a test, where clippy.toml allows it; and nothing here is wrong but by a mistake in this file.
#![allow(clippy::expect_used)]

use std::path::Path;
use std::time::{Duration, Instant};

use perf_compose::definitions::Definitions;
use perf_compose::selection::{self, FilterText, FilterTexts};

const ROUNDS: usize = 9;

fn main() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../impls/impls.yaml");
    let committed = std::fs::read_to_string(file).expect("impls/impls.yaml");
    let entries = (0..100).map(|i| {
        format!("- {{id: i{i}, transports: [tcp, quic-v1, webtransport], secureChannels: [noise, tls], muxers: [yamux, mplex]}}\n")
    });
    let hundred = format!("implementations:\n{}", entries.collect::<String>());
    let everywhere = FilterText { select: Some("i|x".to_owned()), ignore: Some("zig".to_owned()) };
    let filtered = FilterTexts { tests: everywhere, ..FilterTexts::default() };
    println!("median of {ROUNDS}:");
    for (what, text, filters) in [
        ("impls/impls.yaml", &committed, &FilterTexts::default()),
        ("100 x 100 x 6", &hundred, &FilterTexts::default()),
        ("100 x 100 x 6, filtered", &hundred, &filtered),
    ] {
        let mut rounds: Vec<(Duration, usize)> =
            (0..ROUNDS).map(|_| round(text, filters)).collect();
        rounds.sort();
        let (took, tests) = rounds[ROUNDS / 2];
        println!("{what}: {tests} tests in {:.1} ms", took.as_secs_f64() * 1e3);
    }
}

fn round(text: &str, filters: &FilterTexts) -> (Duration, usize) {
    let start = Instant::now();
    let definitions = Definitions::parse(text, Path::new("impls.yaml")).expect("definitions");
    let tests = selection::cells(&definitions, filters).expect("tests").len();
    (start.elapsed(), tests)
}
