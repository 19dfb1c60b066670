//! perf-node: measures libp2p's perf protocol for real.

use std::process::ExitCode;
use std::sync::Arc;

use harness_sdk::{Format, Node, Outcome, Settings, dial_by_hand, exit, listen_by_hand, panics};
use perf_node::cli::{self, Invocation, Refused};
use perf_node::{PerfNode, by_hand, probe, runtime};

fn main() -> ExitCode {
    panics::remember();
    let mut node = PerfNode { environment: runtime::environment(), ..PerfNode::default() };
    let settings = Settings::from_env().with_variables(node.variables());
    match cli::invocation(std::env::args_os(), settings, &mut node) {
        Ok(invocation) => run(node, invocation),
        Err(Refused::Arguments(error)) => cli::explain(&error),
        Err(Refused::Setting { role, format, invalid }) => {
            exit(&Outcome::refused(&node, role, invalid.into()), format)
        }
    }
}

fn run(node: PerfNode, invocation: Invocation) -> ExitCode {
    let runtime = match runtime::build() {
        Ok(runtime) => runtime,
        Err(failure) => return exit(&Outcome::from_result(Err(failure)), Format::Yaml),
    };
    let format = invocation.format();
    let outcome = runtime.block_on(perform(node, invocation));
    let code = exit(&outcome, format);
    runtime.shutdown_background();
    code
}

async fn perform(node: PerfNode, invocation: Invocation) -> Outcome {
    match invocation {
        Invocation::Contract(config) => harness_sdk::run(Arc::new(node), config).await,
        Invocation::Dial { config, address, .. } => {
            dial_by_hand(Arc::new(node), config, address).await
        }
        Invocation::Listen { config, limits } => {
            let (stack, cipher) = (config.stack, node.cipher);
            let hint = move |address: &str| by_hand::dial_hint(&stack, cipher, address);
            listen_by_hand(Arc::new(PerfNode { limits, ..node }), config, hint).await
        }
        Invocation::ProbeServer { config, address, rules, stall } => {
            probe::server::run(config, address, rules, stall).await
        }
        Invocation::ProbeClient { config, conduct } => probe::client::run(config, conduct).await,
        Invocation::Tool(tool) => Outcome::from_result(tool.run()),
    }
}
