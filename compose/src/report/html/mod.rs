//! results.html: the run for people, in one file that needs nothing but a browser.
//!
//! Nodes and definitions are strangers: whatever comes from them is escaped by the template, and
//! the page's policy lets no style or script run but the two that are hashed here, nor anything be
//! fetched.

mod plot;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use harness_sdk::Transport;
use harness_sdk::document::{Section, significant};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::group::{Grid, by, failures, layers};
use super::{
    OWN_FIGURES, OwnFigures, counts, facts, reason_of, short, summary_line, tests_of, warnings,
};
use crate::matrix::slug;
use crate::results::{Blame, Results, Status, TestResult};
use plot::Scale;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("sort.js");

/// The sections: key, heading, sign in small places.
const SECTIONS: [(&str, &str, &str); 3] =
    [("upload", "Upload", "↑"), ("download", "Download", "↓"), ("latency", "Latency", "⇄")];

/// The run as a page: summary, what did not pass first; by transport, medians by who dials whom, and
/// every number beside its plot.
pub fn html(results: &Results) -> String {
    let Results { metadata, summary, tests } = results;
    let title =
        format!("{}: {}, {}", metadata.test_pass, tests_of(summary.total), summary_line(summary));
    let transports = by(tests, |test| test.transport);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (metadata.test_pass) }
                    (how_many(results))
                    @if warnings(metadata).next().is_some() {
                        ul.warnings aria-label="Warnings" {
                            @for warning in warnings(metadata) { li { b { "Warning:" } " " (warning) } }
                        }
                    }
                    dl { @for (name, value) in facts(metadata) { dt { (name) } dd { (value) } } }
                    nav aria-label="Sections" {
                        ul {
                            @if summary.total > summary.passed { li { a href="#not-passed" { "Not passed" } } }
                            @for group in &transports {
                                li { a href={ "#" (group.key.as_str()) } { (group.key.as_str()) } }
                            }
                            @if tests.iter().any(|test| test.node.is_some()) {
                                li { a href="#nodes" { "What dialers told of themselves" } }
                            }
                        }
                    }
                }
                main {
                    (broken(tests))
                    @for group in &transports { (transport(group.key, &group.tests)) }
                    (own_figures(tests))
                }
                footer {
                    p { "The same, for programs: " a href="results.yaml" { "results.yaml" } "." }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// Only what this file brings along: nothing is fetched, nothing that was smuggled in runs.
fn policy() -> String {
    let hash = |content: &str| BASE64_STANDARD.encode(Sha256::digest(content));
    let (style, script) = (hash(STYLE), hash(SCRIPT));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'"
    )
}

fn how_many(results: &Results) -> Markup {
    html! {
        ul.counts aria-label="How the tests ended" {
            li { b { (results.summary.total) } "in all" }
            @for (count, name, status) in counts(&results.summary).into_iter().filter(|count| count.0 > 0) {
                li class=(status) { b { (count) } (name) }
            }
        }
    }
}

