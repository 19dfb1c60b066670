//! Rules about what a dialer that succeeds prints and sends: `stdout-…`, `document-…`, and of `client-…` those
//! that a well-behaved peer can see.

use std::time::Duration;

use futures::FutureExt;
use harness_sdk::Document;
use harness_sdk::config::DEBUG;
use nix::sys::signal::Signal;

use super::Error;
use super::bench::Bench;
use super::document;
use super::experiment::{Experiment, Need};
use super::finding::{Finding, Seen, finding};
use super::node::{Ended, shortened};
use super::probe::{Observed, ObservedStream};
use super::variables::{LEAST, Work};

/// Different everywhere, so that one count cannot be taken for another.
const WORK: Work = Work { upload: (2, 100_000), download: (3, 150_000), latency: 5 };
/// Below the 20 s an iteration that DURATION says.
const LIMIT: Duration = Duration::from_secs(19);

const DOCUMENT: [&str; 8] = [
    "stdout-dialer",
    "env-duration-yields",
    "document-sections",
    "document-keys",
    "document-samples",
    "document-statistics",
    "document-numbers",
    "document-units",
];
const CLIENT: [&str; 4] =
    ["client-half-close", "client-bytes", "client-iterations", "client-latency-streams"];

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment::new(&DOCUMENT, Need::Peer, |bench| document_of(bench).boxed()).on_every_stack(),
    Experiment::new(&CLIENT, Need::Probe, |bench| client_of(bench).boxed()).on_every_stack(),
    Experiment::new(&["document-skipped-section"], Need::Peer, |bench| skipped(bench).boxed()),
    Experiment::new(&["stdout-debug"], Need::Peer, |bench| debug(bench).boxed()),
];

/// One dialer's life against a well-behaved peer; else why there is no peer.
async fn measured(
    bench: &Bench<'_>,
    work: Work,
    debug: bool,
) -> Result<Result<(Ended, Option<Observed>), String>, Error> {
    let peer = match bench.peer().await? {
        Ok(peer) => peer,
        Err(problem) => return Ok(Err(problem)),
    };
    let change = |vars: super::variables::Vars| vars.with(&DEBUG, debug);
    let ended = bench.dialing(peer.address(), work, LIMIT, change).await?;
    let observed = peer.finish().await?;
    Ok(Ok((ended, observed)))
}

