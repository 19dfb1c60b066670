//! What the tests of real node processes stand on. perf-node's tests take this folder in by path.

#![allow(dead_code, unused_imports, unused_macros, reason = "each test binary uses its own part")]

pub(crate) mod backend;
pub(crate) mod ended;
pub(crate) mod process;

pub(crate) use backend::{Backend, Reserved, Store, on_both_backends};
pub(crate) use ended::{Ended, NONE, Sections};
pub(crate) use process::{Launch, Process};

use std::time::Duration;

/// For anything that should take a moment: only what hangs reaches it.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
