//! A filter and the aliases it uses: read, or refused; what was read answers for any text, and with `!` the opposite.

#![no_main]

use libfuzzer_sys::fuzz_target;
use perf_compose::filter::{Aliases, Expression};

fuzz_target!(|input: (Vec<(String, String)>, String, String)| {
    let (aliases, text, value) = input;
    let aliases: Aliases = aliases.into_iter().collect();
    let Ok(expression) = Expression::parse(&text, &aliases) else { return };
    let matches = expression.matches(&value);
    assert_eq!(matches, expression.deciding(&value).is_some());
    assert!(!(expression.is_empty() && matches));
    if !text.contains('|')
        && !expression.is_empty()
        && let Ok(opposite) = Expression::parse(&format!("!{text}"), &aliases)
        && !opposite.is_empty()
    {
        assert_ne!(matches, opposite.matches(&value), "{text:?} of {value:?}");
    }
});
