//! results.yaml and its parts: block style, each section's nine keys as the node prints them.

use std::fmt::Write as _;

use serde::Serialize;

use crate::matrix::Cell;
use crate::results::{Results, TestResult};

/// The run as the contract's section 7 has it.
pub fn results_yaml(results: &Results) -> String {
    let Results { metadata, summary, tests } = results;
    let mut out = String::new();
    for (heading, body) in [("metadata", block(metadata)), ("summary", block(summary))] {
        let _ = writeln!(out, "{heading}:");
        indent(&mut out, &body, "  ", "  ");
    }
    // A list that is empty must say so: a key with nothing under it is null.
    out.push_str(if tests.is_empty() { "tests: []\n" } else { "tests:\n" });
    for test in tests {
        indent(&mut out, &test_yaml(test), "  - ", "    ");
    }
    out
}

/// One test's entry of the list, as a document of its own.
pub fn test_yaml(test: &TestResult) -> String {
    let sections: Vec<_> = test.sections().collect();
    let head =
        TestResult { upload: None, download: None, latency: None, node: None, ..test.clone() };
    let mut out = block(&head);
    for (name, section) in sections {
        let _ = writeln!(out, "{name}:");
        section.write_yaml(&mut out, "  ");
    }
    // JSON is YAML on one line.
    if let Some(node) = test.node.as_ref().and_then(|node| serde_json::to_string(node).ok()) {
        let _ = writeln!(out, "node: {node}");
    }
    out
}

/// The selected tests, before anything is run.
pub fn matrix_yaml(cells: &[Cell<'_>]) -> String {
    #[derive(Serialize)]
    struct Entry<'a> {
        test: &'a str,
        dialer: &'a str,
        listener: &'a str,
        transport: String,
        #[serde(rename = "secureChannel")]
        secure_channel: Option<String>,
        muxer: Option<String>,
        key: String,
        slug: &'a str,
    }
    #[derive(Serialize)]
    struct Matrix<'a> {
        tests: Vec<Entry<'a>>,
    }
    let tests = cells
        .iter()
        .map(|cell| Entry {
            test: &cell.name,
            dialer: &cell.dialer.id,
            listener: &cell.listener.id,
            transport: cell.stack.transport.to_string(),
            secure_channel: cell.stack.secure_channel.map(|channel| channel.to_string()),
            muxer: cell.stack.muxer.map(|muxer| muxer.to_string()),
            key: cell.key(),
            slug: &cell.slug,
        })
        .collect();
    block(&Matrix { tests })
}

/// `value` in block style. Our types are mappings with text keys, which serde_yaml always writes;
/// should it ever not, the error stands where the value would have.
fn block(value: &impl Serialize) -> String {
    serde_yaml::to_string(value).unwrap_or_else(|error| format!("# not written: {error}\n"))
}

/// Appends `text`, its first line behind `first`, the others behind `rest`.
fn indent(out: &mut String, text: &str, first: &str, rest: &str) {
    for (index, line) in text.lines().enumerate() {
        let before = if index == 0 { first } else { rest };
        // An empty line, inside a text of several, needs no indentation.
        match line {
            "" => out.push('\n'),
            line => {
                let _ = writeln!(out, "{before}{line}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn results_read_back() {
        let results = sample::results();
        let text = results_yaml(&results);
        let read: Results =
            serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
        assert_eq!(read, results, "{text}");
    }

    #[test]
    fn the_journal_reads_back() {
        let results = sample::results();
        let text = serde_json::to_string(&results).unwrap();
        assert_eq!(serde_json::from_str::<Results>(&text).unwrap(), results);
    }

    #[test]
    fn the_shape_is_the_contracts() {
        let text = results_yaml(&sample::results());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[..2], ["metadata:", "  testPass: perf-143022-08-11-2026"]);
        let tests = &lines[lines.iter().position(|line| *line == "tests:").unwrap() + 1..];
        assert_eq!(
            tests[..21],
            [
                "  - test: a x a (tcp, noise, yamux)",
                "    dialer: a",
                "    listener: a",
                "    transport: tcp",
                "    secureChannel: noise",
                "    muxer: yamux",
                "    status: pass",
                "    duration: 12.345s",
                "    upload:",
                "      iterations: 5",
                "      min: 6.0",
                "      q1: 6.0",
                "      median: 6.5",
                "      q3: 6.6",
                "      max: 7.0",
                "      outliers: [0.5]",
                "      samples: [6.0, 6.5, 7.0, 6.6, 0.5]",
                "      unit: Gbps",
                "    download:",
                "      iterations: 1",
                "      min: 0.333333",
            ]
        );
        assert!(text.contains("    secureChannel: null\n"), "{text}");
    }

    #[test]
    fn no_tests_are_an_empty_list() {
        let mut results = sample::results();
        results.tests.clear();
        let read: Results = serde_yaml::from_str(&results_yaml(&results)).unwrap();
        assert_eq!(read, results);
    }
}
