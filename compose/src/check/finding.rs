//! What was found about one rule.

use std::fmt;

use serde::Serialize;

use super::rules::{self, Severity};

/// What became of one rule on one stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule's id.
    pub rule: &'static str,
    /// The stack, as in test names.
    pub stack: String,
    /// How it ended.
    pub outcome: RuleOutcome,
    /// What the rule wants.
    pub expected: String,
    /// What the node did; of a rule that was not judged, why not.
    pub seen: String,
    /// The document that says so, and the section.
    pub source: &'static str,
}

/// How one rule ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleOutcome {
    /// The node keeps it.
    Pass,
    /// It does not.
    Fail,
    /// It does not, and results stay true.
    Warning,
    /// It was not judged.
    Skipped,
}

impl RuleOutcome {
    /// The outcome's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Warning => "warning",
            Self::Skipped => "skipped",
        }
    }
}

impl fmt::Display for RuleOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What was seen, before the rule's severity is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// What the rule wants.
    Right(String),
    /// Something else.
    Wrong(String),
    /// Something else that does no harm, whatever the rule's severity.
    Odd(String),
    /// Nothing: why.
    Nothing(String),
}

impl Seen {
    /// Right where there are no `problems`, and then it was `fine` that was seen.
    pub(super) fn of(problems: &[String], fine: impl Into<String>) -> Self {
        match problems {
            [] => Self::Right(fine.into()),
            some => Self::Wrong(list(some)),
        }
    }
}

/// The first few of many, on one line.
fn list(problems: &[String]) -> String {
    const SHOWN: usize = 4;
    let mut text = problems.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    if problems.len() > SHOWN {
        text.push_str(&format!("; and {} more", problems.len() - SHOWN));
    }
    text
}

/// What was found of `rule` of the table.
pub(super) fn finding(rule: &'static str, expected: impl Into<String>, seen: Seen) -> Finding {
    let known = rules::find(rule);
    let broken = match known.map(|rule| rule.severity) {
        Some(Severity::Should) => RuleOutcome::Warning,
        Some(Severity::Must) | None => RuleOutcome::Fail,
    };
    let (outcome, seen) = match seen {
        Seen::Right(seen) => (RuleOutcome::Pass, seen),
        Seen::Wrong(seen) => (broken, seen),
        Seen::Odd(seen) => (RuleOutcome::Warning, seen),
        Seen::Nothing(reason) => (RuleOutcome::Skipped, reason),
    };
    let source = known.map_or("", |rule| rule.source);
    Finding { rule, stack: String::new(), outcome, expected: expected.into(), seen, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_severity_decides() {
        let outcome = |rule, seen| finding(rule, "", seen).outcome;
        let wrong = || Seen::Wrong(String::new());
        assert_eq!(outcome("redis-key", wrong()), RuleOutcome::Fail);
        assert_eq!(outcome("redis-expiry", wrong()), RuleOutcome::Warning);
        assert_eq!(outcome("redis-key", Seen::Odd(String::new())), RuleOutcome::Warning);
        assert_eq!(outcome("redis-expiry", Seen::Nothing(String::new())), RuleOutcome::Skipped);
    }

    #[test]
    fn many_problems_stay_one_line() {
        let problems: Vec<_> = (0..6).map(|n| n.to_string()).collect();
        assert_eq!(Seen::of(&problems, ""), Seen::Wrong("0; 1; 2; 3; and 2 more".to_owned()));
        assert_eq!(Seen::of(&[], "well"), Seen::Right("well".to_owned()));
    }
}
