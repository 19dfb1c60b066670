//! Rules about truth: a peer imposes a rate that it knows, and the node's figure must be that one.
//!
//! Two rates, so that a node which prints a constant is found; a reader that is late as well as slow, and once
//! of no more bytes than any buffer on the way holds, so that one which times its own sending is found; and the
//! peer's clock beside the node's, so that a busy machine is not taken for a lie.

use std::time::Duration;

use futures::FutureExt;
use harness_sdk::Document;
use harness_sdk::stats::quantile;

use super::Error;
use super::bench::Bench;
use super::experiment::{Experiment, Need};
use super::finding::{Finding, Seen, finding};
use super::probe::{Behaviour, ObservedStream};
use super::variables::Work;

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment::new(&["client-upload-rate"], Need::Probe, |bench| upload(bench).boxed())
        .on_every_stack()
        .timed(),
    Experiment::new(&["client-download-rate"], Need::Probe, |bench| download(bench).boxed())
        .on_every_stack()
        .timed(),
];

/// How far the node's median may be from the peer's.
const TOLERANCE: f64 = 0.05;
/// How far apart what the two rates came to must be, for a constant to be told from a measurement.
const APART: f64 = 1.5;
/// How much longer the transfers of each try take, of as many bytes as before: what a busy machine adds is small
/// beside four times the time, and what buffers hold is no smaller part of it.
const TRIES: [u32; 2] = [1, 4];
/// The median of three is not moved by one that a busy machine spoilt.
const ITERATIONS: u64 = 3;
const LIMIT: Duration = Duration::from_secs(40);

#[derive(Clone, Copy)]
enum Direction {
    Upload,
    Download,
}

/// A rate, a delay before it, and bytes, which together take half a second.
#[derive(Clone, Copy)]
struct Imposed {
    megabits: u32,
    delay: Duration,
    bytes: u64,
}

impl Imposed {
    fn longer(self, times: u32) -> Self {
        Self { megabits: self.megabits / times, delay: self.delay * times, ..self }
    }
}

const IMPOSED: [Imposed; 2] = [
    Imposed { megabits: 160, delay: Duration::from_millis(300), bytes: 4_000_000 },
    // Less than a window of any muxer, or a socket's buffer.
    Imposed { megabits: 4, delay: Duration::from_millis(300), bytes: 100_000 },
];

/// What one try at one rate came to.
struct Attempt {
    /// The peer's median, where node and peer agree.
    agreed: Option<f64>,
    text: String,
}

async fn upload(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    judge(bench, "client-upload-rate", Direction::Upload).await
}

async fn download(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    judge(bench, "client-download-rate", Direction::Download).await
}

async fn judge(
    bench: &Bench<'_>,
    rule: &'static str,
    direction: Direction,
) -> Result<Vec<Finding>, Error> {
    let (mut texts, mut agreed) = (Vec::new(), Vec::new());
    for imposed in IMPOSED {
        let mut tries = Vec::new();
        for times in TRIES {
            let attempt = attempt(bench, direction, imposed.longer(times)).await?;
            tries.push(attempt.text);
            if let Some(rate) = attempt.agreed {
                agreed.push(rate);
                break;
            }
        }
        texts.push(tries.join("; again: "));
    }
    let text = texts.join(" · ");
    let seen = match agreed[..] {
        [quick, slow] if quick > slow * APART => Seen::Right(text),
        [_, _] => Seen::Odd(format!("{text}: too near to each other to tell")),
        _ => Seen::Wrong(text),
    };
    let expected = "the rate by the peer's clock, within 5%, at two rates";
    Ok(vec![finding(rule, expected, seen)])
}

async fn attempt(
    bench: &Bench<'_>,
    direction: Direction,
    Imposed { megabits, delay, bytes }: Imposed,
) -> Result<Attempt, Error> {
    let all = (ITERATIONS, bytes);
    let (behaviour, work) = match direction {
        Direction::Upload => ("late-reader", Work { upload: all, download: (0, 1), latency: 0 }),
        Direction::Download => ("paced-sender", Work { upload: (0, 1), download: all, latency: 0 }),
    };
    let peer = bench.probing(Behaviour::paced(behaviour, megabits, delay)).await?;
    let ended = bench.dialing(&peer.address, work, LIMIT, |vars| vars).await?;
    let observed = peer.finish().await?;
    if ended.status() != Some(0) {
        return Ok(Attempt { agreed: None, text: format!("it {}", ended.how()) });
    }
    let document = Document::parse(&ended.out()).ok();
    let section = document.and_then(|document| match direction {
        Direction::Upload => document.upload,
        Direction::Download => document.download,
    });
    let claimed = section.map(|section| section.plot.median);
    let moved: Vec<_> =
        observed.streams.into_iter().filter(|stream| payload(stream, direction) == bytes).collect();
    Ok(compare(claimed, &moved, bytes))
}

fn payload(stream: &ObservedStream, direction: Direction) -> u64 {
    match direction {
        Direction::Upload => stream.received,
        Direction::Download => stream.sent,
    }
}

/// Whether the node's median is what the peer's clock says of the streams that moved all the bytes.
fn compare(claimed: Option<f64>, moved: &[ObservedStream], bytes: u64) -> Attempt {
    let Some(claimed) = claimed else {
        return Attempt {
            agreed: None,
            text: "it ended with status 0 and no such section".to_owned(),
        };
    };
    let mut rates: Vec<_> = moved.iter().map(ObservedStream::gbps).collect();
    rates.sort_by(f64::total_cmp);
    let count = rates.len() as u64;
    if count != ITERATIONS {
        let text = format!(
            "it claims {claimed:.4} Gbps over {ITERATIONS} transfers, and the peer saw {count} of {bytes} bytes: \
             a figure without a transfer is made up"
        );
        return Attempt { agreed: None, text };
    }
    let imposed = quantile(&rates, 0.5);
    let off = claimed / imposed - 1.0;
    let text = format!(
        "{:.1} Mbit/s by the peer's clock, {:.1} by the node's ({:+.1}%)",
        imposed * 1e3,
        claimed * 1e3,
        off * 100.0
    );
    Attempt { agreed: (off.abs() <= TOLERANCE).then_some(imposed), text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(received: u64, seconds: f64) -> ObservedStream {
        ObservedStream { asked: Some(0), received, sent: 0, half_closed: true, seconds }
    }

    #[test]
    fn a_figure_is_believed_where_the_peers_clock_says_the_same() {
        let moved = [stream(1_000_000, 1.0), stream(1_000_000, 1.1), stream(1_000_000, 0.9)];
        assert!(compare(Some(0.0078), &moved, 1_000_000).agreed.is_some());
        assert!(compare(Some(0.0085), &moved, 1_000_000).agreed.is_none());
        // It timed its own sending, into buffers.
        let sender = compare(Some(4.2), &moved, 1_000_000);
        assert_eq!(sender.text, "8.0 Mbit/s by the peer's clock, 4200.0 by the node's (+52400.0%)");
        // It slept, and printed.
        let made_up = compare(Some(0.008), &[], 1_000_000);
        assert!(made_up.agreed.is_none() && made_up.text.ends_with("made up"), "{}", made_up.text);
        assert!(compare(None, &moved, 1_000_000).agreed.is_none());
    }
}
