//! JUnit XML: a suite a stack, a case a rule. The format has no warnings: those are passes that say something.

use std::io;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::super::finding::{Finding, RuleOutcome};
use super::Report;

pub(super) fn render(report: &Report) -> io::Result<String> {
    let mut document = quick_junit::Report::new(format!("perf-compose check {}", report.subject));
    for findings in report.stacks() {
        let stack = findings.first().map_or("", |one| one.stack.as_str());
        let name = format!("{} ({stack})", report.subject);
        let mut suite = TestSuite::new(name.clone());
        suite.add_test_cases(findings.iter().map(|one| case(&name, one)));
        document.add_test_suite(suite);
    }
    document.to_string().map_err(io::Error::other)
}

fn case(class: &str, one: &Finding) -> TestCase {
    let said = format!("expected: {}; seen: {} ({})", one.expected, one.seen, one.source);
    let status = match one.outcome {
        RuleOutcome::Pass | RuleOutcome::Warning => TestCaseStatus::success(),
        RuleOutcome::Fail => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(said.as_str()).set_type("rule");
            status
        }
        RuleOutcome::Skipped => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(one.seen.as_str());
            status
        }
    };
    let mut case = TestCase::new(one.rule, status);
    case.set_classname(class);
    if one.outcome == RuleOutcome::Warning {
        case.set_system_out(format!("warning: {said}"));
    }
    case
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;
    use super::*;

    #[test]
    fn a_ci_system_finds_its_counts_and_reasons() {
        let text = render(&report()).unwrap();
        let read = quick_junit::Report::deserialize_from_str(&text).unwrap();
        assert_eq!((read.tests, read.failures, read.test_suites.len()), (4, 1, 2));
        let broken = &read.test_suites[0].test_cases[1];
        assert!(matches!(&broken.status, TestCaseStatus::NonSuccess { message: Some(message), .. }
            if message.contains("4200 Mbit/s <made up>")));
        assert!(text.contains("warning: expected: 3600 s"), "{text}");
        assert_eq!(read.test_suites[1].skipped, 1);
    }
}
