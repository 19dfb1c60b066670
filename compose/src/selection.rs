//! From definitions and filters to the cells that are run.

use std::collections::BTreeMap;

use crate::definitions::{Definitions, Implementation};
use crate::filter::{self, Expression, Filter};
use crate::matrix::{self, Cell, Collision};

/// What to take and leave of one dimension, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterText {
    /// Empty takes all.
    pub select: String,
    /// Empty leaves none.
    pub ignore: String,
}

/// Every filter of a run, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterTexts {
    /// On test names.
    pub tests: FilterText,
    /// On ids; a cell takes part where both of its sides do.
    pub implementations: FilterText,
    /// On transports.
    pub transports: FilterText,
    /// On secure channels; cells without one are not judged by it.
    pub secure_channels: FilterText,
    /// On muxers; cells without one are not judged by it.
    pub muxers: FilterText,
    /// Implementations with `default: false` join without being named.
    pub all_implementations: bool,
}

impl FilterTexts {
    /// The filters that were given, by flag.
    pub fn given(&self) -> BTreeMap<String, String> {
        let dimensions = [
            ("test", &self.tests),
            ("impl", &self.implementations),
            ("transport", &self.transports),
            ("secure", &self.secure_channels),
            ("muxer", &self.muxers),
        ];
        let texts = dimensions.into_iter().flat_map(|(dimension, text)| {
            [("select", &text.select), ("ignore", &text.ignore)]
                .map(|(which, text)| (format!("--{dimension}-{which}"), text.clone()))
        });
        let mut given: BTreeMap<_, _> = texts.filter(|(_, text)| !text.is_empty()).collect();
        if self.all_implementations {
            given.insert("--all-impls".to_owned(), String::new());
        }
        given
    }
}

/// Why there is nothing to run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A filter without meaning.
    #[error("{flag}")]
    Filter {
        /// The flag it came from.
        flag: String,
        /// What is wrong with it.
        source: filter::Error,
    },
    /// Two cells of one name.
    #[error(transparent)]
    Collision(#[from] Collision),
    /// The filters leave nothing.
    #[error(
        "nothing is selected: of {of} tests none passes the filters; `perf-compose --list-tests` shows them all"
    )]
    Nothing {
        /// How many there were.
        of: usize,
    },
}

/// The filters on cells, ready to match.
struct Filters {
    tests: Filter,
    transports: Filter,
    secure_channels: Filter,
    muxers: Filter,
}

/// The implementations that take part, in the file's order.
pub fn implementations<'d>(
    definitions: &'d Definitions,
    texts: &FilterTexts,
) -> Result<Vec<&'d Implementation>, Error> {
    let filter = parse("impl", &texts.implementations, definitions)?;
    let takes_part = |entry: &&Implementation| {
        let joins = entry.default || texts.all_implementations || filter.select.names(&entry.id);
        joins && filter.admits(&entry.id)
    };
    Ok(definitions.implementations.iter().filter(takes_part).collect())
}

/// The cells that take part, in the matrix's order; at least one.
pub fn cells<'d>(
    definitions: &'d Definitions,
    texts: &FilterTexts,
) -> Result<Vec<Cell<'d>>, Error> {
    let filters = Filters {
        tests: parse("test", &texts.tests, definitions)?,
        transports: parse("transport", &texts.transports, definitions)?,
        secure_channels: parse("secure", &texts.secure_channels, definitions)?,
        muxers: parse("muxer", &texts.muxers, definitions)?,
    };
    let mut cells = matrix::cells(&implementations(definitions, texts)?)?;
    let of = cells.len();
    cells.retain(|cell| filters.admit(cell));
    if cells.is_empty() { Err(Error::Nothing { of }) } else { Ok(cells) }
}

impl Filters {
    fn admit(&self, cell: &Cell<'_>) -> bool {
        let Cell { name, stack, .. } = cell;
        let channel = stack.secure_channel.map(|channel| channel.as_str());
        let muxer = stack.muxer.map(|muxer| muxer.as_str());
        self.tests.admits(name)
            && self.transports.admits(stack.transport.as_str())
            && channel.is_none_or(|channel| self.secure_channels.admits(channel))
            && muxer.is_none_or(|muxer| self.muxers.admits(muxer))
    }
}

