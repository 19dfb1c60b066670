//! A check's findings, counted, and the forms they are shown in.

mod junit;
mod text;

use std::time::Duration;

use serde::Serialize;

use super::CheckFormat;
use super::finding::{Finding, RuleOutcome};
use super::rules::{RULES, Severity};

/// Everything a check found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The node: an implementation's id, an image, a program.
    pub subject: String,
    /// Seconds that the check took, building left out.
    pub seconds: f64,
    /// How many of each.
    pub summary: Summary,
    /// Stack by stack, in the rules' order.
    pub findings: Vec<Finding>,
}

/// How many rules ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Kept.
    pub passed: usize,
    /// Broken.
    pub failed: usize,
    /// Broken without harm.
    pub warnings: usize,
    /// Not judged.
    pub skipped: usize,
}

impl Report {
    /// The report of `findings`.
    pub fn new(subject: String, findings: Vec<Finding>, took: Duration) -> Self {
        let count = |outcome| findings.iter().filter(|one| one.outcome == outcome).count();
        let summary = Summary {
            passed: count(RuleOutcome::Pass),
            failed: count(RuleOutcome::Fail),
            warnings: count(RuleOutcome::Warning),
            skipped: count(RuleOutcome::Skipped),
        };
        let seconds = (took.as_secs_f64() * 10.0).round() / 10.0;
        Self { subject, seconds, summary, findings }
    }

    /// The exit status: 1 where a rule is broken, or with `strict` where one warns, or where none was judged.
    pub fn status(&self, strict: bool) -> u8 {
        let Summary { passed, failed, warnings, .. } = self.summary;
        let judged = passed + failed + warnings;
        u8::from(failed > 0 || judged == 0 || (strict && warnings > 0))
    }

    /// The report in `format`; `colours` are of the text alone.
    pub fn render(&self, format: CheckFormat, colours: bool) -> std::io::Result<String> {
        match format {
            CheckFormat::Text => Ok(text::render(self, colours)),
            CheckFormat::Yaml => serde_yaml::to_string(self).map_err(std::io::Error::other),
            CheckFormat::Junit => junit::render(self),
        }
    }

    /// The findings of each stack.
    fn stacks(&self) -> impl Iterator<Item = &[Finding]> {
        self.findings.chunk_by(|one, next| one.stack == next.stack)
    }
}

/// Every rule, a line each: for `--list-rules`.
pub fn rules() -> String {
    let width = RULES.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
    let line = |rule: &super::rules::Rule| {
        let severity = match rule.severity {
            Severity::Must => "must  ",
            Severity::Should => "should",
        };
        format!("{:width$}  {severity}  {} ({})\n", rule.id, rule.meaning, rule.source)
    };
    RULES.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Seen, finding};
    use super::*;

    pub(super) fn report() -> Report {
        let with_stack = |stack: &str, mut found: Finding| {
            found.stack = stack.to_owned();
            found
        };
        let findings = vec![
            with_stack(
                "tcp, noise, yamux",
                finding("redis-key", "an address", Seen::Right("/ip4/…".into())),
            ),
            with_stack(
                "tcp, noise, yamux",
                finding(
                    "client-upload-rate",
                    "8 Mbit/s",
                    Seen::Wrong("4200 Mbit/s <made up>".into()),
                ),
            ),
            with_stack("quic-v1", finding("redis-expiry", "3600 s", Seen::Wrong("forever".into()))),
            with_stack("quic-v1", finding("server-no-fin", "", Seen::Nothing("not now".into()))),
        ];
        Report::new("some-node".to_owned(), findings, Duration::from_millis(12_340))
    }

    #[test]
    fn a_report_counts_and_decides() {
        let report = report();
        let summary = Summary { passed: 1, failed: 1, warnings: 1, skipped: 1 };
        assert_eq!((report.summary, report.seconds), (summary, 12.3));
        assert_eq!(report.status(false), 1);
        let with = |index: usize| {
            Report::new(String::new(), vec![report.findings[index].clone()], Duration::ZERO)
        };
        assert_eq!([0, 1, 2, 3].map(|index| with(index).status(false)), [0, 1, 0, 1]);
        assert_eq!(with(2).status(true), 1);
    }

    #[test]
    fn yaml_has_every_field() {
        let text = report().render(CheckFormat::Yaml, false).unwrap();
        let read: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(read["summary"]["failed"], 1);
        let finding = &read["findings"][1];
        assert_eq!(finding["rule"], "client-upload-rate");
        assert_eq!(finding["outcome"], "fail");
        for key in ["stack", "expected", "seen", "source"] {
            assert!(finding[key].is_string(), "{key}");
        }
    }

    #[test]
    fn the_list_has_every_rule_in_a_line() {
        let text = rules();
        assert_eq!(text.lines().count(), RULES.len());
        assert!(text.lines().zip(RULES).all(|(line, rule)| line.starts_with(rule.id)));
    }
}
