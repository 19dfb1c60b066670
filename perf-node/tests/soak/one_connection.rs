//! Thousands of streams on one connection.

use std::time::{Duration, Instant};

use harness_sdk::config::MAX_ITERATIONS;
use harness_sdk::{Document, Muxer, Stack};
use tokio::time::sleep;

use super::slope::growth;
use super::support::{self, Listening, Process, stacks};
use super::usage::Usage;
use super::{Form, TURN, each_of};

/// Of one transfer: a few frames of every muxer.
const BYTES: u64 = 65_536;

/// What a heap may have grown by, in bytes, over half a section, and be called flat: it is handed out in arenas and
/// trimmed in pieces of 128 KiB. By the 5,000 streams or more of a CI run that is a hundred bytes each at most, by those of half an
/// hour less than one.
const FLAT: f64 = 256.0 * 1024.0;

/// How often both ends are looked at while exchanges are made, about.
const LOOKS: f64 = 200.0;

/// What a dialer keeps of each exchange, in bytes: its sample.
const KEPT: f64 = 8.0;

/// What libp2p-mplex 0.43 keeps of each stream, in bytes, until a write to the socket has to wait: the waker of every
/// task that wrote on one (`NotifierWrite` in its `io.rs`), and with it the task. It also goes through them all at each
/// write: a run of many streams becomes slow (docs/measuring.md), so that on mplex there are no more than asked for, in all.
const KEPT_BY_MPLEX: f64 = 400.0;

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_streams_leave_nothing_behind() {
    let _turn = TURN.lock().await;
    let form = Form::chosen();
    // What has so many streams to make, and no more, first: were it over while others go on, those would be faster than
    // on trial, and over before their time.
    let (few, many): (Vec<_>, Vec<_>) = stacks().into_iter().partition(is_mplex);
    let mut wrong = Vec::new();
    for stacks in [few, many] {
        wrong.extend(each_of(stacks, form, |stack| async move { soak(&stack, form).await }).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_mplex(stack: &Stack) -> bool {
    stack.muxer == Some(Muxer::Mplex)
}

async fn soak(stack: &Stack, form: Form) -> Result<(), String> {
    let listener = Listening::start(stack, &[]).await;
    // A first connection: what it costs tells how much fills the time, and the listener warms up.
    let trial = [50, 50, 200];
    let document = support::dial(stack, &listener.address).measuring(trial, BYTES).run().await;
    let document = document.measured(trial);
    let exchange = document.latency.unwrap().plot.median / 1e3;
    let transfer = BYTES as f64 * 8.0 / 1e9 / document.download.unwrap().plot.median;
    let before = settled(&listener.process).await;

    // A third of the time each way, and a third for exchanges.
    let third = form.lasting.as_secs_f64() / 3.0;
    let fill = |least, each| ((third / each) as usize).clamp(least, MAX_ITERATIONS as usize);
    let transfers = fill(form.transfers, transfer);
    let (sections, kept) = match is_mplex(stack) {
        true => ([form.streams / 3; 3], KEPT_BY_MPLEX),
        false => ([transfers, transfers, fill(form.streams, exchange)], 0.0),
    };
    let dialer = support::dial(stack, &listener.address).measuring(sections, BYTES).spawn();
    let every = Duration::from_secs_f64(exchange * sections[2] as f64 / LOOKS);
    let watched = Watched::until_its_end(dialer, &listener.process, every).await;
    let after = settled(&listener.process).await;

    let lasted = watched.document.lived;
    let (document, series) = (watched.document.measured(sections), watched.series);
    let told = Told { stack, sections, lasted, document: &document };
    let judged = [
        told.judge("dialer", KEPT + kept, series.iter().map(|look| (look.at, look.dialer))),
        told.judge("listener", kept, series.iter().map(|look| (look.at, look.listener))),
    ];
    judged.into_iter().collect::<Result<(), _>>()?;
    if after.descriptors != before.descriptors {
        return Err(format!("{stack}: the listener had {before:?} and has {after:?}"));
    }
    Ok(())
}

/// What is said of one stack's run.
struct Told<'a> {
    stack: &'a Stack,
    sections: [usize; 3],
    lasted: Duration,
    document: &'a Document,
}

impl Told<'_> {
    /// Flat but for what is kept of each exchange, in bytes, whichever half it fell into; and with no more descriptors
    /// than in the beginning.
    fn judge(
        &self,
        side: &str,
        kept: f64,
        series: impl Iterator<Item = (f64, Usage)>,
    ) -> Result<(), String> {
        let series: Vec<_> = series.collect();
        let memory: Vec<_> = series.iter().map(|(at, usage)| (*at, usage.rss)).collect();
        let descriptors: Vec<_> = series.iter().map(|(_, usage)| usage.descriptors).collect();
        let peak = memory.iter().map(|(_, rss)| *rss).fold(0.0, f64::max);
        let Self { stack, sections: [up, down, probes], lasted, document } = self;
        let (grown, allowed) = (growth(&memory), FLAT + kept * *probes as f64);
        // It has fewer once it is closing its connection.
        let (first, most) = (descriptors[0], *descriptors.iter().max().unwrap());
        let told = format!(
            "{stack}: {up} up, {down} down, {probes} exchanges of {:.3} ms in {:.0} s; {side}: {:.2} MB at most, {:+.0} kB \
             over the second half ({:.0} kB allowed), {first} descriptors, {most} at most, {} looks",
            document.latency.as_ref().unwrap().plot.median,
            lasted.as_secs_f64(),
            peak / 1e6,
            grown / 1e3,
            allowed / 1e3,
            series.len()
        );
        println!("{told}");
        match grown <= allowed && first == most && series.len() >= 20 {
            true => Ok(()),
            false => Err(told),
        }
    }
}

/// Both ends at one moment of the exchanges.
struct Look {
    /// Seconds since the dialer's start.
    at: f64,
    dialer: Usage,
    listener: Usage,
}

/// A dialer's run, as seen from outside.
struct Watched {
    document: support::Ended,
    /// Of the one-byte exchanges alone: each section has its own buffers, and begins with a step.
    series: Vec<Look>,
}

impl Watched {
    async fn until_its_end(mut dialer: Process, listener: &Process, every: Duration) -> Self {
        let (start, mut series) = (Instant::now(), Vec::new());
        while !dialer.is_over() {
            if has_moved_all(&dialer)
                && let Some(usage) = Usage::of(dialer.pid()).zip(Usage::of(listener.pid()))
            {
                let (dialer, listener) = usage;
                series.push(Look { at: start.elapsed().as_secs_f64(), dialer, listener });
            }
            sleep(every).await;
        }
        // The last look may have been at a process that was closing its connection.
        series.pop();
        Self { document: dialer.ended().await, series }
    }
}

/// Whether the last download is done: a line on stderr says so of each.
fn has_moved_all(dialer: &Process) -> bool {
    let line = dialer.last_on_stderr();
    let count = line.split_once("download ").and_then(|(_, rest)| rest.split_once(':'));
    count.and_then(|(count, _)| count.split_once('/')).is_some_and(|(done, all)| done == all)
}

/// What a listener is like once it has noticed that its dialer is gone.
async fn settled(listener: &Process) -> Usage {
    let mut usage = Usage::of(listener.pid()).unwrap();
    for _ in 0..100 {
        sleep(Duration::from_millis(20)).await;
        let now = Usage::of(listener.pid()).unwrap();
        if now.descriptors < usage.descriptors {
            return now;
        }
        usage = now;
    }
    usage
}
