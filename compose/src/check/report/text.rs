//! Text for people: a line a rule.

use std::fmt::Write as _;

use super::super::finding::{Finding, RuleOutcome};
use super::{Report, Summary};

pub(super) fn render(report: &Report, colours: bool) -> String {
    let mut out = String::new();
    let width = report.findings.iter().map(|one| one.rule.len()).max().unwrap_or(0);
    for findings in report.stacks() {
        let stack = findings.first().map_or("", |one| one.stack.as_str());
        let _ = writeln!(out, "{} ({stack})", report.subject);
        for one in findings {
            let _ = writeln!(
                out,
                "  {}  {:width$}  {}",
                mark(one.outcome, colours),
                one.rule,
                said(one)
            );
        }
        out.push('\n');
    }
    let Summary { passed, failed, warnings, skipped } = report.summary;
    let _ = writeln!(
        out,
        "{passed} passed, {failed} failed, {warnings} warning{}, {skipped} not checked in {:.1} s",
        if warnings == 1 { "" } else { "s" },
        report.seconds
    );
    if failed + warnings > 0 {
        out.push_str("docs/check.md says of every rule why it matters and what to do\n");
    }
    out
}

fn mark(outcome: RuleOutcome, colours: bool) -> String {
    let (word, colour) = match outcome {
        RuleOutcome::Pass => ("pass", "32"),
        RuleOutcome::Fail => ("FAIL", "1;31"),
        RuleOutcome::Warning => ("warn", "33"),
        RuleOutcome::Skipped => ("skip", "2"),
    };
    if colours { format!("\x1b[{colour}m{word}\x1b[0m") } else { word.to_owned() }
}

fn said(one: &Finding) -> String {
    match one.outcome {
        RuleOutcome::Pass | RuleOutcome::Skipped => one.seen.clone(),
        RuleOutcome::Fail | RuleOutcome::Warning => {
            format!("expected: {}; seen: {} ({})", one.expected, one.seen, one.source)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;
    use super::*;

    #[test]
    fn one_line_a_rule() {
        assert_eq!(
            render(&report(), false),
            "some-node (tcp, noise, yamux)\n  \
             pass  redis-key           /ip4/…\n  \
             FAIL  client-upload-rate  expected: 8 Mbit/s; seen: 4200 Mbit/s <made up> (docs/contract.md, /perf/1.0.0)\n\
             \n\
             some-node (quic-v1)\n  \
             warn  redis-expiry        expected: 3600 s; seen: forever (docs/contract.md, Meeting through Redis)\n  \
             skip  server-no-fin       not now\n\
             \n\
             1 passed, 1 failed, 1 warning, 1 not checked in 12.3 s\n\
             docs/check.md says of every rule why it matters and what to do\n"
        );
        assert!(render(&report(), true).contains("\x1b[1;31mFAIL\x1b[0m"));
    }
}
