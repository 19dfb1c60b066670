//! What is going on, on stderr: a bar on a terminal, plain lines elsewhere.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report;
use crate::results::TestResult;

/// Shows how far a run has come.
#[derive(Debug)]
pub struct Progress {
    total: usize,
    done: AtomicUsize,
    bar: Option<ProgressBar>,
}

/// Once a second: a bar must not take time from what is measured.
const TICK: Duration = Duration::from_secs(1);

impl Progress {
    /// For a terminal.
    pub fn bar(total: usize) -> Self {
        let length = u64::try_from(total).unwrap_or(u64::MAX);
        let bar =
            ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr_with_hz(2));
        // Without colours there is nothing for NO_COLOR to take away.
        let style =
            ProgressStyle::with_template("{pos}/{len} [{bar:20}] {elapsed} eta {eta} {wide_msg}");
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(TICK);
        Self { total, done: AtomicUsize::new(0), bar: Some(bar) }
    }

    /// For everything else: two lines a test.
    pub fn lines(total: usize) -> Self {
        Self { total, done: AtomicUsize::new(0), bar: None }
    }

    /// An implementation is made ready.
    pub fn prepares(&self, id: &str) {
        self.say(format!("preparing {id}"));
    }

    /// A test begins.
    pub fn cell_begins(&self, test: &str) {
        let number = self.done.load(Ordering::Relaxed) + 1;
        match &self.bar {
            Some(_) => self.say(test.to_owned()),
            None => self.say(format!("[{number}/{}] {test}", self.total)),
        }
    }

    /// A test is done.
    pub fn cell_ended(&self, result: &TestResult) {
        self.done.fetch_add(1, Ordering::Relaxed);
        let line = report::line(result);
        match &self.bar {
            Some(bar) => {
                bar.inc(1);
                bar.println(format!("{}: {line}", result.test));
            }
            None => self.say(format!("    {line}")),
        }
    }

    fn say(&self, line: String) {
        match &self.bar {
            Some(bar) => bar.set_message(line),
            None => eprintln!("{line}"),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
