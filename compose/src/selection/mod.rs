//! From definitions and filters to the cells that are run, and why the others are not.

mod filters;
mod rule;

use std::collections::BTreeMap;

use filters::Filters;
pub use filters::{Explanation, Fate, Step};

use crate::definitions::{Definitions, Implementation, Preselection};
use crate::filter;
use crate::matrix::{self, Cell, Collision};
use crate::suggestion;

/// What to take and leave of one dimension, as written.
///
/// An empty text and none at all are alike, but that an empty one still takes the place of a default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterText {
    /// Empty takes all.
    pub select: Option<String>,
    /// Empty leaves none.
    pub ignore: Option<String>,
}

impl FilterText {
    fn select(&self) -> &str {
        self.select.as_deref().unwrap_or_default()
    }

    fn ignore(&self) -> &str {
        self.ignore.as_deref().unwrap_or_default()
    }
}

/// Every filter of a run, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterTexts {
    /// On test names.
    pub tests: FilterText,
    /// On ids; a cell takes part where both of its sides do.
    pub implementations: FilterText,
    /// On ids of baselines; others are not judged by it. Where it selects, the one on
    /// implementations does not select baselines.
    pub baselines: FilterText,
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
    /// What leaves nothing out, whatever the defaults are.
    pub fn everything() -> Self {
        let all = || Some(String::new());
        Self {
            tests: FilterText { select: all(), ignore: all() },
            all_implementations: true,
            ..Self::default()
        }
    }

    /// What decides over tests, by where it was written: the flags that were given, and what stands
    /// in `preselections` in place of those that were not.
    pub fn given(&self, preselections: &[Preselection]) -> BTreeMap<String, String> {
        let dimensions = [
            ("test", &self.tests),
            ("impl", &self.implementations),
            ("baseline", &self.baselines),
            ("transport", &self.transports),
            ("secure", &self.secure_channels),
            ("muxer", &self.muxers),
        ];
        let flags = dimensions.into_iter().flat_map(|(dimension, text)| {
            [("select", text.select()), ("ignore", text.ignore())]
                .map(|(which, text)| (format!("--{dimension}-{which}"), text))
        });
        let defaults = preselections.iter().flat_map(|one| {
            let Preselection { file, select, ignore, .. } = one;
            [
                (format!("test-filter in {file}"), unless(&self.tests.select, select)),
                (format!("test-ignore in {file}"), unless(&self.tests.ignore, ignore)),
            ]
        });
        let given = flags.chain(defaults).filter(|(_, text)| !text.is_empty());
        let mut given: BTreeMap<_, _> = given.map(|(from, text)| (from, text.to_owned())).collect();
        if self.all_implementations {
            given.insert("--all-impls".to_owned(), String::new());
        }
        given
    }
}

/// A default, where no flag takes its place.
fn unless<'a>(flag: &Option<String>, default: &'a str) -> &'a str {
    if flag.is_some() { "" } else { default }
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
        "nothing is selected: of {of} tests none passes the filters; `--list-tests --show-ignored` says why"
    )]
    Nothing {
        /// How many there were.
        of: usize,
    },
    /// A test that the definitions do not make.
    #[error("there is no test \"{name}\"; {hint}")]
    NoSuchTest {
        /// As written.
        name: String,
        /// Which one was meant, or where to look.
        hint: String,
    },
}

/// The implementations that take part, in the file's order.
pub fn implementations<'d>(
    definitions: &'d Definitions,
    texts: &FilterTexts,
) -> Result<Vec<&'d Implementation>, Error> {
    let filters = Filters::new(definitions, texts)?;
    Ok(taking_part(definitions, &filters))
}

/// The cells that take part, in the matrix's order; at least one.
pub fn cells<'d>(
    definitions: &'d Definitions,
    texts: &FilterTexts,
) -> Result<Vec<Cell<'d>>, Error> {
    let filters = Filters::new(definitions, texts)?;
    let mut cells = matrix::cells(&taking_part(definitions, &filters))?;
    cells.retain(|cell| filters.admit(cell));
    if cells.is_empty() {
        let all = definitions.implementations.iter().filter(|entry| filters.joins(entry));
        let of = matrix::cells(&all.collect::<Vec<_>>())?.len();
        return Err(Error::Nothing { of });
    }
    Ok(cells)
}

