//! results.md: for people who read it where it is kept.

use std::fmt::Write as _;

use harness_sdk::document::{Section, significant};

use super::{failures, short, summary_line, tests_of, why};
use crate::results::{Provenance, Results, TestResult};

/// The run as Markdown: summary, failures first; medians by stack; every number of every test.
pub fn markdown(results: &Results) -> String {
    let mut out = String::new();
    head(&mut out, results);
    broken(&mut out, &results.tests);
    for stack in stacks(&results.tests) {
        medians(&mut out, &stack, &results.tests);
    }
    every_number(&mut out, &results.tests);
    out
}

fn head(out: &mut String, results: &Results) {
    let Results { metadata, summary, .. } = results;
    let machine = &metadata.machine;
    let cpu = machine.cpu.as_deref().unwrap_or("CPU unknown");
    let _ = writeln!(out, "# {}\n", metadata.test_pass);
    let _ = writeln!(out, "**{}: {}.**\n", tests_of(summary.total), summary_line(summary));
    for warning in &metadata.warnings {
        let _ = writeln!(out, "**Warning:** {warning}\n");
    }
    let _ = writeln!(out, "| | |\n|---|---|");
    let span =
        format!("{} to {} ({})", metadata.started_at, metadata.completed_at, metadata.duration);
    let load = |load: Option<[f64; 3]>| {
        load.map_or_else(|| "unknown".to_owned(), |load| load.map(short).join(", "))
    };
    let rows = [
        ("when", span),
        (
            "machine",
            format!(
                "{}, {cpu}, {} cores, kernel {}",
                metadata.platform, machine.cores, machine.kernel
            ),
        ),
        ("governor", machine.governor.clone().unwrap_or_else(|| "none".to_owned())),
        ("load at the start", load(machine.load_average)),
        ("load at the end", load(machine.load_average_end)),
        ("engine", format!("{}, {}", metadata.engine, metadata.runner)),
    ];
    let workload = metadata.workload.iter().map(|(name, value)| format!("{name}={value}"));
    let filters = metadata.filters.iter().map(|(flag, value)| format!("`{flag} '{value}'`"));
    let provenance = &metadata.provenance;
    let toolchains =
        provenance.toolchains.iter().map(|(tool, version)| format!("{tool}: {version}"));
    let git = provenance.git.iter().map(|git| {
        format!(
            "{}{}",
            git.commit,
            if git.dirty { ", with changes that are not in it" } else { "" }
        )
    });
    let given = [
        ("commit", git.collect()),
        ("toolchains", toolchains.collect()),
        ("workers and processors", placement(provenance)),
        ("workload", workload.collect::<Vec<_>>()),
        ("filters", filters.collect()),
    ];
    let given = given.into_iter().filter(|(_, values)| !values.is_empty());
    for (name, value) in
        rows.into_iter().chain(given.map(|(name, values)| (name, values.join(", "))))
    {
        let _ = writeln!(out, "| {name} | {} |", cell(&value));
    }
    out.push('\n');
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

fn broken(out: &mut String, tests: &[TestResult]) {
    if failures(tests).next().is_none() {
        return;
    }
    out.push_str("## Not passed\n\n| test | status | why |\n|---|---|---|\n");
    for test in failures(tests) {
        let _ = writeln!(out, "| {} | {} | {} |", cell(&test.test), test.status, cell(&why(test)));
    }
    out.push('\n');
}

/// One stack's table: who dials by rows, who listens by columns.
fn medians(out: &mut String, stack: &str, tests: &[TestResult]) {
    let here: Vec<_> = tests.iter().filter(|test| stack_of(test) == stack).collect();
    let (dialers, listeners) = (
        distinct(here.iter().map(|test| test.dialer.as_str())),
        distinct(here.iter().map(|test| test.listener.as_str())),
    );
    let _ = writeln!(out, "## {stack}\n");
    out.push_str(
        "Medians: upload Gbps / download Gbps / latency ms. Rows dial, columns listen.\n\n",
    );
    let _ = writeln!(out, "| | {} |", listeners.join(" | "));
    let _ = writeln!(out, "|---|{}", "---|".repeat(listeners.len()));
    for dialer in dialers {
        let between = |listener: &&str| {
            here.iter().find(|test| test.dialer == dialer && test.listener == *listener)
        };
        let row: Vec<_> = listeners
            .iter()
            .map(|listener| between(listener).map(|test| medians_of(test)).unwrap_or_default())
            .collect();
        let _ = writeln!(out, "| **{dialer}** | {} |", row.join(" | "));
    }
    out.push('\n');
}

fn medians_of(test: &TestResult) -> String {
    if test.sections().next().is_none() {
        return test.status.to_string();
    }
    let median = |section: &Option<Section>| {
        section.as_ref().map_or_else(|| "–".to_owned(), |section| short(section.plot.median))
    };
    [&test.upload, &test.download, &test.latency].map(median).join(" / ")
}

fn every_number(out: &mut String, tests: &[TestResult]) {
    out.push_str("## Every test\n\n");
    out.push_str("| test | section | unit | n | min | q1 | median | q3 | max | outliers |\n");
    out.push_str("|---|---|---|---|---|---|---|---|---|---|\n");
    for test in tests {
        for (name, section) in test.sections() {
            let plot = &section.plot;
            let numbers = [plot.min, plot.q1, plot.median, plot.q3, plot.max].map(significant);
            let outliers: Vec<_> = plot.outliers.iter().copied().map(significant).collect();
            let _ = writeln!(
                out,
                "| {} | {name} | {} | {} | {} | {} |",
                cell(&test.test),
                section.unit,
                section.iterations,
                numbers.join(" | "),
                outliers.join(", "),
            );
        }
        if test.sections().next().is_none() {
            let _ = writeln!(out, "| {} | {} | | | | | | | | |", cell(&test.test), test.status);
        }
    }
}

fn stacks(tests: &[TestResult]) -> Vec<String> {
    let mut stacks: Vec<String> = Vec::new();
    for stack in tests.iter().map(stack_of) {
        if !stacks.contains(&stack) {
            stacks.push(stack);
        }
    }
    stacks
}

fn stack_of(test: &TestResult) -> String {
    let channel = test.secure_channel.map(|channel| channel.as_str());
    let layers = channel.into_iter().chain(test.muxer.map(|muxer| muxer.as_str()));
    std::iter::once(test.transport.as_str()).chain(layers).collect::<Vec<_>>().join(", ")
}

fn distinct<'a>(values: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut distinct = Vec::new();
    for value in values {
        if !distinct.contains(&value) {
            distinct.push(value);
        }
    }
    distinct
}

/// `text` within a table: on one line, its pipes not taken for the table's.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn everything_has_its_place() {
        let text = markdown(&sample::results());
        for expected in [
            "# perf-143022-08-11-2026\n",
            "**3 tests: 2 passed, 1 failed.**",
            "**Warning:** the machine was not quiet: it was busy\n",
            "| commit | 8dce2ea, with changes that are not in it |",
            "| workers and processors | dialer on [0], listener on [1] |",
            "| filters | `--test-select '~a\\|!b'` |",
            "| a x b (tcp, noise, yamux) | fail | transfer: stalled: \"no \\| byte\" for 30 s |",
            "## tcp, noise, yamux\n",
            "| | a | b |\n|---|---|---|\n| **a** | 6.50 / 0.333 / – | fail |\n",
            "## quic-v1\n",
            "| a x a (tcp, noise, yamux) | upload | Gbps | 5 | 6.0 | 6.0 | 6.5 | 6.6 | 7.0 | 0.5 |",
            "| a x b (tcp, noise, yamux) | fail |",
        ] {
            assert!(text.contains(expected), "no {expected} in\n{text}");
        }
    }
}
