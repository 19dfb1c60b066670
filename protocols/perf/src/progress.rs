//! How a caller counts bytes as they move.

/// Told of an exchange as it goes on, from within [`request`](crate::request) and
/// [`serve`](crate::serve).
///
/// Called once per read and write, so an implementation should cost an atomic addition, not a lock.
/// Bytes are payload: the header is not counted.
pub trait Progress {
    /// The exchange begins, on a stream that is open. Called once, before the first byte.
    fn opened(&self) {}

    /// A server has read the header, which asks for `bytes`.
    fn asked(&self, _bytes: u64) {}

    /// A server has read the request to its end.
    fn ended(&self) {}

    /// A write has handed over `bytes` (never 0) more bytes to the stream. The peer may not have
    /// them yet.
    fn sent(&self, bytes: u64);

    /// A read has taken `bytes` (never 0) more bytes from the stream.
    fn received(&self, bytes: u64);
}

/// Counts nothing.
impl Progress for () {
    fn sent(&self, _bytes: u64) {}

    fn received(&self, _bytes: u64) {}
}

impl<P: Progress + ?Sized> Progress for &P {
    fn opened(&self) {
        P::opened(self);
    }

    fn asked(&self, bytes: u64) {
        P::asked(self, bytes);
    }

    fn ended(&self) {
        P::ended(self);
    }

    fn sent(&self, bytes: u64) {
        P::sent(self, bytes);
    }

    fn received(&self, bytes: u64) {
        P::received(self, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[derive(Default)]
    struct Log(RefCell<Vec<(&'static str, u64)>>);

    impl Progress for Log {
        fn opened(&self) {
            self.0.borrow_mut().push(("opened", 0));
        }

        fn asked(&self, bytes: u64) {
            self.0.borrow_mut().push(("asked", bytes));
        }

        fn ended(&self) {
            self.0.borrow_mut().push(("ended", 0));
        }

        fn sent(&self, bytes: u64) {
            self.0.borrow_mut().push(("sent", bytes));
        }

        fn received(&self, bytes: u64) {
            self.0.borrow_mut().push(("received", bytes));
        }
    }

    fn report(progress: impl Progress) {
        progress.opened();
        progress.asked(3);
        progress.ended();
        progress.sent(1);
        progress.received(2);
    }

    #[test]
    fn a_reference_forwards_everything() {
        let log = Log::default();
        let object: &dyn Progress = &log;
        report(object);
        let told = [("opened", 0), ("asked", 3), ("ended", 0), ("sent", 1), ("received", 2)];
        assert_eq!(*log.0.borrow(), told);
    }
}