/// Every cell that the definitions make, in the matrix's order, with where it stands and why.
pub fn explained<'d>(
    definitions: &'d Definitions,
    texts: &FilterTexts,
) -> Result<Vec<(Cell<'d>, Explanation)>, Error> {
    let filters = Filters::new(definitions, texts)?;
    let explain = |cell: Cell<'d>| {
        let explanation = filters.explain(&cell);
        (cell, explanation)
    };
    Ok(all_cells(definitions)?.into_iter().map(explain).collect())
}

/// Where the test called `name` stands, and why.
pub fn why(
    definitions: &Definitions,
    texts: &FilterTexts,
    name: &str,
) -> Result<Explanation, Error> {
    let filters = Filters::new(definitions, texts)?;
    let cells = all_cells(definitions)?;
    match cells.iter().find(|cell| cell.name == name) {
        Some(cell) => Ok(filters.explain(cell)),
        None => {
            let hint = suggestion::nearest(name, cells.iter().map(|cell| cell.name.as_str()))
                .map_or_else(
                    || "`perf-compose --list-tests --all-impls` shows them".to_owned(),
                    |near| format!("did you mean \"{near}\"?"),
                );
            Err(Error::NoSuchTest { name: name.to_owned(), hint })
        }
    }
}

fn taking_part<'d>(definitions: &'d Definitions, filters: &Filters) -> Vec<&'d Implementation> {
    let all = definitions.implementations.iter();
    all.filter(|entry| filters.admit_implementation(entry)).collect()
}

