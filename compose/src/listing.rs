//! Where tests stand, for people who wonder.

use crate::matrix::Cell;
use crate::selection::{Explanation, Fate};

/// Selected and ignored tests, one a line, in the matrix's order; an ignored one with why.
pub fn test_lines(tests: &[(Cell<'_>, Explanation)]) -> String {
    let line = |(cell, explanation): &(Cell<'_>, Explanation)| match &explanation.fate {
        Fate::Selected => Some(format!("{}\n", cell.name)),
        Fate::Ignored(why) => Some(format!("{}  [ignored: {why}]\n", cell.name)),
        Fate::Never(_) => None,
    };
    tests.iter().filter_map(line).collect()
}

/// Where a test stands, what decided, and everything that was asked.
pub fn explanation(test: &str, explanation: &Explanation) -> String {
    let fate = match &explanation.fate {
        Fate::Selected => "selected".to_owned(),
        Fate::Ignored(why) => format!("ignored: {why}"),
        Fate::Never(why) => format!("never: {why}"),
    };
    let width = explanation.steps.iter().map(|step| step.of.len()).max().unwrap_or(0);
    let steps =
        explanation.steps.iter().map(|step| format!("  {:width$}  {}\n", step.of, step.says));
    format!("{test}: {fate}\n{}", steps.collect::<String>())
}