fn parse(dimension: &str, text: &FilterText, definitions: &Definitions) -> Result<Filter, Error> {
    let expression = |which: &str, text: &str| {
        Expression::parse(text, &definitions.aliases)
            .map_err(|source| Error::Filter { flag: format!("--{dimension}-{which}"), source })
    };
    Ok(Filter {
        select: expression("select", &text.select)?,
        ignore: expression("ignore", &text.ignore)?,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const FIVE: &str = r#"
test-aliases:
  - { alias: libp2p,   value: "go-v0.45|rust-v0.56|js-v3.x" }
  - { alias: baseline, value: "https-baseline|quic-go-baseline" }
  - { alias: go,       value: "go-v0.45|quic-go-baseline" }
implementations:
  - { id: go-v0.45, transports: [tcp, quic-v1, webtransport], secureChannels: [noise, tls], muxers: [yamux, mplex] }
  - { id: rust-v0.56, transports: [tcp, quic-v1], secureChannels: [noise, tls], muxers: [yamux, mplex] }
  - { id: js-v3.x, transports: [tcp, webtransport], secureChannels: [noise, tls], muxers: [yamux, mplex] }
  - { id: https-baseline, transports: [https] }
  - { id: quic-go-baseline, transports: [quic] }
  - { id: rust-tuned, transports: [tcp], secureChannels: [noise], muxers: [yamux], default: false }
"#;

    fn five() -> Definitions {
        Definitions::parse(FIVE, Path::new("impls.yaml")).unwrap()
    }

    fn count(change: impl FnOnce(&mut FilterTexts)) -> usize {
        let mut texts = FilterTexts::default();
        change(&mut texts);
        cells(&five(), &texts).unwrap().len()
    }

    #[test]
    fn the_five_implementations_make_46_tests() {
        let definitions = five();
        let cells = cells(&definitions, &FilterTexts::default()).unwrap();
        let over = |transport: &str| {
            cells.iter().filter(|cell| cell.stack.transport.as_str() == transport).count()
        };
        let counts = ["tcp", "quic-v1", "webtransport", "https", "quic"].map(over);
        assert_eq!((cells.len(), counts), (46, [36, 4, 4, 1, 1]));
    }

    #[test]
    fn filters_on_test_names() {
        assert_eq!(count(|texts| texts.tests.select = "rust-v0.56".to_owned()), 23);
        assert_eq!(count(|texts| texts.tests.ignore = "!rust-v0.56".to_owned()), 23);
        assert_eq!(count(|texts| texts.tests.ignore = "webtransport".to_owned()), 42);
        assert_eq!(count(|texts| texts.tests.select = "~baseline".to_owned()), 2);
    }

    #[test]
    fn filters_on_other_dimensions() {
        assert_eq!(count(|texts| texts.implementations.select = "rust-v0.56".to_owned()), 5);
        assert_eq!(
            count(|texts| texts.implementations.ignore = "~baseline|js".to_owned()),
            4 * 4 + 4 + 1
        );
        assert_eq!(count(|texts| texts.transports.select = "tcp".to_owned()), 36);
        // Ten cells have no secure channel to be judged by.
        assert_eq!(count(|texts| texts.secure_channels.ignore = "tls".to_owned()), 18 + 10);
        assert_eq!(count(|texts| texts.muxers.select = "yamux".to_owned()), 18 + 10);
    }

    #[test]
    fn what_is_not_default_joins_where_it_is_named() {
        assert_eq!(count(|texts| texts.implementations.select = "rust".to_owned()), 5);
        assert_eq!(count(|texts| texts.implementations.select = "rust-tuned".to_owned()), 1);
        assert_eq!(
            count(|texts| texts.implementations.select = "rust-v0.56|rust-tuned".to_owned()),
            8
        );
        assert_eq!(count(|texts| texts.all_implementations = true), 46 + 7);
    }

    #[test]
    fn nothing_selected_is_an_error() {
        let mut texts = FilterTexts::default();
        texts.tests.select = "zig".to_owned();
        assert_eq!(cells(&five(), &texts), Err(Error::Nothing { of: 46 }));
        texts.tests.select = "~zig".to_owned();
        let error = cells(&five(), &texts).unwrap_err();
        assert_eq!(error.to_string(), "--test-select");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(
            source.starts_with("unknown alias \"~zig\"; it takes one of baseline, go, "),
            "{source}"
        );
    }
}
