//! One dimension's filter, which can say why it takes a value or leaves it.

use std::fmt;

use super::{Error, FilterText};
use crate::filter::{Aliases, Expression, Filter, Term};

/// A filter, with where each half of it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rule {
    filter: Filter,
    select_from: String,
    ignore_from: String,
}

/// What a rule says of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ruling<'r> {
    /// There is no select, and nothing that leaves it out.
    Open,
    /// This term of its select takes it.
    Taken(Cited<'r>),
    /// Its select, written there, has terms, and none takes it.
    NotTaken(&'r str),
    /// This term of its ignore leaves it out.
    Ignored(Cited<'r>),
}

/// A term, and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cited<'r> {
    term: &'r Term,
    from: &'r str,
}

impl Rule {
    /// A rule as two flags give it: `--<dimension>-select`, `--<dimension>-ignore`.
    pub(super) fn of_flags(
        dimension: &str,
        text: &FilterText,
        aliases: &Aliases,
    ) -> Result<Self, Error> {
        Self::new(
            (text.select(), format!("--{dimension}-select")),
            (text.ignore(), format!("--{dimension}-ignore")),
            aliases,
        )
    }

    /// A rule of two texts, each with where it was written.
    pub(super) fn new(
        (select, select_from): (&str, String),
        (ignore, ignore_from): (&str, String),
        aliases: &Aliases,
    ) -> Result<Self, Error> {
        let parse = |text, from: &str| {
            Expression::parse(text, aliases)
                .map_err(|source| Error::Filter { flag: from.to_owned(), source })
        };
        let filter =
            Filter { select: parse(select, &select_from)?, ignore: parse(ignore, &ignore_from)? };
        Ok(Self { filter, select_from, ignore_from })
    }

    /// Whether it takes `value`.
    pub(super) fn admits(&self, value: &str) -> bool {
        self.filter.admits(value)
    }

    /// Whether it says what to take.
    pub(super) fn selects(&self) -> bool {
        !self.filter.select.is_empty()
    }

    /// Whether its select names `value`, and not merely matches it.
    pub(super) fn names(&self, value: &str) -> bool {
        self.filter.select.names(value)
    }

    /// This rule without its select.
    pub(super) fn ignoring(&self) -> Self {
        let filter = Filter { select: Expression::default(), ..self.filter.clone() };
        Self { filter, ..self.clone() }
    }

    /// Whether it takes `value`, and why.
    pub(super) fn judge(&self, value: &str) -> Ruling<'_> {
        let Filter { select, ignore } = &self.filter;
        let taken = select.deciding(value);
        if taken.is_none() && !select.is_empty() {
            return Ruling::NotTaken(&self.select_from);
        }
        if let Some(term) = ignore.deciding(value) {
            return Ruling::Ignored(Cited { term, from: &self.ignore_from });
        }
        match taken {
            Some(term) => Ruling::Taken(Cited { term, from: &self.select_from }),
            None => Ruling::Open,
        }
    }
}

impl Ruling<'_> {
    /// Whether the value takes part.
    pub(super) fn admits(&self) -> bool {
        matches!(self, Self::Open | Self::Taken(_))
    }
}

impl fmt::Display for Ruling<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("taken: no term says otherwise"),
            Self::Taken(cited) => write!(f, "taken by {cited}"),
            Self::NotTaken(from) => write!(f, "no term of {from} takes it"),
            Self::Ignored(cited) => write!(f, "left out by {cited}"),
        }
    }
}

impl fmt::Display for Cited<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" of {}", self.term, self.from)
    }
}
