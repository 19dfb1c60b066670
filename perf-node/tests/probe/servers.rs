//! Our own node under the probe's rules, and what there is nothing to judge about.

use harness_sdk::Class;
use nix::sys::signal::Signal;
use perf_node::probe::server::RULES;

use crate::findings::{Outcome, finding, findings};
use crate::support::{Listening, Peer, Reserved, dial, each_libp2p_stack, probe_server, stack};

#[tokio::test]
async fn our_own_node_keeps_every_rule_on_every_stack() {
    // Less, and a busy machine makes a slow stream a stalled one.
    let stall = ["--stall-secs", "4"];
    each_libp2p_stack(async |stack| {
        let listening = Listening::start(&stack, &stall).await;
        let launch = probe_server(&stack, &listening.address).args(stall);
        let findings = findings(&launch.run().await);
        let rules: Vec<_> = findings.iter().map(|finding| finding.rule.as_str()).collect();
        assert_eq!(rules, RULES.iter().map(|rule| rule.id).collect::<Vec<_>>());
        for finding in findings {
            assert_eq!(finding.outcome, Outcome::Pass, "{stack}: {finding:?}");
        }
        let good = dial(&stack, &listening.address).measuring([1, 1, 5], 100_000);
        good.run().await.measured([1, 1, 5]);
        listening.process.stop(Signal::SIGTERM).await;
    })
    .await;
}

#[tokio::test]
async fn a_stall_is_not_waited_for_where_it_is_not_known_or_long() {
    let stack = stack("tcp noise yamux");
    let listening = Listening::start(&stack, &[]).await;
    for flags in [&[][..], &["--stall-secs", "30"]] {
        let finding = finding(&stack, &listening.address, "server-no-fin", flags).await;
        assert_eq!(finding.outcome, Outcome::Pass, "{finding:?}");
        assert!(finding.seen.contains("was not waited for"), "{finding:?}");
    }
}

#[tokio::test]
async fn without_a_node_that_speaks_perf_there_is_nothing_to_judge() {
    each_libp2p_stack(async |stack| {
        let peer = Peer::without_perf(&stack).await;
        let ended = probe_server(&stack, &peer.address).run().await;
        let message = ended.failed_silently(Class::Connect);
        assert!(message.contains("does not speak /perf/1.0.0"), "{message}");
    })
    .await;
    let reserved = Reserved::port();
    let nobody = format!("/ip4/127.0.0.1/tcp/{}", reserved.addr.port());
    let ended = probe_server(&stack("tcp noise yamux"), &nobody).run().await;
    let message = ended.failed_silently(Class::Connect);
    assert!(message.contains(&nobody) && message.contains("refused"), "{message}");
    // Once, after a second: a node may limit how many connections it takes.
    assert!(ended.lived.as_secs_f64() > 1.0, "{:?}", ended.lived);
}
