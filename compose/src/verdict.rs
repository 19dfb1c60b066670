//! From what a cell's processes did to how the cell ended. No clock, no files: a function.
//!
//! A class is believed only where the node's words and its exit status agree: a foreign image that
//! ends with a bare 127 says nothing about stacks, and YAML on stdout does not make 143 a pass.

use harness_sdk::document::{FailureInfo, Section};
use harness_sdk::plan::{Plan, unit};
use harness_sdk::{Class, Document, Phase};
use serde::Deserialize;
use serde_yaml::Value;

use crate::engine::{CellOutcome, Exit, SideOutcome};
use crate::results::{Blame, Status};

/// How a cell ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Pass, fail, partial or unsupported.
    pub status: Status,
    /// Who is to blame and why; `None` where it passed.
    pub failure: Option<(Blame, String)>,
    /// The sections that are whole, and what the node told of itself.
    pub document: Document,
}

/// Judges a cell in which `plan` was asked for.
pub fn verdict(outcome: &CellOutcome, plan: &Plan) -> Verdict {
    let stdout = Stdout::read(outcome, plan);
    let failure = unsupported(outcome, &stdout)
        .map(|reason| (Status::Unsupported, Class::Unsupported.into(), reason))
        .or_else(|| broken(outcome, &stdout).map(|(blame, reason)| (Status::Fail, blame, reason)));
    let mut document = stdout.whole;
    match failure {
        None => Verdict { status: Status::Pass, failure: None, document },
        Some((status, blame, reason)) => {
            let status = match status {
                Status::Fail if document.has_section() => Status::Partial,
                status => status,
            };
            if status == Status::Unsupported {
                document = Document::default();
            }
            Verdict { status, failure: Some((blame, reason)), document }
        }
    }
}

/// The dialer's stdout, understood as far as it can be.
struct Stdout {
    /// The sections that are whole and were asked for, and `node:`.
    whole: Document,
    /// The document's `failure:`.
    failure: Option<FailureInfo>,
    /// Why it is not a document with everything that was asked for.
    problem: Option<String>,
}

impl Stdout {
    fn read(outcome: &CellOutcome, plan: &Plan) -> Self {
        let nothing = |problem: String| Self {
            whole: Document::default(),
            failure: None,
            problem: Some(problem),
        };
        if let Some(reason) = &outcome.stdout.incomplete {
            return nothing(format!("its stdout could not be read whole: {reason}"));
        }
        let Ok(text) = std::str::from_utf8(&outcome.stdout.bytes) else {
            return nothing("its stdout is not text".to_owned());
        };
        if text.trim().is_empty() {
            return nothing("it printed no document".to_owned());
        }
        match Document::parse(text) {
            Ok(document) => match no_figure(&document) {
                None => Self::check(document, plan),
                Some(what) => nothing(format!("its document has {what}, which is no figure")),
            },
            Err(error) => nothing(format!("its stdout is not the document alone: {error}")),
        }
    }

    fn check(mut document: Document, plan: &Plan) -> Self {
        let mut problem = None;
        for (phase, section, asked) in [
            (Phase::Upload, &mut document.upload, plan.upload.iterations),
            (Phase::Download, &mut document.download, plan.download.iterations),
            (Phase::Latency, &mut document.latency, plan.latency_iterations),
        ] {
            if let Some(reason) = mismatch(phase, section.as_ref(), asked) {
                *section = None;
                problem.get_or_insert(reason);
            }
        }
        let failure = document.failure.take();
        Self { whole: document, failure, problem }
    }
}

/// The first number of `document` that is none, or without end, and where it stands: nothing that was
/// measured is either, and a document that says so is not believed in the rest.
fn no_figure(document: &Document) -> Option<String> {
    fn find(value: &Value, place: &str) -> Option<String> {
        match value {
            Value::Number(number) if !number.is_finite() => Some(format!("{place}: {number}")),
            Value::Sequence(values) => values.iter().find_map(|value| find(value, place)),
            Value::Mapping(entries) => entries.iter().find_map(|(key, value)| {
                let key = key.as_str().unwrap_or_default();
                let place =
                    if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") };
                find(value, &place)
            }),
            _ => None,
        }
    }
    find(&serde_yaml::to_value(document).ok()?, "")
}

