//! A progress that adds up.

use std::cell::Cell;

use perf_protocol::Progress;

#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) opened: Cell<u64>,
    pub(crate) sent: Cell<u64>,
    pub(crate) received: Cell<u64>,
}

impl Tally {
    /// Openings, bytes sent, bytes received.
    pub(crate) fn totals(&self) -> (u64, u64, u64) {
        (self.opened.get(), self.sent.get(), self.received.get())
    }
}

impl Progress for Tally {
    fn opened(&self) {
        self.opened.set(self.opened.get() + 1);
    }

    fn sent(&self, bytes: u64) {
        assert_ne!(bytes, 0, "nothing is not progress");
        self.sent.set(self.sent.get() + bytes);
    }

    fn received(&self, bytes: u64) {
        assert_ne!(bytes, 0, "nothing is not progress");
        self.received.set(self.received.get() + bytes);
    }
}
