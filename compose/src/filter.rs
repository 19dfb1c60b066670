//! Filters: which values of a dimension (test names, ids, transports …) take part.
//!
//! An [`Expression`] is terms separated by `|`; it matches where any of them does:
//!
//! | term | matches a value |
//! |---|---|
//! | `text` | that contains it |
//! | `~alias` | that any term of the alias matches; aliases may use aliases |
//! | `!term` | that the term does not match; `!~alias` as well |

use std::collections::BTreeMap;
use std::fmt;

use crate::suggestion;

/// Expressions by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases(BTreeMap<String, String>);

impl FromIterator<(String, String)> for Aliases {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(aliases: I) -> Self {
        Self(aliases.into_iter().collect())
    }
}

/// Why a filter has no meaning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `~name` without a definition.
    #[error("unknown alias \"~{name}\"{known}")]
    UnknownAlias {
        /// As written.
        name: String,
        /// Which one was meant, or those there are.
        known: String,
    },
    /// An alias that is made of itself.
    #[error("alias \"~{name}\" is defined by itself: {path}; there are {known}")]
    AliasLoop {
        /// The alias that comes round.
        name: String,
        /// How.
        path: String,
        /// Those there are.
        known: String,
    },
    /// A `!` with nothing behind it.
    #[error("\"{0}\" negates nothing; a term stands behind `!`")]
    EmptyNegation(String),
}

/// Terms, any of which may match. With aliases already expanded, so that matching cannot fail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expression(Vec<Term>);

/// One term of an expression; displayed as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// Text that is contained.
    Contains(String),
    /// An alias, expanded.
    Alias {
        /// Without its `~`.
        name: String,
        /// What it stands for.
        expression: Expression,
    },
    /// What the term does not match.
    Not(Box<Term>),
}

impl Expression {
    /// Reads `text`. Empty terms are passed over, so that an empty text is an empty expression.
    pub fn parse(text: &str, aliases: &Aliases) -> Result<Self, Error> {
        Parser { aliases, expanding: Vec::new() }.expression(text)
    }

    /// Whether any term matches `value`: none of an empty expression's does.
    pub fn matches(&self, value: &str) -> bool {
        self.deciding(value).is_some()
    }

    /// The first term that matches `value`.
    pub fn deciding(&self, value: &str) -> Option<&Term> {
        self.0.iter().find(|term| term.matches(value))
    }

    /// Whether a term, or one of an alias it uses, is exactly `value`: named, not merely matched.
    pub fn names(&self, value: &str) -> bool {
        self.0.iter().any(|term| match term {
            Term::Contains(text) => text == value,
            Term::Alias { expression, .. } => expression.names(value),
            Term::Not(_) => false,
        })
    }

    /// Whether there are no terms.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Term {
    fn matches(&self, value: &str) -> bool {
        match self {
            Self::Contains(text) => value.contains(text.as_str()),
            Self::Alias { expression, .. } => expression.matches(value),
            Self::Not(term) => !term.matches(value),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contains(text) => f.write_str(text),
            Self::Alias { name, .. } => write!(f, "~{name}"),
            Self::Not(term) => write!(f, "!{term}"),
        }
    }
}

struct Parser<'a> {
    aliases: &'a Aliases,
    /// The aliases that are being expanded, outermost first.
    expanding: Vec<String>,
}

impl Parser<'_> {
    fn expression(&mut self, text: &str) -> Result<Expression, Error> {
        let terms = text.split('|').map(str::trim).filter(|term| !term.is_empty());
        terms.map(|term| self.term(term)).collect::<Result<_, _>>().map(Expression)
    }

    fn term(&mut self, text: &str) -> Result<Term, Error> {
        if let Some(negated) = text.strip_prefix('!') {
            let negated = negated.trim_start();
            if negated.is_empty() {
                return Err(Error::EmptyNegation(text.to_owned()));
            }
            return Ok(Term::Not(Box::new(self.term(negated)?)));
        }
        match text.strip_prefix('~') {
            Some(name) => {
                let name = name.trim();
                Ok(Term::Alias { name: name.to_owned(), expression: self.alias(name)? })
            }
            None => Ok(Term::Contains(text.to_owned())),
        }
    }

    fn alias(&mut self, name: &str) -> Result<Expression, Error> {
        let names = self.aliases.0.keys().map(String::as_str);
        if self.expanding.iter().any(|outer| outer == name) {
            let path: Vec<_> = self
                .expanding
                .iter()
                .map(String::as_str)
                .chain([name])
                .map(|name| format!("~{name}"))
                .collect();
            return Err(Error::AliasLoop {
                name: name.to_owned(),
                path: path.join(" -> "),
                known: names.collect::<Vec<_>>().join(", "),
            });
        }
        let Some(value) = self.aliases.0.get(name) else {
            return Err(Error::UnknownAlias {
                name: name.to_owned(),
                known: suggestion::known(name, names),
            });
        };
        self.expanding.push(name.to_owned());
        let expression = self.expression(value);
        self.expanding.pop();
        expression
    }
}

/// What to take and what to leave: select first (empty takes all), then ignore (empty leaves none).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// What is taken.
    pub select: Expression,
    /// What of it is left out.
    pub ignore: Expression,
}