/// Of every rule, that it could not be judged, but for the first: it is broken.
fn all_because(rules: &[&'static str], problem: String) -> Vec<Finding> {
    let Some((first, others)) = rules.split_first() else { return Vec::new() };
    let reason = format!("there is nothing to judge: see {first}");
    let mut found = vec![finding(first, "status 0, and a document", Seen::Wrong(problem))];
    found.extend(others.iter().map(|rule| finding(rule, "", Seen::Nothing(reason.clone()))));
    found
}

/// What is on stdout, if that is one document and the dialer ended well.
fn read(ended: &Ended) -> Result<(String, Document, Vec<String>), String> {
    if ended.status() != Some(0) {
        return Err(format!("it {}", ended.how()));
    }
    let text = ended.out();
    let odd = document::alone(&text).map_err(|problem| {
        let first = text.lines().next().map(shortened).unwrap_or_default();
        format!("stdout is {problem} (it begins: {first})")
    })?;
    let document = Document::parse(&text).map_err(|error| error.to_string())?;
    Ok((text, document, odd))
}

async fn document_of(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let ended = match measured(bench, WORK, false).await? {
        Ok((ended, _)) => ended,
        Err(problem) => return Ok(all_because(&DOCUMENT, problem)),
    };
    let (text, document, odd) = match read(&ended) {
        Ok(read) => read,
        Err(problem) => {
            let mut found = all_because(&DOCUMENT, problem);
            found.retain(|one| one.rule != "env-duration-yields");
            found.push(duration_yields(&ended));
            return Ok(found);
        }
    };
    let alone = match odd[..] {
        [] => Seen::Right("the document alone".to_owned()),
        _ => Seen::Odd(format!("the document, and further keys: {}", odd.join(", "))),
    };
    let judged = |rule, expected: &str, problems: Vec<String>, fine: &str| {
        finding(rule, expected, Seen::of(&problems, fine))
    };
    Ok(vec![
        finding("stdout-dialer", "one YAML document and nothing else", alone),
        duration_yields(&ended),
        judged(
            "document-sections",
            "upload, download, latency",
            document::sections(&document, WORK),
            "all three",
        ),
        judged(
            "document-keys",
            "iterations, min, q1, median, q3, max, outliers, samples, unit behind two spaces",
            document::keys(&text),
            "those nine, in each section and nowhere else",
        ),
        judged(
            "document-samples",
            "2, 3 and 5 samples",
            document::samples(&document, WORK),
            "so many",
        ),
        judged(
            "document-statistics",
            "type 7 quartiles, and outliers beyond 1.5 IQR, of the samples printed",
            document::statistics(&document, &text),
            "computed from the samples they are the same",
        ),
        judged(
            "document-numbers",
            "a decimal point, six significant digits, no exponent",
            document::numbers(&text),
            "so they are written",
        ),
        judged("document-units", "Gbps, Gbps, ms", document::units(&document), "Gbps, Gbps, ms"),
    ])
}

/// DURATION was 20 s, and whoever went by it still runs.
fn duration_yields(ended: &Ended) -> Finding {
    let seen = match (ended.status(), &ended.exit) {
        (Some(0), _) => Seen::Right(format!("all was over in {:.1} s", ended.after.as_secs_f64())),
        (_, Some(_)) => Seen::Nothing("it measured nothing: see stdout-dialer".to_owned()),
        (_, None) => Seen::Wrong(format!("it {}", ended.end())),
    };
    finding("env-duration-yields", "bytes, where DURATION=20 is given as well", seen)
}

async fn client_of(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let (ended, observed) = match measured(bench, WORK, false).await? {
        Ok((ended, Some(observed))) => (ended, observed),
        Ok((_, None)) => return Ok(Vec::new()),
        Err(problem) => return Ok(all_because(&CLIENT, problem)),
    };
    if ended.status() != Some(0) {
        return Ok(all_because(&CLIENT, format!("it {}", ended.how())));
    }
    Ok(seen_by_peer(&observed.streams))
}

/// What a stream was for, by its counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Upload,
    Download,
    Latency,
}

fn purpose(stream: &ObservedStream) -> Purpose {
    match (stream.asked, stream.received) {
        (Some(1), 1) => Purpose::Latency,
        (Some(0), _) => Purpose::Upload,
        _ => Purpose::Download,
    }
}

/// What the peer's account says of a dialer that was asked for [`WORK`] and claims to have done it.
fn seen_by_peer(streams: &[ObservedStream]) -> Vec<Finding> {
    let count = |wanted| streams.iter().filter(|stream| purpose(stream) == wanted).count() as u64;
    let counts = (count(Purpose::Upload), count(Purpose::Download));
    let open = streams.iter().filter(|stream| !stream.half_closed).count();
    let half_close = match (streams.len(), open) {
        (0, _) => Seen::Wrong("no stream at all, and yet a document".to_owned()),
        (all, 0) => Seen::Right(format!("all {all} streams")),
        (all, open) => Seen::Wrong(format!("{open} of {all} streams were left open")),
    };
    let other = streams.iter().find(|stream| match purpose(stream) {
        Purpose::Upload => stream.received != WORK.upload.1,
        Purpose::Download => stream.asked != Some(WORK.download.1) || stream.received != 0,
        Purpose::Latency => false,
    });
    let bytes = match other {
        _ if counts == (0, 0) => Seen::Wrong("no upload and no download at all".to_owned()),
        None => Seen::Right("so many, on every stream".to_owned()),
        Some(ObservedStream { asked: None, .. }) => {
            Seen::Wrong("a stream without a whole header".to_owned())
        }
        Some(ObservedStream { asked: Some(asked), received, .. }) => {
            Seen::Wrong(format!("a stream with {received} bytes sent and {asked} asked for"))
        }
    };
    let seen = format!("{} uploads and {} downloads", counts.0, counts.1);
    let iterations = match counts == (WORK.upload.0, WORK.download.0) {
        true => Seen::Right(seen),
        false => Seen::Wrong(seen),
    };
    let latencies = count(Purpose::Latency);
    let seen = format!("{latencies} streams with one byte each way");
    let latency = match latencies == WORK.latency {
        true => Seen::Right(seen),
        false => Seen::Wrong(seen),
    };
    vec![
        finding("client-half-close", "the writing side of every stream closed", half_close),
        finding("client-bytes", "100000 bytes up, 150000 asked for", bytes),
        finding(
            "client-iterations",
            "2 uploads and 3 downloads, as the document claims",
            iterations,
        ),
        finding("client-latency-streams", "5 streams with one byte each way", latency),
    ]
}

