//! Security and muxers that the other side does not offer.

use futures::future::join_all;
use harness_sdk::{Class, Phase};
use nix::sys::signal::Signal;

use crate::support::{Listening, NONE, dial, stack};

#[tokio::test]
async fn a_mismatch_says_what_was_offered_and_the_listener_goes_on() {
    // The listener's stack, the dialer's, and what the dialer offered.
    let cases = [
        ("tcp tls yamux", "tcp noise yamux", "/noise and /yamux/1.0.0 alone"),
        ("tcp noise yamux", "tcp tls yamux", "/tls/1.0.0 and /yamux/1.0.0 alone"),
        ("tcp tls mplex", "tcp noise mplex", "/noise and /mplex/6.7.0 alone"),
        ("tcp noise mplex", "tcp tls mplex", "/tls/1.0.0 and /mplex/6.7.0 alone"),
        ("tcp noise mplex", "tcp noise yamux", "/noise and /yamux/1.0.0 alone"),
        ("tcp noise yamux", "tcp noise mplex", "/noise and /mplex/6.7.0 alone"),
        ("tcp tls mplex", "tcp tls yamux", "/tls/1.0.0 and /yamux/1.0.0 alone"),
        ("tcp tls yamux", "tcp tls mplex", "/tls/1.0.0 and /mplex/6.7.0 alone"),
        ("tcp tls yamux", "tcp noise mplex", "/noise and /mplex/6.7.0 alone"),
    ];
    join_all(cases.map(async |(listens, dials, offered)| {
        let (listens, dials) = (stack(listens), stack(dials));
        let listening = Listening::start(&listens, &[]).await;
        let ended = dial(&dials, &listening.address).measuring([1, 1, 1], 1000).run().await;
        let failure = ended.failed(Class::Connect, NONE);
        assert_eq!(failure.phase, Phase::Dial);
        assert!(failure.message.contains(&format!("offered {offered}")), "{failure:?}");

        let good = dial(&listens, &listening.address).measuring([1, 1, 1], 1000);
        good.run().await.measured([1, 1, 1]);
        listening.process.stop(Signal::SIGTERM).await;
    }))
    .await;
}
