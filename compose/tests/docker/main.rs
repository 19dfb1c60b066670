//! The real binary with a real Docker engine. `make test-docker` runs these, one at a time.

// Helpers are not test functions, where clippy.toml allows these.
#![allow(clippy::unwrap_used)]

mod bench;
mod drop_in;
mod fakes;
mod image;
mod leftovers;
mod legacy;
mod matrix;
mod snapshot;
