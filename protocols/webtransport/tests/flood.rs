//! Ten thousand dialers from one address that go no further than to connect. They are in a process of their own, so
//! that what the listener holds of them can be looked at.

// Where /proc says what a process holds.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::future::join_all;
use support::raw::RawDialer;
use support::{Driven, IP4, Node, PATIENCE, exchange, resident};

/// What tells the other process where to dial.
const ADDRESS: &str = "FLOODED_ADDRESS";

/// The other process, which ends with this.
struct Flooder(Child);

impl Drop for Flooder {
    fn drop(&mut self) {
        // An error means that it has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn ten_thousand_half_open_sessions_from_one_address() {
    let mut listener = Node::new(1);
    let address = listener.listen(IP4).await;
    let _listener = listener.echo();
    let other = Node::new(2);
    let serve = async |seed| {
        let (_, connection) = other.dial(&address).await.unwrap();
        exchange(Driven::new(connection).open().await, seed, 1_000).await;
    };
    for seed in 0..50 {
        serve(seed).await;
    }
    let before = resident();
    let flooder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "flooder", "--ignored", "--nocapture"])
        .env(ADDRESS, address.to_string())
        .stdin(Stdio::null())
        .spawn();
    let mut flooder = Flooder(flooder.unwrap());
    let (mut served, mut peak, begun) = (0, before, Instant::now());
    let status = loop {
        if let Some(status) = flooder.0.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < 2 * PATIENCE, "it takes too long");
        serve(served).await;
        served += 1;
        peak = peak.max(resident());
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(status.success(), "{status}");
    assert!(served > 5, "{served} others were served meanwhile");
    let grown = peak - before;
    println!("{grown} bytes more than the {before} before; {served} others were served");
    assert!(grown < 16 << 20, "{grown} bytes more than the {before} before");
}

/// No test: the other process of the one above.
#[tokio::test]
#[ignore = "started by the other"]
async fn flooder() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    let address = address.parse().unwrap();
    let socket = RawDialer::endpoint("127.0.0.2");
    let mut half_open: Vec<RawDialer> = Vec::new();
    let (mut refused, mut most) = (0, 0);
    // Few enough at once for the sockets' buffers: what overflows them comes again after a second.
    for _ in 0..1_000 {
        let dials = (0..10).map(|_| RawDialer::dial_with(&socket, &address));
        for dialed in join_all(dials).await {
            match dialed {
                Ok(dialer) => half_open.push(dialer),
                Err(_) => refused += 1,
            }
        }
        half_open.retain(|dialer| dialer.quic.close_reason().is_none());
        most = most.max(half_open.len());
    }
    // As many as the default has places for, and a few that are being closed.
    assert!((32..128).contains(&most), "{most} at once, and {refused} refused");
    assert!(refused > 9_000, "{refused} refused");
}