/// Why `section` is not what was asked for.
fn mismatch(phase: Phase, section: Option<&Section>, asked: u64) -> Option<String> {
    let Some(section) = section else {
        return (asked > 0).then(|| format!("its document has no {phase} section"));
    };
    let (iterations, samples) = (section.iterations, section.samples.len());
    if iterations != asked {
        return Some(format!(
            "its {phase} section has {iterations} iterations; {asked} were asked for"
        ));
    }
    if u64::try_from(samples) != Ok(iterations) {
        return Some(format!(
            "its {phase} section has {samples} samples for {iterations} iterations"
        ));
    }
    if section.unit != unit(phase) {
        return Some(format!(
            "its {phase} section is in \"{}\", not {}",
            section.unit,
            unit(phase)
        ));
    }
    // No transfer takes no time or forever: a sample that says so was not measured.
    let measured = |sample: &f64| sample.is_finite() && *sample > 0.0;
    let impossible = section.samples.iter().find(|sample| !measured(sample));
    impossible.map(|sample| format!("its {phase} section has a sample of {sample}"))
}

/// A side that says, and shows by its status, that it does not speak the stack.
fn unsupported(outcome: &CellOutcome, stdout: &Stdout) -> Option<String> {
    if outcome.timed_out.is_some() {
        return None;
    }
    let by_dialer = match &stdout.failure {
        Some(failure) if believed(failure.class, &outcome.dialer) == Some(Class::Unsupported) => {
            Some(format!("dialer: {}", failure.message))
        }
        _ => None,
    };
    by_dialer.or_else(|| {
        let said = last_words(&outcome.listener)?;
        let class = believed(said.class, &outcome.listener)?;
        (class == Class::Unsupported).then(|| format!("listener: {}", said.message))
    })
}

/// Who broke the cell and how, if anyone did.
fn broken(outcome: &CellOutcome, stdout: &Stdout) -> Option<(Blame, String)> {
    let CellOutcome { dialer, listener, .. } = outcome;
    if let Some(limit) = outcome.timed_out {
        let seconds = limit.as_secs_f64();
        let said = stdout
            .failure
            .as_ref()
            .map(|failure| format!("; asked to end, the dialer said: {}", told(failure)));
        let reason = format!("timed out after {seconds} s{}", said.unwrap_or_default());
        return Some((Class::Transfer.into(), reason));
    }
    let served =
        dialer.exit == Exit::Status(0) && stdout.failure.is_none() && stdout.problem.is_none();
    match served {
        // Everything was measured; how the listener ended after that takes nothing away.
        true => None,
        false if !listener.stopped => Some(listener_ended(listener)),
        false => Some(dialer_failed(dialer, stdout)),
    }
}

/// A listener that ended by itself is the cause of whatever became of the dialer.
fn listener_ended(listener: &SideOutcome) -> (Blame, String) {
    let what = match listener.exit {
        Exit::NotStarted(_) => format!("the listener {}", listener.exit),
        _ => format!("the listener {} before the dialer was served", listener.exit),
    };
    with_last_words(listener, what)
}

fn dialer_failed(dialer: &SideOutcome, stdout: &Stdout) -> (Blame, String) {
    let exit = &dialer.exit;
    match (&stdout.failure, &stdout.problem) {
        (Some(failure), _) => match believed(failure.class, dialer) {
            Some(class) => (class.into(), format!("dialer: {}", told(failure))),
            None => {
                let class = failure.class;
                let expected = class.exit_status();
                let reason = format!(
                    "the dialer {exit}, but says {class}, which is status {expected}: {}",
                    told(failure)
                );
                (Blame::UNCLASSIFIED, reason)
            }
        },
        (None, Some(problem)) if *exit == Exit::Status(0) => {
            (Blame::UNCLASSIFIED, format!("the dialer {exit}, but {problem}"))
        }
        // Without a document nothing vouches for the class; the last line still helps a reader.
        _ => {
            let said = dialer.last_line.as_ref().map(|line| format!("; its last line: {line}"));
            (blame_of_start(exit), format!("the dialer {exit}{}", said.unwrap_or_default()))
        }
    }
}

