//! What is going on, on stderr: a bar on a terminal, plain lines elsewhere, JSON for programs.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use crate::phase::Phase;
use crate::report;
use crate::results::{Status, Summary, TestResult};

/// In which form progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For a terminal.
    Bar,
    /// For everything else.
    Lines,
    /// For programs: one JSON object a line.
    Json,
}

/// Shows how far a run has come.
#[derive(Debug)]
pub struct Progress {
    form: Form,
    bar: Option<ProgressBar>,
    total: usize,
    workers: usize,
    state: Mutex<State>,
}

/// What is known of the run so far.
#[derive(Debug, Default)]
struct State {
    begun: usize,
    done: usize,
    /// Tests that ran, and how long that took them all.
    measured: (u32, Duration),
    /// Tests that run, when each began, and what it was last heard of.
    running: Vec<(String, Instant, Option<Phase>)>,
}

/// Once a second: a bar must not take time from what is measured.
const TICK: Duration = Duration::from_secs(1);

impl Progress {
    /// Of `total` tests, `workers` at a time.
    pub fn new(form: Form, total: usize, workers: usize) -> Self {
        let bar = (form == Form::Bar).then(|| bar(total));
        Self { form, bar, total, workers: workers.max(1), state: Mutex::default() }
    }

    /// The run begins, in `folder`.
    pub fn run_begins(&self, run: &str, folder: &str) {
        self.event(
            || json!({"event": "run-start", "run": run, "folder": folder, "tests": self.total}),
        );
    }

    /// An implementation is made ready.
    pub fn prepares(&self, id: &str) {
        self.event(|| json!({"event": "prepare", "implementation": id}));
        self.say(|| format!("preparing {id}"));
    }

    /// A test begins.
    pub fn cell_begins(&self, test: &str) {
        let (number, eta) = {
            let mut state = self.state();
            state.begun += 1;
            state.running.push((test.to_owned(), Instant::now(), None));
            (state.begun, state.left(self.total, self.workers))
        };
        self.event(|| {
            json!({
                "event": "cell-start", "test": test, "number": number, "of": self.total,
                "etaSeconds": eta.map(|eta| eta.as_secs()),
            })
        });
        match self.form {
            Form::Lines => self.say(|| {
                let eta = eta.map(|eta| format!(" ({} left)", about(eta))).unwrap_or_default();
                format!("[{number}/{}] {test}{eta}", self.total)
            }),
            _ => self.refresh(),
        }
    }

    /// A test that runs has come to `phase`. Called as often as somebody looks.
    pub fn cell_phase(&self, test: &str, phase: Phase) {
        let before = {
            let mut state = self.state();
            let entry = state.running.iter_mut().find(|(name, ..)| name == test);
            match entry {
                Some((_, _, known)) if known.as_ref() != Some(&phase) => {
                    known.replace(phase.clone())
                }
                _ => return,
            }
        };
        self.event(|| {
            json!({
                "event": "cell-phase", "test": test, "phase": phase.phase,
                "iteration": phase.iteration, "iterations": phase.iterations, "sample": phase.sample,
            })
        });
        // Lines stay: one for each section is enough.
        match self.form {
            Form::Lines if before.is_none_or(|before| before.phase != phase.phase) => {
                self.say(|| format!("    {phase}"));
            }
            Form::Lines => {}
            _ => self.refresh(),
        }
    }

    /// A test is done.
    pub fn cell_ended(&self, result: &TestResult) {
        self.state().ended(result);
        self.event(|| {
            let mut event = json!({
                "event": "cell-end", "test": result.test, "status": result.status,
                "seconds": Duration::from(result.duration).as_secs_f64(),
            });
            if result.class.is_some() {
                event["class"] = json!(result.class);
                event["reason"] = json!(result.reason);
            }
            event
        });
        match (self.form, &self.bar) {
            (Form::Lines, _) if self.workers > 1 => {
                self.say(|| format!("    {}: {}", result.test, report::line(result)));
            }
            (Form::Lines, _) => self.say(|| format!("    {}", report::line(result))),
            (_, Some(bar)) => {
                bar.inc(1);
                bar.println(format!("{}: {}", result.test, report::line(result)));
                self.refresh();
            }
            (_, None) => {}
        }
    }

