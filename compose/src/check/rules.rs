//! The rules: every one that `perf-compose check` holds a node against, what it means and who says so.

/// One rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name: kebab case, its group first.
    pub id: &'static str,
    /// What a node that keeps it does, in one line.
    pub meaning: &'static str,
    /// The document that says so, and the section.
    pub source: &'static str,
    /// What breaking it makes.
    pub severity: Severity,
}

/// What breaking a rule makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// A failure: who drives the node, or reads its results, goes wrong.
    Must,
    /// A warning: results stay true. What only this project's contract asks for is here, since an older
    /// image cannot know it.
    Should,
}

use Severity::{Must, Should};

const SETTINGS: &str = "docs/contract.md, Settings";
const MEETING: &str = "docs/contract.md, Meeting through Redis";
const PROTOCOL: &str = "docs/contract.md, /perf/1.0.0";
const DOCUMENT: &str = "docs/contract.md, The document";
const NUMBERS: &str = "docs/contract.md, Numbers";
const FAILURES: &str = "docs/contract.md, When it fails";
const STDERR: &str = "docs/contract.md, stderr";
const STATUS: &str = "docs/contract.md, Exit status";

const fn rule(
    id: &'static str,
    severity: Severity,
    source: &'static str,
    meaning: &'static str,
) -> Rule {
    Rule { id, meaning, source, severity }
}

