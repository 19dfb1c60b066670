//! What a dialer says on stderr while it works: for people, or as JSON for programs.

use std::future::Future;
use std::io::Write;
use std::pin::pin;
use std::time::Duration;

use serde::{Serialize, Serializer};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::document::round;
use crate::failure::{Class, Failure, Phase};
use crate::load::Share;
use crate::node::Details;
use crate::stack::Stack;
use crate::stats::gbps;
use crate::transfer::Lane;

/// How a dialer tells what it does, and how often it looks at an iteration that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// In what form.
    pub form: Form,
    /// A line for each of these while uploads and downloads run; `None`: none.
    pub interval: Option<Duration>,
}

/// The form of what stands on stderr.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Lines of the log, with their time: contract mode.
    #[default]
    Log,
    /// Lines for the one who started the process.
    Text,
    /// One JSON object a line, and nothing else.
    Json,
}

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event<'a> {
    /// The connections stand.
    Connected {
        address: &'a str,
        stack: Stack,
        connections: usize,
        /// Of the first of them, in their order.
        #[serde(serialize_with = "as_map")]
        phases_ms: Vec<(&'static str, f64)>,
    },
    /// What this side has handed to its streams, or read from them, in a part of an iteration.
    Interval {
        section: Phase,
        #[serde(flatten)]
        part: Part,
        start: f64,
        end: f64,
        bytes: u64,
        gbps: f64,
        /// Bytes by stream; absent where there is one.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        streams: Vec<u64>,
    },
    /// An iteration is over, to the last receipt.
    Sample {
        section: Phase,
        iteration: u64,
        iterations: u64,
        value: f64,
        unit: &'static str,
        bytes: u64,
        seconds: f64,
        /// Jain's index; absent where there is one stream.
        #[serde(skip_serializing_if = "Option::is_none")]
        fairness: Option<f64>,
    },
    /// Every iteration of a section was measured.
    Section { section: &'a str, iterations: u64 },
    /// The run ends with a status other than 0.
    Failure { class: Class, phase: Phase, message: &'a str },
}

/// Which part of which iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Part {
    /// From 1; `None` in warm-up.
    pub(crate) iteration: Option<u64>,
    pub(crate) iterations: u64,
    /// Run before the iteration counts.
    pub(crate) omitted: bool,
}

fn as_map<S: Serializer>(entries: &[(&str, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(entries.iter().copied())
}

impl<'a> Event<'a> {
    pub(crate) fn connected(
        address: &'a str,
        stack: Stack,
        connections: usize,
        details: &Details,
    ) -> Self {
        let phases = details.phases.iter();
        let phases_ms =
            phases.map(|(name, time)| (*name, round(time.as_secs_f64() * 1e3))).collect();
        Self::Connected { address, stack, connections, phases_ms }
    }

    pub(crate) fn failure(failure: &'a Failure) -> Self {
        Self::Failure { class: failure.class, phase: failure.phase, message: &failure.message }
    }

    /// One line for people; `None`: nothing that they would miss.
    fn text(&self) -> Option<String> {
        match self {
            Self::Connected { address, stack, connections, phases_ms } => {
                let many = if *connections > 1 {
                    format!(", {connections} connections")
                } else {
                    String::new()
                };
                let phases: Vec<_> =
                    phases_ms.iter().map(|(name, ms)| format!("{name} {ms:.3} ms")).collect();
                Some(format!("connected to {address} ({stack}){many}: {}", phases.join(", ")))
            }
            Self::Interval { section, part, start, end, bytes, gbps, .. } => {
                let Part { iteration, iterations, omitted } = part;
                let label = match iteration {
                    Some(iteration) => format!("{section} {iteration}/{iterations}"),
                    None => format!("{section} warm-up"),
                };
                let note = if *omitted { "  (omitted)" } else { "" };
                let (window, size) = (format!("{start:.2}-{end:.2} s"), size(*bytes));
                Some(format!("{label:<14} {window:>16} {size:>10} {gbps:>10.3} Gbps{note}"))
            }
            Self::Sample {
                section,
                iteration,
                iterations,
                value,
                unit,
                bytes,
                seconds,
                fairness,
            } => {
                let fairness =
                    fairness.map(|index| format!(", fairness {index:.3}")).unwrap_or_default();
                let size = size(*bytes);
                Some(format!(
                    "{section} {iteration}/{iterations}: {value:.3} {unit}, {size} in {seconds:.3} s{fairness}"
                ))
            }
            Self::Section { section: "upload" | "download", .. } => None,
            Self::Section { section, iterations } => {
                Some(format!("{}: {iterations} measured", section.replace('_', " ")))
            }
            Self::Failure { .. } => None,
        }
    }
}

/// `bytes` with three digits and a unit of 1024s.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    let decimals = match value {
        _ if unit == 0 => 0,
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {}", UNITS[unit])
}

impl Progress {
    /// Says it, in the form that was chosen.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        let line = match self.form {
            Form::Json => serde_json::to_string(event).ok(),
            Form::Text => event.text(),
            Form::Log => {
                if let Event::Sample { section, iteration, iterations, value, unit, .. } = event {
                    tracing::info!("{section} {iteration}/{iterations}: {value:.3} {unit}");
                }
                None
            }
        };
        if let Some(line) = line {
            // Where stderr is gone, the document on stdout remains.
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        }
    }

    /// Runs `work` and tells, once an interval, what its lanes have moved meanwhile.
    pub(crate) async fn while_running<T>(
        &self,
        part: Part,
        shares: &[Share],
        work: impl Future<Output = T>,
    ) -> T {
        match self.interval {
            Some(every) => watch(every, part, shares, work, |event| self.tell(&event)).await,
            None => work.await,
        }
    }
}

