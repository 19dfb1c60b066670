//! The variables of a node under test: sound ones, to which a rule then does something.

use std::collections::BTreeMap;

use harness_sdk::config::{
    DEBUG, DOWNLOAD_BYTES, DOWNLOAD_ITERATIONS, DURATION, IS_DIALER, LATENCY_ITERATIONS,
    LISTENER_IP, MUXER, REDIS_ADDR, SECURE_CHANNEL, TEST_KEY, TRANSPORT, UPLOAD_BYTES,
    UPLOAD_ITERATIONS, Variable,
};
use harness_sdk::{Role, Stack};

use super::place::Place;

/// Variables by name.
#[derive(Clone, Debug)]
pub(super) struct Vars(pub(super) BTreeMap<String, String>);

/// What a dialer is asked to measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    /// Iterations, and bytes of each.
    pub(super) upload: (u64, u64),
    /// The same.
    pub(super) download: (u64, u64),
    /// Iterations.
    pub(super) latency: u64,
}

/// One byte each way: enough to see that a dialer measures.
pub(super) const LEAST: Work = Work { upload: (0, 1), download: (0, 1), latency: 1 };

impl Vars {
    /// As upstream's runner gives them: `DURATION` always.
    pub(super) fn of(role: Role, stack: &Stack, place: &Place, test_key: &str) -> Self {
        let mut vars = Self(BTreeMap::new())
            .with(&IS_DIALER, role == Role::Dialer)
            .with(&REDIS_ADDR, place.redis)
            .with(&TEST_KEY, test_key)
            .with(&TRANSPORT, stack.transport)
            .with(&LISTENER_IP, "0.0.0.0")
            .with(&DURATION, 20)
            .with(&DEBUG, false);
        if let Some(channel) = stack.secure_channel {
            vars = vars.with(&SECURE_CHANNEL, channel);
        }
        if let Some(muxer) = stack.muxer {
            vars = vars.with(&MUXER, muxer);
        }
        vars
    }

    pub(super) fn with(mut self, variable: &Variable, value: impl ToString) -> Self {
        self.0.insert(variable.name.to_owned(), value.to_string());
        self
    }

    pub(super) fn without(mut self, variable: &Variable) -> Self {
        self.0.remove(variable.name);
        self
    }

    pub(super) fn measuring(self, work: Work) -> Self {
        let Work { upload, download, latency } = work;
        self.with(&UPLOAD_ITERATIONS, upload.0)
            .with(&UPLOAD_BYTES, upload.1)
            .with(&DOWNLOAD_ITERATIONS, download.0)
            .with(&DOWNLOAD_BYTES, download.1)
            .with(&LATENCY_ITERATIONS, latency)
    }
}