/// Every rule, in the order they are shown.
pub const RULES: &[Rule] = &[
    rule(
        "env-missing",
        Must,
        SETTINGS,
        "without a required variable both roles end with status 2 and name it",
    ),
    rule(
        "env-null-is-absent",
        Must,
        SETTINGS,
        "an empty value and `null` are as good as no value, in both roles",
    ),
    rule(
        "env-bad-value",
        Must,
        SETTINGS,
        "a value that is not accepted ends both roles with status 2, naming its variable",
    ),
    rule("env-bad-value-ours", Should, SETTINGS, "the same for TEST_KEY and the PERF_ variables"),
    rule(
        "env-zero-bytes",
        Must,
        SETTINGS,
        "0 bytes with iterations and no DURATION end with status 2",
    ),
    rule(
        "env-layers-refused",
        Must,
        SETTINGS,
        "a transport that brings its own security refuses SECURE_CHANNEL and MUXER with status 2",
    ),
    rule("env-is-dialer", Must, SETTINGS, "IS_DIALER is true, false, 1 or 0, in any case"),
    rule("env-duration-yields", Must, SETTINGS, "DURATION is ignored where bytes are given"),
    rule("redis-key", Must, MEETING, "the listener publishes at <TEST_KEY>_listener_multiaddr"),
    rule("redis-bare-key", Must, MEETING, "without TEST_KEY the key is listener_multiaddr"),
    rule("redis-type", Must, MEETING, "the value is a string, whatever stood at the key before"),
    rule("redis-expiry", Should, MEETING, "the key lives for 3600 s"),
    rule("redis-late-listener", Must, MEETING, "a listener waits for a Redis that comes 3 s later"),
    rule("redis-late-dialer", Must, MEETING, "a dialer waits for a Redis that comes 3 s later"),
    rule(
        "redis-stale-key",
        Must,
        MEETING,
        "a dialer whose dial failed goes on to the address that replaces the dead one",
    ),
    rule(
        "redis-key-never",
        Must,
        MEETING,
        "a dialer without an address waits 15 s and ends with status 3",
    ),
    rule("redis-list", Must, MEETING, "a dialer reads an address that was pushed onto a list"),
    rule(
        "address-concrete",
        Must,
        MEETING,
        "bound to 0.0.0.0, the published address has an IP and a port that a dialer can use",
    ),
    rule("address-peer-id", Must, MEETING, "a libp2p address ends in /p2p/<peer id>"),
    rule("address-certhash", Must, MEETING, "a webtransport address has two /certhash/"),
    rule("address-bound-first", Must, MEETING, "what is published accepts connections already"),
    rule(
        "address-listener-ip",
        Must,
        SETTINGS,
        "a concrete LISTENER_IP is bound and published as it is",
    ),
    rule("stdout-listener", Must, DOCUMENT, "a listener prints nothing on stdout"),
    rule(
        "stdout-dialer",
        Must,
        DOCUMENT,
        "a dialer prints one YAML document on stdout and nothing else",
    ),
    rule("stdout-debug", Must, SETTINGS, "DEBUG=true says more on stderr and nothing on stdout"),
    rule(
        "document-sections",
        Must,
        DOCUMENT,
        "upload, download and latency are there where they were asked for",
    ),
    rule("document-skipped-section", Must, SETTINGS, "a section with 0 iterations is absent"),
    rule(
        "document-keys",
        Must,
        DOCUMENT,
        "each section has the nine keys behind two spaces, and nothing else has",
    ),
    rule(
        "document-samples",
        Must,
        DOCUMENT,
        "there are as many samples as iterations were asked for",
    ),
    rule("document-statistics", Must, NUMBERS, "the statistics are those of the samples"),
    rule(
        "document-numbers",
        Should,
        NUMBERS,
        "numbers have a decimal point, six significant digits at most and no exponent",
    ),
    rule("document-units", Must, DOCUMENT, "upload and download are in Gbps, latency in ms"),
    rule(
        "status-unsupported",
        Should,
        STATUS,
        "a stack that the node does not speak ends with status 127",
    ),
    rule("status-connect", Must, STATUS, "an address where nobody listens ends with status 4"),
    rule(
        "status-failure-line",
        Should,
        STDERR,
        "the last line on stderr of a failure is `failure: {class: …, message: …}`",
    ),
    rule(
        "signal-listener-sigterm",
        Must,
        MEETING,
        "a listener ended by SIGTERM exits 0 within a second",
    ),
    rule(
        "signal-listener-sigint",
        Must,
        MEETING,
        "a listener ended by SIGINT exits 0 within a second",
    ),
    rule("signal-dialer-sigterm", Must, STATUS, "a dialer ended by SIGTERM exits 5, never 143"),
    rule("signal-dialer-sigint", Must, STATUS, "a dialer ended by SIGINT exits 130"),
    rule(
        "server-zero-bytes",
        Must,
        PROTOCOL,
        "asked for nothing and sent nothing, it ends the stream and sends nothing",
    ),
    rule("server-one-byte", Must, PROTOCOL, "one byte each way"),
    rule(
        "server-exact-bytes",
        Must,
        PROTOCOL,
        "exactly as many bytes as were asked for, whatever was sent",
    ),
    rule("server-split-header", Must, PROTOCOL, "a header that comes in several packets is read"),
    rule("server-header-with-fin", Must, PROTOCOL, "header and end of stream may come together"),
    rule(
        "server-answers-at-eof",
        Must,
        PROTOCOL,
        "nothing is sent before the upload's end has been read",
    ),
    rule(
        "server-no-fin",
        Must,
        PROTOCOL,
        "a stream that never ends gets no answer, harms no other, and is dropped after PERF_STALL_SECS",
    ),
    rule(
        "server-early-close",
        Must,
        PROTOCOL,
        "a stream that is dropped in the middle harms no other",
    ),
    rule(
        "server-huge-request-then-reset",
        Must,
        PROTOCOL,
        "a request for 2^63 bytes that is then reset harms no other",
    ),
    rule("server-sequential-streams", Must, PROTOCOL, "100 streams one after another"),
    rule(
        "server-concurrent-streams",
        Must,
        PROTOCOL,
        "10 streams at once, each with its own counts",
    ),
    rule(
        "server-short-header",
        Must,
        PROTOCOL,
        "a stream that ends within the header gets no answer and harms no other",
    ),
    rule(
        "client-half-close",
        Must,
        PROTOCOL,
        "every stream's writing side is closed, before the answer is waited for",
    ),
    rule(
        "client-bytes",
        Must,
        PROTOCOL,
        "the peer received, and was asked for, the bytes that were to be measured",
    ),
    rule(
        "client-iterations",
        Must,
        PROTOCOL,
        "the peer saw as many uploads and downloads as the document has samples",
    ),
    rule(
        "client-latency-streams",
        Must,
        PROTOCOL,
        "each latency sample is one byte each way on a stream of its own",
    ),
    rule(
        "client-upload-rate",
        Must,
        PROTOCOL,
        "uploads to a peer that reads late and slowly show the rate at which it read",
    ),
    rule(
        "client-download-rate",
        Must,
        PROTOCOL,
        "downloads from a peer that sends late and slowly show the rate at which it sent",
    ),
    rule(
        "client-too-little",
        Must,
        PROTOCOL,
        "a byte less than was asked for is a failure, not a sample",
    ),
    rule(
        "client-too-much",
        Must,
        PROTOCOL,
        "a byte more than was asked for is a failure, not a sample",
    ),
    rule("client-reset", Must, FAILURES, "a stream reset half-way is a failure, not a sample"),
    rule(
        "client-stall",
        Should,
        SETTINGS,
        "a peer that never answers is given up after PERF_STALL_SECS",
    ),
    rule(
        "client-no-perf",
        Must,
        STATUS,
        "a peer that does not speak /perf/1.0.0 ends with status 4",
    ),
];

