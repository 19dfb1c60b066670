//! What a listener saw of its dialers.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use harness_sdk::document::significant;

/// Streams told of one by one.
const KEPT: usize = 1000;

/// Everything seen since the listener was made.
#[derive(Debug)]
pub(super) struct Observed {
    since: Instant,
    pub(super) connections: Arc<AtomicU64>,
    opened: AtomicU64,
    streams: Mutex<Vec<Arc<StreamSeen>>>,
}

/// One stream, as it goes on.
#[derive(Debug)]
pub struct StreamSeen {
    opened: Instant,
    ended: OnceLock<Instant>,
    asked: OnceLock<u64>,
    received: AtomicU64,
    sent: AtomicU64,
    half_closed: AtomicBool,
    reset: AtomicBool,
}

impl Default for StreamSeen {
    fn default() -> Self {
        Self {
            opened: Instant::now(),
            ended: OnceLock::new(),
            asked: OnceLock::new(),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            half_closed: AtomicBool::new(false),
            reset: AtomicBool::new(false),
        }
    }
}

impl StreamSeen {
    pub(super) fn asked(&self, bytes: u64) {
        let _ = self.asked.set(bytes);
    }

    pub(super) fn received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Relaxed);
    }

    pub(super) fn sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Relaxed);
    }

    pub(super) fn half_closed(&self) {
        self.half_closed.store(true, Relaxed);
    }

    pub(super) fn reset(&self) {
        self.reset.store(true, Relaxed);
    }

    pub(super) fn ended(&self) {
        let _ = self.ended.set(Instant::now());
    }

    /// Since it was opened, to its end or until now.
    fn lasted(&self) -> Duration {
        self.ended.get().map_or_else(|| self.opened.elapsed(), |end| *end - self.opened)
    }
}

impl Observed {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            connections: Arc::default(),
            opened: AtomicU64::new(0),
            streams: Mutex::default(),
        }
    }

    /// A stream has been opened.
    pub(super) fn stream(&self) -> Arc<StreamSeen> {
        self.opened.fetch_add(1, Relaxed);
        let seen = Arc::new(StreamSeen::default());
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if streams.len() < KEPT {
            streams.push(Arc::clone(&seen));
        }
        seen
    }

    /// The document.
    pub(super) fn to_yaml(&self) -> String {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = format!(
            "connections: {}\nopened: {}\n",
            self.connections.load(Relaxed),
            self.opened.load(Relaxed)
        );
        text.push_str(if streams.is_empty() { "streams: []\n" } else { "streams:\n" });
        for stream in streams.iter() {
            let asked = stream.asked.get().map_or_else(|| "null".to_owned(), u64::to_string);
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "  - {{asked: {asked}, received: {}, sent: {}, half_closed: {}, reset: {}, \
                 open_ms: {}, seconds: {}}}",
                stream.received.load(Relaxed),
                stream.sent.load(Relaxed),
                stream.half_closed.load(Relaxed),
                stream.reset.load(Relaxed),
                significant((stream.opened - self.since).as_secs_f64() * 1e3),
                significant(stream.lasted().as_secs_f64()),
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_streams_are_told_of_and_all_are_counted() {
        let observed = Observed::new();
        assert_eq!(observed.to_yaml(), "connections: 0\nopened: 0\nstreams: []\n");
        let first = observed.stream();
        first.asked(7);
        first.received(2);
        first.ended();
        for _ in 0..KEPT + 10 {
            observed.stream();
        }
        let read: serde_yaml::Value = serde_yaml::from_str(&observed.to_yaml()).unwrap();
        assert_eq!(read["opened"], KEPT as u64 + 11);
        assert_eq!(read["streams"].as_sequence().unwrap().len(), KEPT);
        assert_eq!(read["streams"][0]["asked"], 7);
        assert_eq!(read["streams"][0]["received"], 2);
        assert!(read["streams"][1]["asked"].is_null());
    }
}