fn with_last_words(side: &SideOutcome, what: String) -> (Blame, String) {
    let said = last_words(side);
    let class = said.as_ref().and_then(|said| believed(said.class, side));
    let reason = match (&said, &side.last_line) {
        (Some(said), _) => format!("{what}: {}", said.message),
        (None, Some(line)) => format!("{what}; its last line: {line}"),
        (None, None) => what,
    };
    (class.map_or_else(|| blame_of_start(&side.exit), Blame::from), reason)
}

/// That a process could not be started, or had no memory, is known without anyone's word.
fn blame_of_start(exit: &Exit) -> Blame {
    match exit {
        Exit::NotStarted(_) | Exit::OutOfMemory => Class::Environment.into(),
        _ => Blame::UNCLASSIFIED,
    }
}

/// `class` where the side ended with the status that goes with it.
fn believed(class: Class, side: &SideOutcome) -> Option<Class> {
    (side.exit == Exit::Status(i32::from(class.exit_status()))).then_some(class)
}

/// A failure's message with where it happened.
fn told(failure: &FailureInfo) -> String {
    match failure.iteration {
        Some(iteration) => format!("{}, iteration {iteration}: {}", failure.phase, failure.message),
        None => format!("{}: {}", failure.phase, failure.message),
    }
}

/// What a node says of its failure in its last line on stderr.
#[derive(Debug, Deserialize)]
struct LastWords {
    class: Class,
    message: String,
}

