//! js-libp2p 3 in a headless Firefox, which dials us: the page of the JavaScript node, without that node.

use std::time::Duration;

use crate::support::{Launch, Listening, Served, stack};
use crate::{LARGE, LARGE_PLAN, assert_served, browser_node, implementation};

const BROWSER_LIMIT: Duration = Duration::from_secs(180);

#[tokio::test]
#[ignore = "make full: a browser, and a page that npm builds"]
async fn dials_us() {
    let page = browser_node().with_file_name("page.js");
    let ours = Listening::start(&stack("webtransport"), &["--debug"]).await;
    let script = implementation("js/v3.x/test/in-firefox.mjs");
    let (script, page) = (script.to_str().unwrap(), page.to_str().unwrap());
    let driver = Launch::new("node").args([script, page, &ours.address, &LARGE.to_string()]);
    let ended = driver.spawn().ended_within(BROWSER_LIMIT).await;
    ended.assert_status(0);
    assert!(ended.stdout.contains("Firefox/"), "{}", ended.everything());
    assert_served(ours.process, Served::plan(LARGE_PLAN, LARGE)).await;
}