    /// The run has ended; `summary` is of all its tests.
    pub fn run_ended(&self, summary: &Summary, interrupted: bool) {
        self.event(|| json!({"event": "run-end", "summary": summary, "interrupted": interrupted}));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn event(&self, event: impl FnOnce() -> Value) {
        if self.form == Form::Json {
            eprintln!("{}", event());
        }
    }

    fn say(&self, line: impl FnOnce() -> String) {
        match (self.form, &self.bar) {
            (_, Some(bar)) => bar.set_message(line()),
            (Form::Lines, None) => eprintln!("{}", line()),
            (Form::Bar | Form::Json, None) => {}
        }
    }

    /// The bar's message: what runs, what each is at, and when all will be done.
    fn refresh(&self) {
        let Some(bar) = &self.bar else { return };
        let state = self.state();
        let running = state.running.iter().map(|(test, _, phase)| match phase {
            Some(phase) => format!("{test}, {phase}"),
            None => test.clone(),
        });
        let running = running.collect::<Vec<_>>().join("; ");
        let eta = state.left(self.total, self.workers);
        let eta = eta.map(|eta| format!("{} left, ", about(eta))).unwrap_or_default();
        bar.set_message(format!("{eta}{running}"));
    }
}

impl State {
    fn ended(&mut self, result: &TestResult) {
        self.done += 1;
        self.running.retain(|(test, ..)| *test != result.test);
        // What did not run says nothing of how long the others will take.
        if !matches!(result.status, Status::Unavailable | Status::NotRun) {
            let (count, time) = self.measured;
            self.measured = (count + 1, time + Duration::from(result.duration));
        }
    }

    /// How long the rest will take, at the pace so far.
    fn left(&self, total: usize, workers: usize) -> Option<Duration> {
        let (count, time) = self.measured;
        let each = time.checked_div(count)?;
        let left = u32::try_from(total.saturating_sub(self.done)).ok()?;
        let spent: Duration =
            self.running.iter().map(|(_, began, _)| began.elapsed().min(each)).sum();
        let workers = u32::try_from(workers).ok()?;
        (each * left).saturating_sub(spent).checked_div(workers)
    }
}

/// `about 40 s`, `about 5 min`: an estimate, and not more exact than one.
fn about(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..90 => format!("about {seconds} s"),
        seconds => format!("about {} min", seconds.div_ceil(60)),
    }
}

fn bar(total: usize) -> ProgressBar {
    let length = u64::try_from(total).unwrap_or(u64::MAX);
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr_with_hz(2));
    // Without colours there is nothing for NO_COLOR to take away.
    if let Ok(style) = ProgressStyle::with_template("{pos}/{len} [{bar:20}] {elapsed} {wide_msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.enable_steady_tick(TICK);
    bar
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn what_is_left_is_told_at_the_pace_of_what_ran() {
        let mut state = State::default();
        assert_eq!(state.left(10, 1), None);
        let mut result = sample::results().tests.remove(0);
        result.duration = Duration::from_secs(30).into();
        state.ended(&result);
        result.duration = Duration::from_secs(50).into();
        state.ended(&result);
        result.status = Status::Unavailable;
        result.duration = Duration::ZERO.into();
        state.ended(&result);
        assert_eq!(state.left(10, 1), Some(Duration::from_secs(280)));
        assert_eq!(state.left(10, 2), Some(Duration::from_secs(140)));
        assert_eq!(about(Duration::from_secs(280)), "about 5 min");
        assert_eq!(about(Duration::from_secs(89)), "about 89 s");
    }
}