fn last_words(side: &SideOutcome) -> Option<LastWords> {
    #[derive(Deserialize)]
    struct Line {
        failure: LastWords,
    }
    let line = side.last_line.as_deref()?.strip_prefix("failure:")?;
    serde_yaml::from_str::<Line>(&format!("failure:{line}")).ok().map(|line| line.failure)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use harness_sdk::Failure;
    use harness_sdk::plan::{Amount, Direction};

    use super::*;
    use crate::engine::Captured;
    use crate::engine::mock::outcome;

    const PLAN: Plan = Plan {
        upload: Direction { amount: Amount::Bytes(1), iterations: 2 },
        download: Direction { amount: Amount::Bytes(1), iterations: 0 },
        latency_iterations: 3,
        warmup: 0,
    };

    fn whole() -> Document {
        Document {
            upload: Section::new(&[6.0, 7.0], "Gbps"),
            latency: Section::new(&[0.1, 0.2, 0.3], "ms"),
            ..Document::default()
        }
    }

    fn failed(class: Class, phase: Phase) -> Document {
        let failure = FailureInfo {
            class,
            phase,
            message: "it broke".to_owned(),
            iteration: Some(2),
            partial: None,
        };
        Document { failure: Some(failure), ..Document::default() }
    }

    fn judge(outcome: &CellOutcome) -> (Status, String, String) {
        let verdict = verdict(outcome, &PLAN);
        let (blame, reason) = verdict.failure.unzip();
        (
            verdict.status,
            blame.map(|blame| blame.to_string()).unwrap_or_default(),
            reason.unwrap_or_default(),
        )
    }

    #[test]
    fn everything_asked_for_is_a_pass() {
        let verdict = verdict(&outcome(0, &whole().to_yaml()), &PLAN);
        assert_eq!(verdict, Verdict { status: Status::Pass, failure: None, document: whole() });
    }

    #[test]
    fn what_a_dialer_says_and_does() {
        use Status::{Fail, Partial, Unsupported};
        let broken = |class| failed(class, Phase::Upload).to_yaml();
        let partial = Document { latency: None, ..whole() };
        let partial =
            Document { failure: failed(Class::Transfer, Phase::Latency).failure, ..partial };
        let with = |change: &dyn Fn(&mut Document)| {
            let mut document = whole();
            change(&mut document);
            document.to_yaml()
        };
        let missing = with(&|document| document.latency = None);
        let no_sections = with(&|document| *document = failed(Class::Transfer, Phase::Dial));
        let other_count = with(&|document| document.upload = Section::new(&[6.0], "Gbps"));
        let short = with(&|document| {
            document.upload.as_mut().unwrap().samples.pop();
        });
        let unasked = with(&|document| document.download = Section::new(&[6.0], "Gbps"));
        let seconds = with(&|document| document.latency.as_mut().unwrap().unit = "s".to_owned());
        let made_up = with(&|document| document.upload.as_mut().unwrap().samples[0] = 0.0);
        let sections_only = whole().to_yaml();
        let endless = sections_only.replacen("median: 6.5", "median: .inf", 1);
        let no_number = sections_only.replacen("samples: [0.1,", "samples: [.nan,", 1);
        let no_cost = format!(
            "{sections_only}node: {{name: n, version: '1', cpu_seconds: .nan, peak_rss_bytes: 1}}\n"
        );
        let junk = format!("INFO connecting\n{}", whole().to_yaml());
        let cases: &[(i32, &str, Status, &str, &str)] = &[
            (
                5,
                &broken(Class::Transfer),
                Fail,
                "transfer",
                "dialer: upload, iteration 2: it broke",
            ),
            (4, &broken(Class::Connect), Fail, "connect", "dialer: upload"),
            (1, &broken(Class::Internal), Fail, "internal", "dialer: upload"),
            (130, &broken(Class::Interrupted), Fail, "interrupted", "dialer: upload"),
            (127, &broken(Class::Unsupported), Unsupported, "unsupported", "dialer: it broke"),
            (5, &partial.to_yaml(), Partial, "transfer", "dialer: latency, iteration 2"),
            (
                1,
                &broken(Class::Transfer),
                Fail,
                "unclassified",
                "ended with status 1, but says transfer, which is status 5",
            ),
            (
                0,
                &broken(Class::Transfer),
                Fail,
                "unclassified",
                "ended with status 0, but says transfer",
            ),
            (143, &sections_only, Partial, "unclassified", "the dialer ended with status 143"),
            (143, &no_sections, Fail, "unclassified", "ended with status 143, but says transfer"),
            (127, "", Fail, "unclassified", "the dialer ended with status 127"),
            (2, "", Fail, "unclassified", "the dialer ended with status 2"),
            (134, "", Fail, "unclassified", "the dialer ended with status 134"),
            (137, "", Fail, "unclassified", "the dialer ended with status 137"),
            (139, "", Fail, "unclassified", "the dialer ended with status 139"),
            (0, "", Fail, "unclassified", "ended with status 0, but it printed no document"),
            (0, " \n", Fail, "unclassified", "it printed no document"),
            (0, "hello", Fail, "unclassified", "its stdout is not the document alone"),
            (0, &junk, Fail, "unclassified", "its stdout is not the document alone"),
            (0, &missing, Partial, "unclassified", "its document has no latency section"),
            (
                0,
                &other_count,
                Partial,
                "unclassified",
                "its upload section has 1 iterations; 2 were asked for",
            ),
            (
                0,
                &short,
                Partial,
                "unclassified",
                "its upload section has 1 samples for 2 iterations",
            ),
            (
                0,
                &unasked,
                Partial,
                "unclassified",
                "its download section has 1 iterations; 0 were asked for",
            ),
            (0, &seconds, Partial, "unclassified", "its latency section is in \"s\", not ms"),
            (0, &made_up, Partial, "unclassified", "its upload section has a sample of 0"),
            (0, &endless, Fail, "unclassified", "its document has upload.median: .inf"),
            (0, &no_number, Fail, "unclassified", "its document has latency.samples: .nan"),
            (0, &no_cost, Fail, "unclassified", "its document has node.cpu_seconds: .nan"),
        ];
        for (status, stdout, expected, blame, reason) in cases {
            let judged = judge(&outcome(*status, stdout));
            assert_eq!(
                (judged.0, judged.1.as_str()),
                (*expected, *blame),
                "{status}: {stdout}\n{}",
                judged.2
            );
            assert!(judged.2.contains(reason), "{status}: {stdout}\n{}", judged.2);
        }
    }

    #[test]
    fn a_broken_section_is_not_in_the_verdict() {
        let mut document = whole();
        document.upload.as_mut().unwrap().samples.pop();
        let verdict = verdict(&outcome(0, &document.to_yaml()), &PLAN);
        assert_eq!(verdict.document, Document { upload: None, ..whole() });
    }

    #[test]
    fn an_incomplete_stdout_is_believed_in_nothing() {
        let mut cell = outcome(0, &whole().to_yaml());
        cell.stdout = Captured { incomplete: Some("too much".to_owned()), ..cell.stdout };
        let (status, blame, reason) = judge(&cell);
        assert_eq!((status, blame.as_str()), (Status::Fail, "unclassified"));
        assert!(reason.ends_with("its stdout could not be read whole: too much"), "{reason}");
    }

    #[test]
    fn a_signal_is_named() {
        let mut cell = outcome(0, "");
        cell.dialer.exit = Exit::Signal(9);
        cell.dialer.last_line = Some("allocating".to_owned());
        assert_eq!(judge(&cell).2, "the dialer was ended by SIGKILL; its last line: allocating");
    }

    fn listener(
        exit: Exit,
        last_line: Option<String>,
        dialer: (i32, &str),
    ) -> (Status, String, String) {
        let mut cell = outcome(dialer.0, dialer.1);
        cell.listener = SideOutcome { exit, stopped: false, last_line, ..cell.listener };
        judge(&cell)
    }

    #[test]
    fn a_listener_that_ended_by_itself_is_the_cause() {
        let said = |class| Some(Failure::new(class, Phase::Listen, "port in use").last_line());
        let reset = failed(Class::Transfer, Phase::Upload).to_yaml();
        let cases = [
            (
                Exit::Status(3),
                said(Class::Environment),
                "environment",
                "the listener ended with status 3 before the dialer was served: port in use",
            ),
            (
                Exit::Status(1),
                said(Class::Environment),
                "unclassified",
                "the listener ended with status 1 before the dialer was served: port in use",
            ),
            (
                Exit::Status(0),
                None,
                "unclassified",
                "the listener ended with status 0 before the dialer was served",
            ),
            (
                Exit::Signal(11),
                Some("x".to_owned()),
                "unclassified",
                "the listener was ended by SIGSEGV before the dialer was served; its last line: x",
            ),
            (
                Exit::NotStarted("no".to_owned()),
                None,
                "environment",
                "the listener could not be started: no",
            ),
        ];
        for (exit, line, blame, reason) in cases {
            let judged = listener(exit, line, (5, &reset));
            assert_eq!(judged, (Status::Fail, blame.to_owned(), reason.to_owned()));
        }
    }

    #[test]
    fn a_listener_may_not_speak_the_stack() {
        let said =
            Failure::new(Class::Unsupported, Phase::Configuration, "no mplex here").last_line();
        let late = failed(Class::Environment, Phase::Coordination).to_yaml();
        let judged = listener(Exit::Status(127), Some(said.clone()), (3, &late));
        assert_eq!(
            judged,
            (Status::Unsupported, "unsupported".to_owned(), "listener: no mplex here".to_owned())
        );
        let judged = listener(Exit::Status(1), Some(said), (3, &late));
        assert_eq!((judged.0, judged.1.as_str()), (Status::Fail, "unclassified"));
        let judged = listener(Exit::Status(127), None, (3, &late));
        assert_eq!((judged.0, judged.1.as_str()), (Status::Fail, "unclassified"));
    }

    #[test]
    fn a_listener_that_ended_after_everything_was_measured_takes_nothing_away() {
        assert_eq!(listener(Exit::Status(1), None, (0, &whole().to_yaml())).0, Status::Pass);
    }

    #[test]
    fn a_time_out_is_a_deadline_whatever_was_printed() {
        for (stdout, expected) in
            [(String::new(), Status::Fail), (whole().to_yaml(), Status::Partial)]
        {
            let mut cell = outcome(0, &stdout);
            cell.timed_out = Some(Duration::from_millis(1500));
            assert_eq!(
                judge(&cell),
                (expected, "transfer".to_owned(), "timed out after 1.5 s".to_owned())
            );
        }
        let mut cell = outcome(5, &failed(Class::Transfer, Phase::Upload).to_yaml());
        cell.timed_out = Some(Duration::from_secs(2));
        let reason =
            "timed out after 2 s; asked to end, the dialer said: upload, iteration 2: it broke";
        assert_eq!(judge(&cell).2, reason);
    }
}
