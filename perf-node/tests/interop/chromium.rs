//! js-libp2p 3 in a headless Chromium, which dials us.

use std::time::Duration;

use harness_sdk::Class;

use crate::support::{Backend, Launch, Listening, NONE, Served, stack};
use crate::{LARGE, LARGE_PLAN, assert_served, browser_node, foreign, our_listener};

/// A browser starts, and a busy machine's may take its time.
pub(crate) const BROWSER_LIMIT: Duration = Duration::from_secs(180);

/// The JavaScript node in contract mode.
pub(crate) fn page(redis: &str) -> Launch {
    foreign("node", true, redis).arg(browser_node().to_str().unwrap())
}

#[tokio::test]
#[ignore = "make test-interop: a browser, and a node that npm builds"]
async fn dials_us() {
    let store = Backend::Redis.start().await;
    let ours = our_listener(&store.addr());
    let page = page(&store.addr()).measuring(LARGE_PLAN, LARGE).spawn();
    page.ended_within(BROWSER_LIMIT).await.measured(LARGE_PLAN);
    assert_served(ours, Served::plan(LARGE_PLAN, LARGE)).await;
}

#[tokio::test]
#[ignore = "make test-interop: a browser, and a node that npm builds"]
async fn hears_that_we_do_not_speak_perf() {
    let store = Backend::Redis.start().await;
    let probe = Listening::probe(&stack("webtransport"), "no-perf", &[]).await;
    store.publish("listener_multiaddr", &probe.address).await;
    let page = page(&store.addr()).measuring([1, 0, 0], 1_000).spawn();
    let failure = page.ended_within(BROWSER_LIMIT).await.failed(Class::Connect, NONE);
    assert!(failure.message.contains("does not speak /perf/1.0.0"), "{failure:?}");
}