fn all_cells(definitions: &Definitions) -> Result<Vec<Cell<'_>>, Collision> {
    matrix::cells(&definitions.implementations.iter().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use proptest::prelude::*;

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
        assert_eq!(count(|texts| texts.tests.select = Some("rust-v0.56".to_owned())), 23);
        assert_eq!(count(|texts| texts.tests.ignore = Some("!rust-v0.56".to_owned())), 23);
        assert_eq!(count(|texts| texts.tests.ignore = Some("webtransport".to_owned())), 42);
        assert_eq!(count(|texts| texts.tests.select = Some("~baseline".to_owned())), 2);
    }

    #[test]
    fn filters_on_other_dimensions() {
        assert_eq!(count(|texts| texts.implementations.select = Some("rust-v0.56".to_owned())), 5);
        assert_eq!(
            count(|texts| texts.implementations.ignore = Some("~baseline|js".to_owned())),
            4 * 4 + 4 + 1
        );
        assert_eq!(count(|texts| texts.transports.select = Some("tcp".to_owned())), 36);
        // Ten cells have no secure channel to be judged by.
        assert_eq!(count(|texts| texts.secure_channels.ignore = Some("tls".to_owned())), 18 + 10);
        assert_eq!(count(|texts| texts.muxers.select = Some("yamux".to_owned())), 18 + 10);
    }

    #[test]
    fn what_is_not_default_joins_where_it_is_named() {
        assert_eq!(count(|texts| texts.implementations.select = Some("rust".to_owned())), 5);
        assert_eq!(count(|texts| texts.implementations.select = Some("rust-tuned".to_owned())), 1);
        assert_eq!(
            count(|texts| texts.implementations.select = Some("rust-v0.56|rust-tuned".to_owned())),
            8
        );
        assert_eq!(count(|texts| texts.all_implementations = true), 46 + 7);
    }

    #[test]
    fn nothing_selected_is_an_error() {
        let mut texts = FilterTexts::default();
        texts.tests.select = Some("zig".to_owned());
        assert_eq!(cells(&five(), &texts), Err(Error::Nothing { of: 46 }));
        texts.tests.select = Some("~zig".to_owned());
        let error = cells(&five(), &texts).unwrap_err();
        assert_eq!(error.to_string(), "--test-select");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(
            source.starts_with("unknown alias \"~zig\"; it takes one of baseline, go, "),
            "{source}"
        );
    }

    #[test]
    fn baselines_have_flags_of_their_own() {
        let names = |change: fn(&mut FilterTexts)| {
            let mut texts = FilterTexts::default();
            change(&mut texts);
            let definitions = five();
            let cells = cells(&definitions, &texts).unwrap();
            cells
                .iter()
                .filter(|cell| cell.dialer.is_baseline())
                .map(|cell| cell.dialer.id.clone())
                .collect::<Vec<_>>()
        };
        let set = |text: &str| Some(text.to_owned());
        fn both(texts: &mut FilterTexts) {
            texts.implementations.select = Some("rust".to_owned());
            texts.baselines.select = Some("https".to_owned());
        }
        assert_eq!(names(both), ["https-baseline"]);
        assert_eq!(names(|texts| texts.implementations.select = Some("rust".to_owned())), [""; 0]);
        assert_eq!(
            names(|texts| texts.baselines.ignore = Some("quic".to_owned())),
            ["https-baseline"]
        );
        assert_eq!(count(|texts| texts.baselines.select = set("https")), 45);
        let ignored = |texts: &mut FilterTexts| {
            both(texts);
            texts.implementations.ignore = set("https");
        };
        assert_eq!(count(ignored), 5);
    }

    #[test]
    fn a_default_gives_way_to_the_flag_it_stands_for() {
        let mut definitions = five();
        let preselection = |of: Option<&str>, select: &str, ignore: &str| Preselection {
            file: of.unwrap_or("all").to_owned(),
            of: of.map(str::to_owned),
            select: select.to_owned(),
            ignore: ignore.to_owned(),
        };
        definitions.preselections = vec![
            preselection(None, "", "webtransport"),
            preselection(Some("js-v3.x"), "noise", ""),
        ];
        let mut texts = FilterTexts::default();
        let of = |texts: &FilterTexts| cells(&definitions, texts).unwrap().len();
        // Of 42, js takes part in 20, of which half are over noise.
        assert_eq!(of(&texts), 42 - 10);
        assert_eq!(
            texts.given(&definitions.preselections).into_iter().collect::<Vec<_>>(),
            [("test-filter in js-v3.x", "noise"), ("test-ignore in all", "webtransport")]
                .map(|(from, text)| (from.to_owned(), text.to_owned()))
        );
        texts.tests.ignore = Some(String::new());
        assert_eq!(of(&texts), 46 - 10 - 3);
        texts.tests.select = Some("js".to_owned());
        assert_eq!(of(&texts), 23);
    }

    fn expression() -> impl Strategy<Value = Option<String>> {
        let term = "!?(~go|~libp2p|rust|js|tcp|quic|noise|yamux|base| x go)";
        prop::option::of(prop::collection::vec(term, 0..3).prop_map(|terms| terms.join("|")))
    }

    fn filter() -> impl Strategy<Value = FilterText> {
        (expression(), expression()).prop_map(|(select, ignore)| FilterText { select, ignore })
    }

    fn names(texts: &FilterTexts) -> BTreeSet<String> {
        match cells(&five(), texts) {
            Ok(cells) => cells.into_iter().map(|cell| cell.name).collect(),
            Err(Error::Nothing { .. }) => BTreeSet::new(),
            Err(error) => panic!("{error}"),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn dimensions_intersect_and_ignore_subtracts(
            tests in filter(), implementations in filter(), transports in filter(), muxers in filter()
        ) {
            let none = FilterTexts::default();
            let together = FilterTexts {
                tests: tests.clone(),
                implementations: implementations.clone(),
                transports: transports.clone(),
                muxers: muxers.clone(),
                ..none.clone()
            };
            let apart = [
                FilterTexts { tests: tests.clone(), ..none.clone() },
                FilterTexts { implementations, ..none.clone() },
                FilterTexts { transports, ..none.clone() },
                FilterTexts { muxers, ..none.clone() },
            ];
            let all = names(&none);
            let intersection = apart.iter().fold(all.clone(), |left, one| &left & &names(one));
            prop_assert_eq!(names(&together), intersection);

            let half = |select, ignore| {
                names(&FilterTexts { tests: FilterText { select, ignore }, ..none.clone() })
            };
            let kept = half(None, tests.ignore.clone());
            prop_assert_eq!(names(&apart[0]), &half(tests.select, None) - &(&all - &kept));
        }

        #[test]
        fn what_is_explained_is_what_is_run(tests in filter(), implementations in filter(), baselines in filter()) {
            let texts = FilterTexts { tests, implementations, baselines, ..FilterTexts::default() };
            let definitions = five();
            let explained = explained(&definitions, &texts).unwrap();
            let selected: BTreeSet<_> = explained
                .into_iter()
                .filter(|(_, explanation)| explanation.fate == Fate::Selected)
                .map(|(cell, _)| cell.name)
                .collect();
            prop_assert_eq!(selected, names(&texts));
        }
    }
}
