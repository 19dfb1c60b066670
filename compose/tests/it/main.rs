//! The real binary against fake nodes, with real processes.

// Helpers are not test functions, where clippy.toml allows these.
#![allow(clippy::unwrap_used)]

mod bench;
mod check;
mod command_line;
mod continued;
mod fixture;
mod legacy;
mod page;
mod runs;
mod schema;
mod selection;
mod snapshot;