impl Filter {
    /// Whether `value` takes part.
    pub fn admits(&self, value: &str) -> bool {
        (self.select.is_empty() || self.select.matches(value)) && !self.ignore.matches(value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn aliases(pairs: &[(&str, &str)]) -> Aliases {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn matches(text: &str, value: &str) -> bool {
        let aliases =
            aliases(&[("go", "go-v0.45|quic-go"), ("both", "~go|rust"), ("not-go", "!~go")]);
        Expression::parse(text, &aliases).unwrap().matches(value)
    }

    #[test]
    fn terms() {
        let rust = "rust-v0.56 x rust-v0.56 (tcp, noise, yamux)";
        let go = "go-v0.45 x go-v0.45 (quic-v1)";
        for (text, of_rust, of_go) in [
            ("rust", true, false),
            ("noise|quic", true, true),
            ("~go", false, true),
            ("~both", true, true),
            ("!rust", false, true),
            ("!~go", true, false),
            ("~not-go", true, false),
            ("!~not-go", false, true),
            ("!!rust", true, false),
            (" rust | ", true, false),
            ("(tcp, noise", true, false),
            ("", false, false),
        ] {
            assert_eq!((matches(text, rust), matches(text, go)), (of_rust, of_go), "{text}");
        }
    }

    #[test]
    fn the_term_that_decides_is_shown_as_it_was_written() {
        let aliases = aliases(&[("go", "go-v0.45|quic-go"), ("none", "!~go|~go")]);
        let expression = Expression::parse("zig | ! ~go|!! rust|~go", &aliases).unwrap();
        let deciding = |value| expression.deciding(value).map(ToString::to_string);
        assert_eq!(deciding("rust").as_deref(), Some("!~go"));
        assert_eq!(deciding("quic-go").as_deref(), Some("~go"));
        assert_eq!(deciding("quic-go x rust").as_deref(), Some("!!rust"));
        assert_eq!(Expression::parse("js", &aliases).unwrap().deciding("go"), None);
    }

    #[test]
    fn an_unknown_alias_is_told_what_there_is() {
        let aliases = aliases(&[("go", "go-v0.45"), ("js", "js-v3.x")]);
        let error = |text| Expression::parse(text, &aliases).unwrap_err().to_string();
        assert_eq!(error("rust|!~baseline"), "unknown alias \"~baseline\"; it takes one of go, js");
        assert_eq!(error("~jss"), "unknown alias \"~jss\"; did you mean \"js\"?");
        assert_eq!(error("!"), "\"!\" negates nothing; a term stands behind `!`");
    }

    #[test]
    fn a_loop_is_shown() {
        let aliases =
            aliases(&[("a", "x|~b"), ("b", "!~c"), ("c", "~a"), ("twice", "~d|~d"), ("d", "x")]);
        assert_eq!(
            Expression::parse("~a", &aliases).unwrap_err().to_string(),
            "alias \"~a\" is defined by itself: ~a -> ~b -> ~c -> ~a; there are a, b, c, d, twice"
        );
        assert!(Expression::parse("~twice", &aliases).is_ok(), "twice is not a loop");
    }

    #[test]
    fn naming_is_more_than_matching() {
        let aliases = aliases(&[("ours", "rust-tuned|rust-ws")]);
        let expression = |text| Expression::parse(text, &aliases).unwrap();
        assert!(expression("go|rust-tuned").names("rust-tuned"));
        assert!(expression("~ours").names("rust-ws"));
        assert!(!expression("rust").names("rust-tuned"));
        assert!(!expression("!rust-tuned").names("rust-tuned"));
    }

    /// Texts over few letters, so that they do match now and then.
    fn text() -> impl Strategy<Value = String> {
        "(!?[ab]{1,2}\\|?){0,4}".prop_map(|text| text.trim_end_matches('|').to_owned())
    }

    fn parse(text: &str) -> Expression {
        Expression::parse(text, &Aliases::default()).unwrap()
    }

    fn kept(select: &str, ignore: &str, values: &[String]) -> Vec<String> {
        let filter = Filter { select: parse(select), ignore: parse(ignore) };
        values.iter().filter(|value| filter.admits(value)).cloned().collect()
    }

    proptest! {
        #[test]
        fn select_and_ignore_are_set_algebra(
            select in text(), ignore in text(), values in prop::collection::vec("[ab]{0,4}", 0..8)
        ) {
            let selected = kept(&select, "", &values);
            let ignored: Vec<_> = values.iter().filter(|value| parse(&ignore).matches(value)).collect();
            let difference: Vec<_> =
                selected.iter().filter(|value| !ignored.contains(value)).cloned().collect();
            prop_assert_eq!(kept(&select, &ignore, &values), difference);
        }

        #[test]
        fn a_pipe_is_a_union_and_a_bang_the_complement(a in "[ab]{1,2}", b in "[ab]{1,2}", value in "[ab]{0,4}") {
            let is = |text: &str| parse(text).matches(&value);
            prop_assert_eq!(is(&format!("{a}|{b}")), is(&a) || is(&b));
            prop_assert_eq!(is(&format!("!{a}")), !is(&a));
            prop_assert_eq!(kept(&a, "", std::slice::from_ref(&value)), kept("", &format!("!{a}"), &[value]));
        }

        #[test]
        fn an_alias_is_its_value(text in text(), value in "[ab]{0,4}") {
            let aliases = aliases(&[("x", &text)]);
            let by_alias = Expression::parse("~x", &aliases).unwrap();
            prop_assert_eq!(by_alias.matches(&value), parse(&text).matches(&value));
        }

        #[test]
        fn nothing_panics(text in ".*") {
            let _ = Expression::parse(&text, &aliases(&[("a", "~b"), ("b", "~a")]));
        }
    }
}
