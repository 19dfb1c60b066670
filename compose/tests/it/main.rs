//! The real binary against fake nodes, with real processes.

mod bench;
mod command_line;
mod runs;