/// The rule called `id`.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

/// What of the table is held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleFilter {
    /// Only these; empty: all.
    pub only: Vec<String>,
    /// Not these.
    pub skip: Vec<String>,
}

/// A rule that is in no table.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no rule \"{0}\"{1}")]
pub struct Unknown(String, String);

impl RuleFilter {
    /// The filter of `only` and `skip`; each is a rule's id, or the group before its first `-`.
    pub fn new(only: Vec<String>, skip: Vec<String>) -> Result<Self, Unknown> {
        let known = |word: &str| RULES.iter().any(|rule| names(word, rule.id));
        match only.iter().chain(&skip).find(|word| !known(word)) {
            Some(word) => {
                let hint = crate::suggestion::nearest(word, RULES.iter().map(|rule| rule.id));
                let hint = hint.map_or_else(
                    || "; `perf-compose check --list-rules` shows all".to_owned(),
                    |near| format!("; did you mean \"{near}\"?"),
                );
                Err(Unknown(word.clone(), hint))
            }
            None => Ok(Self { only, skip }),
        }
    }

    /// Whether `id` is held.
    pub fn takes(&self, id: &str) -> bool {
        let any = |words: &[String]| words.iter().any(|word| names(word, id));
        (self.only.is_empty() || any(&self.only)) && !any(&self.skip)
    }
}

/// Whether `word` is the rule, or its group.
fn names(word: &str, id: &str) -> bool {
    word == id || id.split_once('-').is_some_and(|(group, _)| group == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_in_kebab_case() {
        for (index, rule) in RULES.iter().enumerate() {
            assert_eq!(find(rule.id), Some(rule), "{index}: twice");
            assert!(
                rule.id.contains('-')
                    && rule.id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
            );
            assert!(!rule.meaning.ends_with('.'));
        }
    }

    #[test]
    fn every_source_is_a_heading_of_the_contract() {
        let contract = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/contract.md"));
        for rule in RULES {
            let heading = rule.source.strip_prefix("docs/contract.md, ").unwrap();
            let is = |line: &str| line.trim_start_matches('#').trim() == heading;
            assert!(contract.lines().any(|line| line.starts_with("##") && is(line)), "{heading}");
        }
    }

    #[test]
    fn a_filter_takes_rules_and_groups_and_refuses_slips() {
        let filter = |only: &[&str], skip: &[&str]| {
            let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
            RuleFilter::new(own(only), own(skip))
        };
        let all = filter(&[], &[]).unwrap();
        assert!(RULES.iter().all(|rule| all.takes(rule.id)));
        let some = filter(&["env", "redis-key"], &["env-missing"]).unwrap();
        let taken: Vec<_> = RULES.iter().map(|rule| rule.id).filter(|id| some.takes(id)).collect();
        assert_eq!(taken.len(), 8, "{taken:?}");
        assert!(some.takes("redis-key") && !some.takes("redis-key-never"));
        let error = filter(&["env-mising"], &[]).unwrap_err().to_string();
        assert_eq!(error, "there is no rule \"env-mising\"; did you mean \"env-missing\"?");
    }
}
