//! perf-node.
fn main() {}
