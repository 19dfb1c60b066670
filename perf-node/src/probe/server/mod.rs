//! A dialer that holds a listening node against the rules of the perf protocol.

mod finding;
mod rules;
mod target;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use harness_sdk::{Class, Config, Failure, Outcome, Phase, work_by_hand};
use tokio::time::{sleep, timeout};

pub use rules::{RULES, Rule};

use self::finding::{Broken, Finding, Verdict, to_yaml};
use self::target::Target;
use crate::node::PerfNode;
use crate::stacks;

/// For one rule, whatever the node does.
const RULE_LIMIT: Duration = Duration::from_secs(10);

/// Before a connection that was refused is tried again: js-libp2p takes five a second of one host.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// Judges the node at `address` by `rules`, and prints one finding each. A failure is that it could not
/// be judged. `stall`: after how long without a byte the node was told to give a stream up.
pub async fn run(
    config: Config,
    address: String,
    rules: Vec<&'static Rule>,
    stall: Option<Duration>,
) -> Outcome {
    let target = Target::new(config.clone(), address, stall);
    let node = Arc::new(PerfNode::default());
    work_by_hand(node, config, async move {
        speaks(&target.config)?;
        reach(&target).await?;
        let mut findings = Vec::new();
        for rule in rules {
            let verdict = judge(rule, &target).await;
            tracing::debug!("{}: {verdict:?}", rule.id);
            findings.push(Finding { rule: rule.id, expected: rule.expected, verdict });
        }
        super::print(&to_yaml(&findings))
    })
    .await
}

/// The rules are about streams: the node's own baselines are not for them.
fn speaks(config: &Config) -> Result<(), Failure> {
    stacks::supported(&config.stack).map_err(|reason| {
        let message = format!("the probe does not speak ({}): {reason}", config.stack);
        Failure::new(Class::Unsupported, Phase::Configuration, message)
    })
}

/// Whether there is a node that speaks perf on the stack: else no rule says anything about it.
async fn reach(target: &Target) -> Result<(), Failure> {
    let reaching = async {
        let link = patiently(|| target.connect()).await?;
        link.open().await.map(drop)
    };
    let message = match timeout(RULE_LIMIT, reaching).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(broken)) => broken.to_string(),
        Err(_) => format!("{}: nothing for {} s", target.doing(), RULE_LIMIT.as_secs()),
    };
    Err(Failure::new(Class::Connect, Phase::Dial, message))
}

async fn judge(rule: &Rule, target: &Target) -> Verdict {
    match timeout(RULE_LIMIT, patiently(|| (rule.check)(target.clone()))).await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(broken)) => Verdict::fail(broken.to_string()),
        Err(_) => {
            let seconds = RULE_LIMIT.as_secs();
            Verdict::fail(format!("not over after {seconds} s, then still {}", target.doing()))
        }
    }
}

/// Makes a second attempt where the first got no connection.
async fn patiently<T, F>(attempt: impl Fn() -> F) -> Result<T, Broken>
where
    F: Future<Output = Result<T, Broken>>,
{
    match attempt().await {
        Err(Broken::Unconnected(reason)) => {
            tracing::debug!("trying again: {reason}");
            sleep(REFUSED_PAUSE).await;
            attempt().await
        }
        judged => judged,
    }
}
