//! Every filter of a run, ready to judge implementations and cells.

use super::rule::{Rule, Ruling};
use super::{Error, FilterText, FilterTexts, unless};
use crate::definitions::{Definitions, Implementation};
use crate::matrix::Cell;

/// The filters, with aliases expanded and with defaults where no flag says otherwise.
pub(super) struct Filters {
    /// On test names; all of them must take a test.
    tests: Vec<TestRule>,
    implementations: Rule,
    baselines: Rule,
    /// What is left for baselines of the rule on implementations: where `--baseline-select` says
    /// which to take, `--impl-select` does not speak of them.
    implementations_of_baselines: Rule,
    transports: Rule,
    secure_channels: Rule,
    muxers: Rule,
    all_implementations: bool,
}

/// A rule on test names.
struct TestRule {
    /// Whose tests it judges; `None`: all.
    of: Option<String>,
    rule: Rule,
}

/// Where a test stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is run.
    Selected,
    /// A filter leaves it out: which one, and how.
    Ignored(String),
    /// No filter was asked: one of its implementations joins only where it is named.
    Never(String),
}

/// What one filter says of one property of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The property: `transport tcp`.
    pub of: String,
    /// What is said of it.
    pub says: String,
}

/// Where a test stands, with everything that was asked on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The outcome.
    pub fate: Fate,
    /// In the order in which they are asked; the first that does not take the test decides.
    pub steps: Vec<Step>,
}

impl Filters {
    pub(super) fn new(definitions: &Definitions, texts: &FilterTexts) -> Result<Self, Error> {
        let rule = |dimension, text| Rule::of_flags(dimension, text, &definitions.aliases);
        let implementations = rule("impl", &texts.implementations)?;
        let baselines = rule("baseline", &texts.baselines)?;
        let of_baselines = match baselines.selects() {
            true => implementations.ignoring(),
            false => implementations.clone(),
        };
        Ok(Self {
            tests: test_rules(definitions, &texts.tests)?,
            implementations,
            baselines,
            implementations_of_baselines: of_baselines,
            transports: rule("transport", &texts.transports)?,
            secure_channels: rule("secure", &texts.secure_channels)?,
            muxers: rule("muxer", &texts.muxers)?,
            all_implementations: texts.all_implementations,
        })
    }

    /// Whether the cells of `entry` are there to be filtered.
    pub(super) fn joins(&self, entry: &Implementation) -> bool {
        let named = |rule: &Rule| rule.names(&entry.id);
        entry.default
            || self.all_implementations
            || named(&self.implementations)
            || named(&self.baselines)
    }

    /// Whether `entry` takes part.
    pub(super) fn admit_implementation(&self, entry: &Implementation) -> bool {
        self.joins(entry) && self.rules_on(entry).iter().all(|rule| rule.admits(&entry.id))
    }

    /// Whether a cell takes part whose two sides do.
    pub(super) fn admit(&self, cell: &Cell<'_>) -> bool {
        let Cell { name, stack, .. } = cell;
        let channel = stack.secure_channel.map(|channel| channel.as_str());
        let muxer = stack.muxer.map(|muxer| muxer.as_str());
        self.transports.admits(stack.transport.as_str())
            && channel.is_none_or(|channel| self.secure_channels.admits(channel))
            && muxer.is_none_or(|muxer| self.muxers.admits(muxer))
            && self.tests_of(cell).all(|test| test.rule.admits(name))
    }

    /// Where a cell stands, and why.
    pub(super) fn explain(&self, cell: &Cell<'_>) -> Explanation {
        let asked = self.asked(cell);
        let absent = [cell.dialer, cell.listener].into_iter().find(|entry| !self.joins(entry));
        let fate = match absent {
            Some(Implementation { id, .. }) => Fate::Never(format!(
                "{id} is `default: false`: it joins where a term of --impl-select or --baseline-select is its id, or with --all-impls"
            )),
            None => match asked.iter().find(|(_, ruling)| !ruling.admits()) {
                Some((of, ruling)) => Fate::Ignored(format!("{of}: {ruling}")),
                None => Fate::Selected,
            },
        };
        let step = |(of, ruling): (String, Ruling<'_>)| Step { of, says: ruling.to_string() };
        Explanation { fate, steps: asked.into_iter().map(step).collect() }
    }

    /// What every filter says of a cell.
    fn asked(&self, cell: &Cell<'_>) -> Vec<(String, Ruling<'_>)> {
        let Cell { name, stack, dialer, listener, .. } = cell;
        let mut asked = Vec::new();
        let mut sides = vec![*dialer, *listener];
        sides.dedup_by(|one, other| one.id == other.id);
        for side in sides {
            let rulings = self.rules_on(side).into_iter().map(|rule| rule.judge(&side.id));
            asked.extend(rulings.map(|ruling| (side.id.clone(), ruling)));
        }
        let transport = stack.transport.as_str();
        asked.push((format!("transport {transport}"), self.transports.judge(transport)));
        if let Some(channel) = stack.secure_channel {
            let ruling = self.secure_channels.judge(channel.as_str());
            asked.push((format!("secure channel {channel}"), ruling));
        }
        if let Some(muxer) = stack.muxer {
            asked.push((format!("muxer {muxer}"), self.muxers.judge(muxer.as_str())));
        }
        let of_tests = self.tests_of(cell).map(|test| test.rule.judge(name));
        asked.extend(of_tests.map(|ruling| ("name".to_owned(), ruling)));
        asked
    }

    /// The rules that an implementation must pass.
    fn rules_on(&self, entry: &Implementation) -> Vec<&Rule> {
        match entry.is_baseline() {
            true => vec![&self.baselines, &self.implementations_of_baselines],
            false => vec![&self.implementations],
        }
    }

    /// The rules that a test's name must pass.
    fn tests_of<'f>(&'f self, cell: &Cell<'_>) -> impl Iterator<Item = &'f TestRule> {
        let concerned = move |id: &String| *id == cell.dialer.id || *id == cell.listener.id;
        self.tests.iter().filter(move |test| test.of.as_ref().is_none_or(concerned))
    }
}

/// The flags, and what stands in test-selection.yaml in place of those that are not given.
fn test_rules(definitions: &Definitions, text: &FilterText) -> Result<Vec<TestRule>, Error> {
    let aliases = &definitions.aliases;
    let mut rules = vec![TestRule { of: None, rule: Rule::of_flags("test", text, aliases)? }];
    for given in &definitions.preselections {
        let rule = Rule::new(
            (unless(&text.select, &given.select), format!("test-filter in {}", given.file)),
            (unless(&text.ignore, &given.ignore), format!("test-ignore in {}", given.file)),
            aliases,
        )?;
        rules.push(TestRule { of: given.of.clone(), rule });
    }
    Ok(rules)
}
