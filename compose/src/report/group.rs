//! Tests in the order people look for them: by transport, by what lies on it, by who dials whom.

use crate::results::{Status, TestResult};

/// Tests that have something in common.
pub(super) struct Group<'a, K> {
    /// What they have in common.
    pub(super) key: K,
    /// In the order they came.
    pub(super) tests: Vec<&'a TestResult>,
}

/// `tests` by `key`, groups in the order of their first test.
pub(super) fn by<'a, K: PartialEq>(
    tests: impl IntoIterator<Item = &'a TestResult>,
    key: impl Fn(&'a TestResult) -> K,
) -> Vec<Group<'a, K>> {
    let mut groups: Vec<Group<'a, K>> = Vec::new();
    for test in tests {
        let key = key(test);
        match groups.iter_mut().find(|group| group.key == key) {
            Some(group) => group.tests.push(test),
            None => groups.push(Group { key, tests: vec![test] }),
        }
    }
    groups
}

/// What lies on the transport: `noise, yamux`; empty where it brings its own.
pub(super) fn layers(test: &TestResult) -> String {
    let channel = test.secure_channel.map(|channel| channel.as_str());
    let layers = channel.into_iter().chain(test.muxer.map(|muxer| muxer.as_str()));
    layers.collect::<Vec<_>>().join(", ")
}

/// One stack's tests, dialers by rows and listeners by columns.
pub(super) struct Grid<'a> {
    /// Who dials.
    pub(super) dialers: Vec<&'a str>,
    /// Who listens.
    pub(super) listeners: Vec<&'a str>,
    tests: &'a [&'a TestResult],
}

impl<'a> Grid<'a> {
    pub(super) fn new(tests: &'a [&'a TestResult]) -> Self {
        let ids = |id: fn(&TestResult) -> &str| {
            let groups = by(tests.iter().copied(), id);
            groups.into_iter().map(|group| group.key).collect()
        };
        Self { dialers: ids(|test| &test.dialer), listeners: ids(|test| &test.listener), tests }
    }

    /// The test of that pair, if there is one.
    pub(super) fn at(&self, dialer: &str, listener: &str) -> Option<&'a TestResult> {
        let mut tests = self.tests.iter().copied();
        tests.find(|test| test.dialer == dialer && test.listener == listener)
    }
}

/// The tests that did not pass, what must be looked at first.
pub(super) fn failures(tests: &[TestResult]) -> Vec<&TestResult> {
    let mut failures: Vec<_> = tests.iter().filter(|test| test.class.is_some()).collect();
    failures.sort_by_key(|test| match test.status {
        Status::Fail => 0,
        Status::Partial => 1,
        Status::Unavailable => 2,
        Status::NotRun => 3,
        Status::Unsupported => 4,
        Status::Pass => 5,
    });
    failures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_grid_has_a_place_for_every_pair() {
        let results = sample::results();
        let stacks = by(&results.tests, |test| (test.transport, layers(test)));
        let keys: Vec<_> = stacks
            .iter()
            .map(|group| format!("{} {}", group.key.0, group.key.1).trim().to_owned())
            .collect();
        assert_eq!(keys, ["tcp noise, yamux", "quic-v1"]);
        let grid = Grid::new(&stacks[0].tests);
        assert_eq!((&grid.dialers[..], &grid.listeners[..]), (&["a"][..], &["a", "b"][..]));
        assert!(grid.at("a", "b").is_some() && grid.at("b", "a").is_none());
    }

    #[test]
    fn what_failed_comes_before_what_could_not_be_run() {
        let mut tests = sample::results().tests;
        let failed = tests.remove(1);
        let with = |status| TestResult { status, ..failed.clone() };
        let order = [Status::Fail, Status::Partial, Status::Unavailable, Status::NotRun];
        tests.extend(order.iter().rev().map(|status| with(*status)));
        let statuses: Vec<_> = failures(&tests).iter().map(|test| test.status).collect();
        assert_eq!(statuses, order);
    }
}
