//! The rules of a perf server, one by one.

mod counts;
mod end;
mod header;
mod leaving;

use std::fmt;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::finding::{Broken, Verdict};
use super::target::Target;

/// One thing a perf server has to do.
pub struct Rule {
    /// Its name, for good.
    pub id: &'static str,
    /// What a server that keeps it does.
    pub expected: &'static str,
    pub(super) check: Check,
}

type Check = fn(Target) -> BoxFuture<'static, Result<Verdict, Broken>>;

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}

impl Rule {
    /// The rule of this name.
    pub fn named(id: &str) -> Option<&'static Self> {
        RULES.iter().find(|rule| rule.id == id)
    }
}

/// Every rule, in the order in which a node is held against them.
pub static RULES: [Rule; 12] = [
    Rule {
        id: "server-zero-bytes",
        expected: "0 bytes up, 0 asked for: the end of the stream, and nothing else",
        check: |target| counts::zero_bytes(target).boxed(),
    },
    Rule {
        id: "server-one-byte",
        expected: "1 byte either way, and both: exactly as many, then the end",
        check: |target| counts::one_byte(target).boxed(),
    },
    Rule {
        id: "server-exact-bytes",
        expected: "any counts up and down: exactly as many as asked for, then the end",
        check: |target| counts::exact_bytes(target).boxed(),
    },
    Rule {
        id: "server-split-header",
        expected: "a header that arrives byte by byte is read as one that arrives whole",
        check: |target| header::split(target).boxed(),
    },
    Rule {
        id: "server-header-with-fin",
        expected: "an end that comes with the header, or with the protocol's name as well, is seen",
        check: |target| header::with_fin(target).boxed(),
    },
    Rule {
        id: "server-answers-at-eof",
        expected: "nothing comes before the request has ended; the answer comes once it has",
        check: |target| end::answers_at_eof(target).boxed(),
    },
    Rule {
        id: "server-no-fin",
        expected: "a request that never ends is never answered, takes no other stream down, and is \
                   given up after PERF_STALL_SECS",
        check: |target| end::no_fin(target).boxed(),
    },
    Rule {
        id: "server-early-close",
        expected: "after a stream, and a connection, dropped within an upload the next is served",
        check: |target| leaving::early_close(target).boxed(),
    },
    Rule {
        id: "server-huge-request-then-reset",
        expected: "2^63 bytes are sent as they are read; after their stream is dropped the next is served",
        check: |target| leaving::huge_request_then_reset(target).boxed(),
    },
    Rule {
        id: "server-sequential-streams",
        expected: "100 streams, one after the other on one connection, are each served exactly",
        check: |target| counts::sequential_streams(target).boxed(),
    },
    Rule {
        id: "server-concurrent-streams",
        expected: "10 streams at once on one connection are each served exactly what they ask for",
        check: |target| counts::concurrent_streams(target).boxed(),
    },
    Rule {
        id: "server-short-header",
        expected: "a request that ends within the header is closed or reset, never answered; the \
                   next stream is served",
        check: |target| header::short(target).boxed(),
    },
];
