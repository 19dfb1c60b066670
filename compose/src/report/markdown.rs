//! results.md: for people who read it where it is kept.

use std::fmt::Write as _;

use harness_sdk::document::significant;

use super::group::{Grid, by, failures, layers};
use super::{
    OWN_FIGURES, OwnFigures, facts, reason_of, status_of, summary_line, tests_of, warnings,
    with_spread,
};
use crate::results::{Results, TestResult};

/// The run as Markdown: summary, failures first; medians by transport and who dials whom; every
/// number of every test.
pub fn markdown(results: &Results) -> String {
    let mut out = String::new();
    head(&mut out, results);
    broken(&mut out, &results.tests);
    for transport in by(&results.tests, |test| test.transport) {
        let _ = writeln!(out, "## {}\n", transport.key);
        out.push_str("Medians \\[first–third quartile\\]. Rows dial, columns listen.\n\n");
        for stack in by(transport.tests.iter().copied(), layers) {
            if !stack.key.is_empty() {
                let _ = writeln!(out, "### {}\n", stack.key);
            }
            medians(&mut out, &stack.tests);
        }
    }
    every_number(&mut out, &results.tests);
    own_figures(&mut out, &results.tests);
    out
}

/// What dialers told of themselves, of their whole run.
fn own_figures(out: &mut String, tests: &[TestResult]) {
    let told: Vec<_> =
        tests.iter().filter_map(|test| Some((test, OwnFigures::of(test)?))).collect();
    if told.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n## What dialers told of themselves\n");
    let _ = writeln!(out, "| test | {} |\n|---|--:|--:|---|", OWN_FIGURES.join(" | "));
    for (test, OwnFigures { cpu, peak, phases }) in told {
        let _ = writeln!(out, "| {} | {cpu} | {peak} | {} |", plain(&test.test), plain(&phases));
    }
}

fn head(out: &mut String, results: &Results) {
    let Results { metadata, summary, .. } = results;
    let _ = writeln!(out, "# {}\n", plain(&metadata.test_pass));
    let _ = writeln!(out, "**{}: {}.**\n", tests_of(summary.total), summary_line(summary));
    for warning in warnings(metadata) {
        let _ = writeln!(out, "**Warning:** {}\n", plain(warning));
    }
    out.push_str("| | |\n|---|---|\n");
    for (name, value) in facts(metadata) {
        let _ = writeln!(out, "| {name} | {} |", plain(&value));
    }
    out.push('\n');
}

fn broken(out: &mut String, tests: &[TestResult]) {
    let failures = failures(tests);
    if failures.is_empty() {
        return;
    }
    out.push_str("## Not passed\n\n| status | class | reason | test |\n|---|---|---|---|\n");
    for test in failures {
        let class = test.class.map(|class| class.to_string()).unwrap_or_default();
        let reason = plain(&reason_of(test).unwrap_or_default());
        let status = status_of(test);
        let _ = writeln!(out, "| {status} | {class} | {reason} | {} |", plain(&test.test));
    }
    out.push('\n');
}

/// One stack's table: who dials by rows, who listens by columns.
fn medians(out: &mut String, tests: &[&TestResult]) {
    let grid = Grid::new(tests);
    let listeners: Vec<_> = grid.listeners.iter().map(|id| plain(id)).collect();
    let _ = writeln!(out, "| dialer \\ listener | {} |", listeners.join(" | "));
    let _ = writeln!(out, "|---|{}", "---|".repeat(listeners.len()));
    for dialer in &grid.dialers {
        let pairs = grid.listeners.iter().map(|listener| grid.at(dialer, listener));
        let row: Vec<_> = pairs.map(|test| test.map_or_else(String::new, medians_of)).collect();
        let _ = writeln!(out, "| **{}** | {} |", plain(dialer), row.join(" | "));
    }
    out.push('\n');
}

fn medians_of(test: &TestResult) -> String {
    let status = test.class.map(|_| status_of(test));
    let sections = test.sections().map(|(name, section)| {
        format!("{name} {} {}", plain(&with_spread(Some(section))), section.unit)
    });
    status.into_iter().chain(sections).collect::<Vec<_>>().join("<br>")
}

fn every_number(out: &mut String, tests: &[TestResult]) {
    out.push_str("## Every test\n\n");
    out.push_str("| test | section | unit | n | min | q1 | median | q3 | max | outliers |\n");
    out.push_str("|---|---|---|--:|--:|--:|--:|--:|--:|---|\n");
    for test in tests {
        let name = plain(&test.test);
        for (section_name, section) in test.sections() {
            let plot = &section.plot;
            let numbers = [plot.min, plot.q1, plot.median, plot.q3, plot.max].map(significant);
            let outliers: Vec<_> = plot.outliers.iter().copied().map(significant).collect();
            let _ = writeln!(
                out,
                "| {name} | {section_name} | {} | {} | {} | {} |",
                section.unit,
                section.iterations,
                numbers.join(" | "),
                outliers.join(", "),
            );
        }
        if test.sections().next().is_none() {
            let _ = writeln!(out, "| {name} | {} | | | | | | | | |", status_of(test));
        }
    }
}

/// `text` in a table's cell, on one line, nothing in it taken for Markdown or HTML.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for character in text.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        match character {
            // Within a word it begins no emphasis.
            '_' if plain.ends_with(char::is_alphanumeric) => plain.push('_'),
            '&' => plain.push_str("&amp;"),
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '~' => {
                plain.push('\\');
                plain.push(character);
            }
            _ => plain.push(character),
        }
    }
    plain
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
            r"| workers and processors | dialer on \[0\], listener on \[1\] |",
            "| toolchains | cargo: cargo 1.95.0 |",
            r"| workload | UPLOAD_BYTES=1 |",
            r"| filters | --test-select '\~a\|!b' |",
            r#"| fail | transfer | stalled: "no \| byte" for 30 s | a x b (tcp, noise, yamux) |"#,
            "## tcp\n",
            "### noise, yamux\n",
            r"| dialer \ listener | a | b |",
            r"| **a** | upload 6.50 \[6.00–6.60\] Gbps<br>download 0.333 \[0.333–0.333\] Gbps | fail |",
            "## quic-v1\n",
            "| a x a (tcp, noise, yamux) | upload | Gbps | 5 | 6.0 | 6.0 | 6.5 | 6.6 | 7.0 | 0.5 |",
            "| a x b (tcp, noise, yamux) | fail |",
            "| a x a (tcp, noise, yamux) | 0.000000100 | 0.000000954 | dial 0.500, exchange p50 1.00 |",
        ] {
            assert!(text.contains(expected), "no {expected} in\n{text}");
        }
    }

    #[test]
    fn failures_come_before_numbers() {
        let text = markdown(&sample::results());
        assert!(text.find("## Not passed").unwrap() < text.find("## tcp").unwrap());
        let mut results = sample::results();
        results.tests.remove(1);
        assert!(!markdown(&results).contains("## Not passed"));
    }

    #[test]
    fn whatever_nodes_say_stays_text() {
        assert_eq!(
            plain("<img src=x>\n**a** | `b` & c\\"),
            r"&lt;img src=x&gt; \*\*a\*\* \| \`b\` &amp; c\\"
        );
        assert_eq!(plain("UPLOAD_BYTES _a_"), r"UPLOAD_BYTES \_a_");
    }
}
