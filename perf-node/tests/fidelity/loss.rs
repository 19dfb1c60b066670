//! With one datagram in a hundred lost either way, QUIC finishes, and the counts are exact.

use std::time::Duration;

use harness_sdk::Stack;
use nix::sys::signal::Signal;

use super::alone;
use super::latency::{parse, with_port};
use super::relay::{Loss, Relay};
use super::support::{self, Listening, Served, all_stacks, is_over_tcp, served};

const SHARE: f64 = 0.01;
const SEED: u64 = 0x7065_7266;
const BYTES: u64 = 2_000_003;
const TRANSFERS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn quic_finishes_with_exact_counts_under_loss() {
    let _alone = alone().await;
    for stack in all_stacks().filter(|stack| !is_over_tcp(stack)) {
        finishes(&stack).await;
    }
}

async fn finishes(stack: &Stack) {
    let listener = Listening::start(stack, &["--debug"]).await;
    let (address, target) = parse(&listener.address);
    let relay = Relay::udp(target, Duration::ZERO, Loss::new(SHARE, SEED));
    let through = with_port(&address, relay.addr.port()).to_string();

    let sections = [TRANSFERS, TRANSFERS, 100];
    let ended = support::dial(stack, &through).measuring(sections, BYTES).run().await;
    let document = ended.measured(sections);
    println!("{stack}: {:?}, {:?}", relay.counts(), document.upload.unwrap().samples);

    let counts = relay.counts();
    let share = counts.lost as f64 / (counts.lost + counts.passed + counts.overflowed) as f64;
    assert!(
        (SHARE / 2.0..SHARE * 2.0).contains(&share),
        "{stack}: {share} of all were lost: {counts:?}"
    );
    let counted = served(&listener.process.stop(Signal::SIGTERM).await);
    assert_eq!(counted, Served::plan(sections, BYTES), "{stack}");
}