async fn skipped(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    const RULE: &str = "document-skipped-section";
    let work = Work { download: (1, 1000), ..LEAST };
    let seen = match measured(bench, work, false).await? {
        Ok((ended, _)) => match read(&ended) {
            Ok((_, document, _)) => {
                Seen::of(&document::sections(&document, work), "download and latency alone")
            }
            Err(problem) => Seen::Wrong(problem),
        },
        Err(problem) => Seen::Wrong(problem),
    };
    Ok(vec![finding(RULE, "no upload section with UPLOAD_ITERATIONS=0", seen)])
}

async fn debug(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let mut problems = Vec::new();
    if bench.can_listen() {
        match bench.listening(|vars| vars.with(&DEBUG, true)).await? {
            Ok((node, _)) => {
                let ended = node.stop(Signal::SIGTERM).await;
                if let Some(line) = ended.out().lines().next() {
                    problems.push(format!("the listener printed {}", shortened(line)));
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    match measured(bench, LEAST, true).await? {
        Ok((ended, _)) => problems.extend(read(&ended).err()),
        Err(problem) => problems.push(problem),
    }
    let seen = Seen::of(&problems, "the dialer's document alone");
    Ok(vec![finding("stdout-debug", "on stdout the same with DEBUG=true", seen)])
}

#[cfg(test)]
mod tests {
    use super::super::finding::RuleOutcome;
    use super::*;

    fn stream(asked: u64, received: u64) -> ObservedStream {
        ObservedStream {
            asked: Some(asked),
            received,
            sent: asked,
            half_closed: true,
            seconds: 0.1,
        }
    }

    fn sound() -> Vec<ObservedStream> {
        let of = |count, one: ObservedStream| std::iter::repeat_n(one, count);
        let streams = of(2, stream(0, 100_000)).chain(of(3, stream(150_000, 0)));
        streams.chain(of(5, stream(1, 1))).collect()
    }

    fn broken(streams: &[ObservedStream]) -> Vec<&'static str> {
        let found = seen_by_peer(streams).into_iter();
        found.filter(|one| one.outcome == RuleOutcome::Fail).map(|one| one.rule).collect()
    }

    #[test]
    fn the_peer_sees_what_a_document_does_not_say() {
        assert_eq!(broken(&sound()), Vec::<&str>::new());
        // It slept, and printed.
        assert_eq!(broken(&[]), CLIENT);
        let change = |change: &dyn Fn(&mut Vec<ObservedStream>)| {
            let mut streams = sound();
            change(&mut streams);
            broken(&streams)
        };
        assert_eq!(change(&|streams| streams[0].half_closed = false), ["client-half-close"]);
        assert_eq!(change(&|streams| streams[1].received = 99_999), ["client-bytes"]);
        assert_eq!(change(&|streams| streams[2].received = 7), ["client-bytes"]);
        assert_eq!(change(&|streams| *streams = streams.split_off(1)), ["client-iterations"]);
        assert_eq!(change(&|streams| streams.truncate(9)), ["client-latency-streams"]);
    }
}
