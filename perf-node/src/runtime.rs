//! The tokio runtime a stack is measured on.

use harness_sdk::{Class, Failure, Phase, Stack};
use tokio::runtime::{Builder, Runtime};

/// The runtime for `stack`.
pub fn build(stack: &Stack) -> Result<Runtime, Failure> {
    let _ = stack;
    let mut builder = match std::env::var("RT").as_deref() {
        Ok("1") => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.enable_all().build().map_err(|error| {
        let message = format!("cannot start the runtime: {error}");
        Failure::new(Class::Environment, Phase::Configuration, message)
    })
}
