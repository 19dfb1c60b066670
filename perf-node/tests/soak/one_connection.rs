//! Thousands of streams on one connection.

use std::time::{Duration, Instant};

use harness_sdk::config::MAX_ITERATIONS;
use harness_sdk::{Class, Muxer, Stack};
use nix::sys::signal::Signal;
use tokio::time::sleep;

use super::slope::growth;
use super::support::{self, Ended, LIMIT, Listening, NONE, Process};
use super::usage::Usage;
use super::{A_FEW_FRAMES, Form, TURN, each_of, stacks};

/// Of the time that a connection is used: how much of it tells beforehand, on another, how many uploads fill it. Its uploads
/// and its downloads then have about three sevenths each, and exchanges what is left, at least a seventh: of no kind a run
/// may have more than [`MAX_ITERATIONS`].
const TRIAL: f64 = 0.05;
const SHORTEST_TRIAL: Duration = Duration::from_secs(2);
const EACH_WAY: f64 = 0.43;
const EXCHANGES: f64 = 0.14;

/// What a heap may have grown by, in bytes, over half a section, and be called flat: it is handed out in arenas and
/// trimmed in pieces of 128 KiB. By the thousands of streams of a CI run that is a hundred bytes each at most, by those of half an
/// hour less than one.
const FLAT: f64 = 256.0 * 1024.0;

/// How often both ends are looked at while exchanges are made, at least.
const LOOKS: u32 = 200;

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
    // on trial.
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
    // A first connection, with which the listener warms up.
    let (sections, bytes, until, kept) = if is_mplex(stack) {
        // Of few streams: the memory of many would be there for those of the second.
        let (few, bytes) = ([50, 50, 200], A_FEW_FRAMES);
        support::dial(stack, &listener.address).measuring(few, bytes).run().await.measured(few);
        ([form.streams / 3; 3], bytes, Until::AllIsDone, KEPT_BY_MPLEX)
    } else {
        let bytes = form.bytes;
        let trial = form.lasting.mul_f64(TRIAL).max(SHORTEST_TRIAL);
        let uploads = uploads_within(trial, bytes, stack, &listener.address).await as f64;
        let transfers = uploads * EACH_WAY * form.lasting.as_secs_f64() / trial.as_secs_f64();
        let transfers = (transfers as usize).clamp(1, MAX_ITERATIONS as usize);
        let sections = [transfers, transfers, MAX_ITERATIONS as usize];
        (sections, bytes, Until::After(form.lasting), 0.0)
    };
    let before = settled(&listener.process).await;

    let dialer = support::dial(stack, &listener.address).measuring(sections, bytes).spawn();
    let Watched { ended, series } = watch(dialer, &listener.process, until).await;
    let after = settled(&listener.process).await;

    let [up, down, _] = sections;
    let lasted = ended.lived;
    let interrupted = i32::from(Class::Interrupted.exit_status());
    let exchanges = match ended.status {
        0 => ended.measured(sections).latency.unwrap().samples,
        status if status == interrupted => {
            ended.failed(Class::Interrupted, [up, down, 0]).partial.unwrap().samples
        }
        status => {
            let said = ended.stderr.lines().rev().take(2).collect::<Vec<_>>();
            let listener = listener.process.stop(Signal::SIGTERM).await.stderr;
            return Err(format!(
                "{stack}: status {status} after {lasted:?}: {said:#?}; the listener:\n{listener}"
            ));
        }
    };
    let told = Told { stack, transfers: [up, down], exchanges, lasted };
    let judged = [
        told.judge("dialer", KEPT + kept, series.iter().map(|look| (look.at, look.dialer))),
        told.judge("listener", kept, series.iter().map(|look| (look.at, look.listener))),
    ];
    judged.into_iter().collect::<Result<(), _>>()?;
    if told.streams() < form.streams / 3 * 3 {
        return Err(format!("{stack}: {} streams, of {}", told.streams(), form.streams));
    }
    if after.descriptors != before.descriptors {
        return Err(format!("{stack}: the listener had {before:?} and has {after:?}"));
    }
    Ok(())
}

/// How many a connection of their own makes in `time`.
async fn uploads_within(time: Duration, bytes: u64, stack: &Stack, address: &str) -> usize {
    let limit = time.as_secs_f64().to_string();
    let trial = support::dial(stack, address).measuring([MAX_ITERATIONS as usize, 0, 0], bytes);
    let trial = trial.var("PERF_TIMEOUT_SECS", limit).spawn().ended_within(time + LIMIT).await;
    trial.failed(Class::Transfer, NONE).partial.unwrap().samples.len()
}

/// What is said of one stack's run.
struct Told<'a> {
    stack: &'a Stack,
    /// Uploads, and downloads.
    transfers: [usize; 2],
    /// Milliseconds of each.
    exchanges: Vec<f64>,
    lasted: Duration,
}

impl Told<'_> {
    fn streams(&self) -> usize {
        self.transfers.iter().sum::<usize>() + self.exchanges.len()
    }

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
        let Self { stack, transfers: [up, down], exchanges, lasted } = self;
        let (grown, allowed) = (growth(&memory), FLAT + kept * exchanges.len() as f64);
        // It has fewer once it is closing its connection.
        let (first, most) = (descriptors[0], *descriptors.iter().max().unwrap());
        let told = format!(
            "{stack}: {up} up, {down} down, {} exchanges of {:.3} ms on average, in {:.0} s; {side}: {:.2} MB at most, {:+.0} kB \
             over the second half ({:.0} kB allowed), {first} descriptors, {most} at most, {} looks",
            exchanges.len(),
            exchanges.iter().sum::<f64>() / exchanges.len() as f64,
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

/// When a dialer has done enough.
#[derive(Clone, Copy)]
enum Until {
    /// What it was asked for.
    AllIsDone,
    /// After so long, and a seventh of that for exchanges alone; it is then interrupted.
    After(Duration),
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
    ended: Ended,
    /// Of the one-byte exchanges alone: each section has its own buffers, and begins with a step.
    series: Vec<Look>,
}

async fn watch(mut dialer: Process, listener: &Process, until: Until) -> Watched {
    let (start, mut series) = (Instant::now(), Vec::<Look>::new());
    let (enough, every) = match until {
        // Hardly more than seconds, even of half an hour.
        Until::AllIsDone => (f64::INFINITY, Duration::from_millis(5)),
        Until::After(time) => (time.as_secs_f64(), time.mul_f64(EXCHANGES) / LOOKS),
    };
    while !dialer.is_over() {
        let at = start.elapsed().as_secs_f64();
        if series.first().is_some_and(|first| at >= enough.max(first.at + EXCHANGES * enough)) {
            dialer.signal(Signal::SIGINT);
            return Watched { ended: dialer.ended().await, series };
        }
        if has_moved_all(&dialer)
            && let Some(usage) = Usage::of(dialer.pid()).zip(Usage::of(listener.pid()))
        {
            let (dialer, listener) = usage;
            series.push(Look { at, dialer, listener });
        }
        sleep(every).await;
    }
    // The last look may have been at a process that was closing its connection.
    series.pop();
    Watched { ended: dialer.ended().await, series }
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
