//! `perf-compose`: parse, build one validated task, do it, map the outcome to a status.

use std::process::ExitCode;

use clap::Parser;
use perf_compose::chain::chain;
use perf_compose::command::{Error, execute};
use perf_compose::options::{Args, Surroundings};
use tracing_subscriber::filter::LevelFilter;

fn main() -> ExitCode {
    let args = Args::parse();
    let level = if args.debug() { LevelFilter::DEBUG } else { LevelFilter::WARN };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_max_level(level)
        .init();
    match run(args) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("error: {}", chain(&error));
            ExitCode::from(error.status())
        }
    }
}

fn run(args: Args) -> Result<u8, Error> {
    let task = args.task(&Surroundings::look())?;
    // One worker serves the coordinator and the signals, whatever the run itself is busy with.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(execute(task))
}
