//! perf-compose.
fn main() {}
