//! Failures that are expected, held against how tests ended.

use crate::definitions::ExpectedFailure;
use crate::results::{Expected, Status, TestResult};

/// Says of `result` whether its failure is expected on the day `today`, by the first entry that speaks of
/// it and has not expired.
pub fn mark(result: &mut TestResult, entries: &[ExpectedFailure], today: &str) {
    let failed = matches!(result.status, Status::Fail | Status::Partial);
    let mut entries = entries.iter().filter(|entry| entry.covers(&result.test));
    let entry = entries.find(|entry| failed && !entry.has_expired(today));
    result.expected = entry.map(|entry| Expected {
        reason: entry.reason.clone(),
        owner: entry.owner.clone(),
        expires: entry.expires.clone(),
    });
}

/// What of `entries` is not, or no longer, as it says: a line each. `results` are the run's, `tests` all
/// that the definitions allow: an entry whose tests were not selected is not wrong.
pub fn unmet(
    entries: &[ExpectedFailure],
    results: &[TestResult],
    tests: &[String],
    today: &str,
) -> Vec<String> {
    entries.iter().flat_map(|entry| unmet_by(entry, results, tests, today)).collect()
}

fn unmet_by(
    entry: &ExpectedFailure,
    results: &[TestResult],
    tests: &[String],
    today: &str,
) -> Vec<String> {
    let ExpectedFailure { test: name, reason, owner, expires, .. } = entry;
    if !tests.iter().any(|test| entry.covers(test)) {
        return vec![format!(
            "no test is called \"{name}\", which {owner} expects to fail: {reason}"
        )];
    }
    let covered: Vec<_> = results.iter().filter(|result| entry.covers(&result.test)).collect();
    if entry.has_expired(today) && !covered.is_empty() {
        return vec![format!(
            "that \"{name}\" fails was accepted until {expires}; {owner} has to see to it: {reason}"
        )];
    }
    let told = |result: &TestResult| {
        let ended = match result.status {
            Status::Pass => "passed",
            // A node that no longer tries has not failed either.
            Status::Unsupported => "is unsupported",
            _ => return None,
        };
        Some(format!("{} {ended}, and {owner} expects it to fail: {reason}", result.test))
    };
    covered.into_iter().filter_map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::{Aliases, Expression};
    use crate::report::sample;

    fn entry(test: &str) -> ExpectedFailure {
        ExpectedFailure {
            test: test.to_owned(),
            reason: "no luck".to_owned(),
            owner: "them".to_owned(),
            expires: "2026-12-31".to_owned(),
            tests: Expression::parse(test, &Aliases::default()).unwrap(),
        }
    }

    #[test]
    fn a_failure_is_expected_until_it_expires() {
        let mut failed = sample::results().tests.remove(1);
        mark(&mut failed, &[entry("other"), entry("a x b")], "2026-12-31");
        assert_eq!(failed.expected.as_ref().unwrap().owner, "them");
        mark(&mut failed, &[entry("a x b")], "2027-01-01");
        assert_eq!(failed.expected, None);
        let mut passed = sample::results().tests.remove(0);
        mark(&mut passed, &[entry("a x a")], "2026-12-31");
        assert_eq!(passed.expected, None);
    }

    #[test]
    fn what_is_not_as_expected_is_told() {
        let results = sample::results().tests;
        let all: Vec<_> = results.iter().map(|result| result.test.clone()).collect();
        let unmet = |test: &str, results: &[TestResult], today: &str| {
            unmet(&[entry(test)], results, &all, today)
        };
        let none = Vec::<String>::new();
        assert_eq!(unmet("a x b", &results, "2026-12-31"), none);
        assert_eq!(
            unmet("a x a", &results, "2026-12-31"),
            ["a x a (tcp, noise, yamux) passed, and them expects it to fail: no luck"]
        );
        let mut given_up = results.clone();
        given_up[1].status = Status::Unsupported;
        assert!(
            unmet("a x b", &given_up, "2026-12-31")[0].contains("is unsupported, and them expects")
        );
        assert!(
            unmet("a x b", &results, "2027-01-01")[0].contains("was accepted until 2026-12-31")
        );
        assert!(
            unmet("a x z", &results, "2026-12-31")[0].starts_with("no test is called \"a x z\"")
        );
        // What was not selected says nothing.
        assert_eq!(unmet("a x b", &results[..1], "2027-01-01"), none);
    }
}