/// Runs `work`; `tell` learns at the end of each interval, and in the end of what remains, what each
/// direction's lanes have moved in it.
async fn watch<T>(
    every: Duration,
    part: Part,
    shares: &[Share],
    work: impl Future<Output = T>,
    mut tell: impl FnMut(Event<'static>),
) -> T {
    let begun = Instant::now();
    let mut ticks = interval_at(begun + every, every);
    // After a pause the next line covers it, whole: there is none for what nobody looked at.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen: Vec<_> = shares.iter().map(moved).collect();
    let mut since = begun;
    let mut look = |now: Instant, since: Instant| {
        for (share, seen) in shares.iter().zip(&mut seen) {
            let so_far = moved(share);
            let streams: Vec<_> =
                so_far.iter().zip(&*seen).map(|(now, before)| now - before).collect();
            *seen = so_far;
            let bytes = streams.iter().sum();
            tell(Event::Interval {
                section: share.phase,
                part,
                start: round((since - begun).as_secs_f64()),
                end: round((now - begun).as_secs_f64()),
                bytes,
                gbps: round(gbps(bytes, (now - since).as_secs_f64())),
                streams: if streams.len() > 1 { streams } else { Vec::new() },
            });
        }
    };
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => {
                let now = Instant::now();
                // What is left of a sliver says nothing about a rate.
                if now - since >= every / 10 {
                    look(now, since);
                }
                return done;
            }
            _ = ticks.tick() => {
                let now = Instant::now();
                look(now, since);
                since = now;
            }
        }
    }
}

/// Bytes by lane that count for a direction: what an upload has handed over, what a download has read.
fn moved(share: &Share) -> Vec<u64> {
    let of = |lane: &Lane| {
        let (sent, received) = lane.moved();
        if share.phase == Phase::Upload { sent } else { received }
    };
    share.lanes.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::BoxError;
    use crate::meter::Meter;
    use crate::node::Connection;
    use crate::plan::Amount;
    use crate::transfer::{Transfer, smallest_request};

    /// A megabyte a second, in both directions alike.
    struct Steady;

    impl Connection for Steady {
        async fn upload(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
            for _ in 0..bytes / 1000 {
                tokio::time::sleep(Duration::from_millis(1)).await;
                meter.sent(1000);
            }
            Ok(())
        }
        async fn download(&self, _: u64, _: &Meter) -> Result<(), BoxError> {
            Ok(())
        }
        async fn latency(&self, _: &Meter) -> Result<(), BoxError> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_interval_has_its_bytes_and_what_remains_is_told() {
        let amount = Amount::Bytes(2_500_000);
        let share = Share { phase: Phase::Upload, amount, lanes: vec![Lane::default()] };
        let transfer = Transfer {
            connection: &Steady,
            stall: Duration::from_secs(30),
            phase: Phase::Upload,
            lane: &share.lanes[0],
            smallest: smallest_request(1),
        };
        let part = Part { iteration: Some(2), iterations: 3, omitted: false };
        let mut told = Vec::new();
        let second = Duration::from_secs(1);
        let work = transfer.run(amount, None);
        watch(second, part, std::slice::from_ref(&share), work, |event| told.push(event))
            .await
            .unwrap();
        let seen: Vec<_> = told
            .iter()
            .map(|event| match event {
                Event::Interval { start, end, bytes, gbps, .. } => (*start, *end, *bytes, *gbps),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(seen.len(), 3, "{seen:?}");
        for ((start, end, bytes, gbps), (from, to)) in
            seen.iter().zip([(0.0, 1.0), (1.0, 2.0), (2.0, 2.5)])
        {
            let near = |value: f64, expected: f64| (value - expected).abs() < 0.005;
            assert!(near(*start, from) && near(*end, to), "{seen:?}");
            assert!((*bytes as f64 / 1e6 - (to - from)).abs() < 0.005, "{seen:?}");
            assert!((gbps - 0.008).abs() < 1e-4, "{seen:?}");
        }
        assert_eq!(seen.iter().map(|line| line.2).sum::<u64>(), 2_500_000);
        let text = told[2].text().unwrap();
        assert!(text.starts_with("upload 2/3 ") && text.ends_with("0.008 Gbps"), "{text}");
    }

    #[test]
    fn events_are_one_object_a_line() {
        let part = Part { iteration: None, iterations: 3, omitted: true };
        let event = Event::Interval {
            section: Phase::Download,
            part,
            start: 0.0,
            end: 1.0,
            bytes: 125_000_000,
            gbps: 1.0,
            streams: vec![],
        };
        let expected = r#"{"event":"interval","section":"download","iteration":null,"iterations":3,"omitted":true,"start":0.0,"end":1.0,"bytes":125000000,"gbps":1.0}"#;
        assert_eq!(serde_json::to_string(&event).unwrap(), expected);
        assert!(event.text().unwrap().ends_with("119 MiB      1.000 Gbps  (omitted)"));
    }

    #[test]
    fn sizes_have_three_digits() {
        let sizes = [0, 999, 1000, 1 << 20, 10_476_000, 1 << 30, 1 << 50].map(size);
        assert_eq!(
            sizes,
            ["0 B", "999 B", "0.98 KiB", "1.00 MiB", "9.99 MiB", "1.00 GiB", "1024 TiB"]
        );
    }
}
