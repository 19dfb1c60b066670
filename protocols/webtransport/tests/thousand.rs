//! A thousand connections, one after the other. Alone in its process, whose memory is looked at.

// Where /proc says what a process holds.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use support::{Driven, IP4, Node, exchange, resident};

#[tokio::test]
async fn a_thousand_connections_and_no_more_memory() {
    let mut listener = Node::new(1).echo();
    let address = listener.listen(IP4).await;
    let dialer = Node::new(2);
    let mut before = 0;
    for seed in 0..1_200 {
        if seed == 200 {
            // What allocators and tables take once has been taken.
            before = resident();
        }
        let (_, connection) = dialer.dial(&address).await.unwrap();
        let mut connection = Driven::new(connection);
        exchange(connection.open().await, seed, 100).await;
        connection.close(0, "");
        connection.ended().await;
    }
    // A connection takes tens of kilobytes: a thousand that were not let go would take ten times as much.
    let grown = resident().saturating_sub(before);
    println!("{grown} bytes more than the {before} before");
    assert!(grown < 4 << 20, "{grown} bytes more than the {before} before");
}