/// What dialers told of themselves, of their whole run.
fn own_figures(tests: &[TestResult]) -> Markup {
    let told = tests.iter().filter_map(|test| Some((test, OwnFigures::of(test)?)));
    let told: Vec<_> = told.collect();
    html! {
        @if !told.is_empty() {
            section aria-labelledby="nodes" {
                h2 id="nodes" { "What dialers told of themselves" }
                div.wide tabindex="0" role="region" aria-labelledby="nodes" {
                    table.own aria-labelledby="nodes" {
                        thead {
                            tr {
                                th scope="col" { "test" }
                                @for heading in OWN_FIGURES { th scope="col" { (heading) } }
                            }
                        }
                        tbody {
                            @for (test, OwnFigures { cpu, peak, phases }) in &told {
                                tr {
                                    th scope="row" { (test.test) }
                                    td.n { (cpu) }
                                    td.n { (peak) }
                                    td { (phases) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What did not pass; tests with the same reason, as all of an implementation that is missing, are
/// told together.
fn broken(tests: &[TestResult]) -> Markup {
    let alike = by(failures(tests), |test| {
        (test.status, test.expected.is_some(), test.class, reason_of(test))
    });
    html! {
        @if !alike.is_empty() {
            section aria-labelledby="not-passed" {
                h2 id="not-passed" { "Not passed" }
                table.broken {
                    thead {
                        tr { th scope="col" { "status" } th scope="col" { "class" } th scope="col" { "reason" } th scope="col" { "tests" } }
                    }
                    tbody {
                        @for group in &alike {
                            @let (status, expected, class, reason) = &group.key;
                            tr {
                                td { (word(*status, *expected)) }
                                td { (class_of(*class)) }
                                td.reason { (reason.as_deref().unwrap_or_default()) }
                                td { (names(&group.tests)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn names(tests: &[&TestResult]) -> Markup {
    let list = html! {
        ul { @for test in tests { li id=[anchors_here(test).then(|| anchor(test))] { (logged(test)) } } }
    };
    match tests.len() {
        0..=4 => list,
        count => html! { details { summary { (tests_of(count)) } (list) } },
    }
}

/// A test's name; where it was run, it leads to what it logged.
fn logged(test: &TestResult) -> Markup {
    match test.status {
        Status::Unavailable | Status::NotRun => html! { (test.test) },
        _ => html! { a href={ "logs/" (slug(&test.test)) ".log" } { (test.test) } },
    }
}

fn transport(transport: Transport, tests: &[&TestResult]) -> Markup {
    let stacks = by(tests.iter().copied(), layers);
    html! {
        section aria-labelledby=(transport) {
            h2 id=(transport) { (transport) }
            p.dim {
                "Medians [first–third quartile], rows dial, columns listen: ↑ upload Gbps, ↓ download Gbps, ⇄ latency ms."
            }
            div.grids { @for stack in &stacks { (grid(&stack.key, &stack.tests)) } }
            p.dim {
                "Plots: a box from the first to the third quartile, the median across it; whiskers to the lowest and the highest sample that is no outlier; every sample a point, the first at the top, the last at the bottom; outliers in red, an arrow where one lies beyond the scale."
            }
            @for (key, heading, _) in SECTIONS { (numbers(transport, key, heading, tests)) }
        }
    }
}

fn grid(layers: &str, tests: &[&TestResult]) -> Markup {
    let grid = Grid::new(tests);
    html! {
        div.wide tabindex="0" role="region" aria-label={ "Medians " (layers) } {
            table.grid {
                @if !layers.is_empty() { caption { (layers) } }
                thead {
                    tr {
                        td.none { "dialer \\ listener" }
                        @for listener in &grid.listeners { th scope="col" { (listener) } }
                    }
                }
                tbody {
                    @for dialer in &grid.dialers {
                        tr {
                            th scope="row" { (dialer) }
                            @for listener in &grid.listeners { (pair(grid.at(dialer, listener))) }
                        }
                    }
                }
            }
        }
    }
}

fn pair(test: Option<&TestResult>) -> Markup {
    let Some(test) = test else { return html! { td.none { "–" } } };
    html! {
        td {
            @if test.status != Status::Pass { a href={ "#" (anchor(test)) } { (word(test.status, test.expected.is_some())) } }
            @if test.sections().next().is_some() {
                a.cell href={ "#" (anchor(test)) } {
                    @for (key, _, sign) in SECTIONS {
                        @if let Some(section) = section(test, key) {
                            span.kind { span aria-hidden="true" { (sign) } span.unseen { (key) } }
                            span { (short(section.plot.median)) }
                            small { "[" (short(section.plot.q1)) "–" (short(section.plot.q3)) "]" }
                        }
                    }
                }
            }
        }
    }
}

/// Every test's numbers of one section, beside their plots.
fn numbers(transport: Transport, key: &str, heading: &str, tests: &[&TestResult]) -> Markup {
    let rows = tests.iter().filter_map(|test| Some((*test, section(test, key)?)));
    let Some((_, first)) = rows.clone().next() else { return html! {} };
    let scale = Scale::of(rows.clone().map(|(_, section)| section));
    let id = format!("{transport}-{key}");
    html! {
        h3 id=(id) { (heading) " over " (transport) ", " (first.unit) }
        div.wide tabindex="0" role="region" aria-labelledby=(id) {
            table.numbers aria-labelledby=(id) {
                thead {
                    tr {
                        th scope="col" data-sort="text" { "test" }
                        th.plot scope="col" { (plot::axis(&scale, &first.unit)) }
                        @for name in ["n", "min", "q1", "median", "q3", "max"] {
                            th.n scope="col" data-sort="number" { (name) }
                        }
                        th scope="col" { "outliers" }
                    }
                }
                tbody {
                    @for (test, section) in rows {
                        tr id=[(first_section(test) == Some(key) && !anchors_here(test)).then(|| anchor(test))] {
                            th scope="row" { (test.test) }
                            td.plot { (plot::strip(&scale, key, &test.test, section)) }
                            (row_of(section))
                        }
                    }
                }
            }
        }
    }
}

fn row_of(section: &Section) -> Markup {
    let plot = &section.plot;
    let outliers: Vec<_> = plot.outliers.iter().copied().map(significant).collect();
    html! {
        td.n data-label="n" { (section.iterations) }
        @for (name, value) in
            [("min", plot.min), ("q1", plot.q1), ("median", plot.median), ("q3", plot.q3), ("max", plot.max)] {
            td.n.median[name == "median"] data-label=(name) { (significant(value)) }
        }
        td.outliers data-label="outliers" { (outliers.join(", ")) }
    }
}

fn section<'a>(test: &'a TestResult, key: &str) -> Option<&'a Section> {
    test.sections().find(|(name, _)| *name == key).map(|(_, section)| section)
}

fn first_section(test: &TestResult) -> Option<&'static str> {
    test.sections().next().map(|(name, _)| name)
}

/// Whether a link to the test leads to its reason; if not, to its numbers.
fn anchors_here(test: &TestResult) -> bool {
    test.class.is_some()
}

/// Where links to `test` lead. No two tests have the same slug.
fn anchor(test: &TestResult) -> String {
    format!("test-{}", slug(&test.test))
}

fn word(status: Status, expected: bool) -> Markup {
    html! { span class={ "status " (status) } { (status) @if expected { " (expected)" } } }
}

fn class_of(class: Option<Blame>) -> String {
    class.map(|class| class.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use html5ever::tendril::TendrilSink;
    use markup5ever_rcdom::{Handle, NodeData, RcDom};

    use super::*;
    use crate::report::sample;
    use crate::results::Summary;

    /// An element of a parsed page.
    struct Element {
        name: String,
        attributes: Vec<(String, String)>,
        text: String,
    }

    impl Element {
        fn attribute(&self, name: &str) -> Option<&str> {
            self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
        }

        fn has_class(&self, class: &str) -> bool {
            self.attribute("class").is_some_and(|classes| classes.split(' ').any(|c| c == class))
        }
    }

    /// What a browser makes of `page`, which has to be without an error of syntax.
    fn parse(page: &str) -> Vec<Element> {
        let dom = html5ever::parse_document(RcDom::default(), Default::default()).one(page);
        assert!(dom.errors.borrow().is_empty(), "{:?}\n{page}", dom.errors.borrow());
        let mut elements = Vec::new();
        walk(&dom.document, &mut elements);
        elements
    }

    fn walk(node: &Handle, elements: &mut Vec<Element>) {
        if let NodeData::Element { name, attrs, .. } = &node.data {
            let attrs = attrs.borrow();
            let attributes =
                attrs.iter().map(|attr| (attr.name.local.to_string(), attr.value.to_string()));
            elements.push(Element {
                name: name.local.to_string(),
                attributes: attributes.collect(),
                text: text(node),
            });
        }
        for child in node.children.borrow().iter() {
            walk(child, elements);
        }
    }

    fn text(node: &Handle) -> String {
        match &node.data {
            NodeData::Text { contents } => contents.borrow().to_string(),
            _ => node.children.borrow().iter().map(text).collect(),
        }
    }

    fn named<'a>(elements: &'a [Element], name: &str) -> Vec<&'a Element> {
        elements.iter().filter(|element| element.name == name).collect()
    }

    #[test]
    fn everything_has_its_place() {
        let page = parse(&html(&sample::results()));
        let title = &named(&page, "title")[0].text;
        assert_eq!(title, "perf-143022-08-11-2026: 3 tests, 2 passed, 1 failed");
        let headings: Vec<_> = page
            .iter()
            .filter(|element| ["h1", "h2", "h3"].contains(&element.name.as_str()))
            .map(|element| element.text.as_str())
            .collect();
        assert_eq!(
            headings,
            [
                "perf-143022-08-11-2026",
                "Not passed",
                "tcp",
                "Upload over tcp, Gbps",
                "Download over tcp, Gbps",
                "quic-v1",
                "Upload over quic-v1, Gbps",
                "Download over quic-v1, Gbps",
                "What dialers told of themselves",
            ]
        );
        let strips: Vec<_> = page.iter().filter(|element| element.has_class("strip")).collect();
        assert_eq!(strips.len(), 4);
        assert_eq!(
            strips[0].attribute("aria-label"),
            Some(
                "upload of a x a (tcp, noise, yamux): median 6.5 Gbps, quartiles 6.0 to 6.6, from 6.0 to 7.0, 1 outlier, n = 5"
            )
        );
        let rows: Vec<_> = named(&page, "tr").into_iter().map(|row| row.text.as_str()).collect();
        assert!(
            rows.contains(&"failtransferstalled: \"no | byte\"\nfor 30 sa x b (tcp, noise, yamux)"),
            "{rows:?}"
        );
        assert!(
            rows.contains(&"a↑upload6.50[6.00–6.60]↓download0.333[0.333–0.333]fail"),
            "{rows:?}"
        );
        assert!(rows.iter().any(|row| row.ends_with("56.06.06.56.67.00.5")), "{rows:?}");
    }

    #[test]
    fn links_lead_somewhere_and_ids_are_unique() {
        let page = parse(&html(&sample::results()));
        let mut ids: Vec<_> = page.iter().filter_map(|element| element.attribute("id")).collect();
        for link in named(&page, "a") {
            let target = link.attribute("href").unwrap();
            match target.strip_prefix('#') {
                Some(id) => assert!(ids.contains(&id), "{target}"),
                None => assert!(!target.contains(':') && !target.starts_with('/'), "{target}"),
            }
        }
        let labels = page.iter().filter_map(|element| element.attribute("aria-labelledby"));
        labels.for_each(|label| assert!(ids.contains(&label), "{label}"));
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }

    #[test]
    fn tables_and_plots_are_readable_without_seeing_them() {
        let page = parse(&html(&sample::results()));
        for header in named(&page, "th") {
            assert!(["col", "row"].contains(&header.attribute("scope").unwrap_or("")));
        }
        for plot in named(&page, "svg") {
            assert_eq!(plot.attribute("role"), Some("img"));
            assert!(plot.attribute("aria-label").is_some_and(|label| !label.is_empty()));
        }
    }

    #[test]
    fn nothing_is_fetched_and_only_what_is_hashed_runs() {
        let text = html(&sample::results());
        let page = parse(&text);
        for name in ["link", "img", "iframe", "object", "embed", "image", "use", "base", "form"] {
            assert!(named(&page, name).is_empty(), "{name}");
        }
        for element in &page {
            for (name, value) in &element.attributes {
                assert!(!["src", "style"].contains(&name.as_str()) && !name.starts_with("on"));
                assert!(!value.contains("://"), "{value}");
            }
        }
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
        let policy = named(&page, "meta")[1].attribute("content").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        for (name, content) in [("style", STYLE), ("script", SCRIPT)] {
            let elements = named(&page, name);
            assert_eq!(elements.len(), 1);
            assert_eq!(elements[0].text, content, "{name} is not what was hashed");
        }
    }

    #[test]
    fn whatever_nodes_say_stays_text() {
        let plain = parse(&html(&sample::results()));
        let evil =
            "</script></title></style><img src=x onerror=\"alert('1')\">&amp;<!-- ]]> & < > ' \"";
        let mut results = sample::results();
        let metadata = &mut results.metadata;
        for field in [&mut metadata.test_pass, &mut metadata.engine, &mut metadata.runner] {
            evil.clone_into(field);
        }
        metadata.machine.cpu = Some(evil.to_owned());
        metadata.filters = [("--test-select".to_owned(), evil.to_owned())].into();
        metadata.provenance.toolchains = [("cargo".to_owned(), evil.to_owned())].into();
        metadata.warnings = vec![evil.to_owned()];
        for test in &mut results.tests {
            test.test.push_str(evil);
            test.dialer.push_str(evil);
            test.listener.push_str(evil);
            test.reason = test.class.map(|_| evil.to_owned());
            for section in [&mut test.upload, &mut test.download].into_iter().flatten() {
                evil.clone_into(&mut section.unit);
            }
        }
        let page = parse(&html(&results));
        let names = |page: &[Element]| page.iter().map(|e| e.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&page), names(&plain), "an element came or went");
        assert_eq!(named(&page, "h1")[0].text, evil);
        let warnings = page.iter().find(|element| element.has_class("warnings")).unwrap();
        assert_eq!(warnings.text, format!("Warning: {evil}"));
        let reason = page.iter().find(|element| element.has_class("reason")).unwrap();
        assert_eq!(reason.text, evil);
        let labels = page.iter().filter_map(|element| element.attribute("aria-label"));
        assert!(labels.into_iter().any(|label| label.contains(evil)));
        for element in &page {
            let handler = element.attributes.iter().find(|(name, _)| name.starts_with("on"));
            assert!(handler.is_none(), "{handler:?}");
        }
    }

    #[test]
    fn a_run_without_tests_is_a_page() {
        let mut results = sample::results();
        results.tests.clear();
        results.summary = Summary::default();
        let page = parse(&html(&results));
        assert!(named(&page, "table").is_empty());
    }

    #[test]
    fn tests_that_share_a_reason_share_a_row() {
        let mut results = sample::results();
        let failed = results.tests.remove(1);
        results.tests = (0..6)
            .map(|n| TestResult {
                test: format!("t {n}"),
                listener: n.to_string(),
                ..failed.clone()
            })
            .collect();
        let page = parse(&html(&results));
        let reasons = page.iter().filter(|element| element.has_class("reason"));
        assert_eq!(reasons.count(), 1);
        assert_eq!(named(&page, "summary")[0].text, "6 tests");
    }
}
