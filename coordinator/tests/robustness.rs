//! Whatever is sent, the server stands, stays within its memory, and serves the next client.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::time::Duration;

use perf_coordinator::{Coordinator, Limits};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

mod support;
use support::{Raw, info, soon};

const MAX_MEMORY: usize = 100_000;

/// How far the whole test process may grow, in bytes: generous for the allocator and the test's own inputs, far below
/// what is announced in them.
const MAX_GROWTH: usize = 128 << 20;

/// Bytes of any kind; bytes that look like the protocol; and real commands with odd arguments.
fn any_input() -> impl Strategy<Value = Vec<u8>> {
    let command = prop::sample::select(vec![
        "SET", "GET", "SETEX", "SETNX", "DEL", "EXPIRE", "TTL", "TYPE", "RPUSH", "LPUSH", "LPOP",
        "RPOP", "BLPOP", "LINDEX", "LRANGE", "HELLO", "CLIENT", "INFO", "COMMAND", "SELECT",
        "ECHO",
    ]);
    let argument = prop_oneof![
        "[a-c]",
        "-?[0-9]{1,19}",
        "EX|PX|NX|KEEPTTL|SETNAME|ID|LIST|3",
        prop::collection::vec(Just('x'), 0..5000).prop_map(String::from_iter),
    ];
    let request =
        (command, prop::collection::vec(argument, 0..5)).prop_map(|(command, arguments)| {
            let words: Vec<&str> =
                std::iter::once(command).chain(arguments.iter().map(String::as_str)).collect();
            support::request(&words)
        });
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "[*$:+-]{1,3}(-?[0-9]{1,12})?\r\n".prop_map(String::into_bytes),
        request.clone(),
        request,
    ];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

/// Sends `input`, closes, and waits until the server has done the same.
async fn send_all(addr: SocketAddr, input: Vec<u8>) {
    let mut client = Raw::connect(addr).await;
    let (mut reader, mut writer) = client.0.split();
    let write = async {
        // The server may have closed on an error by now.
        let _ = writer.write_all(&input).await;
        let _ = writer.shutdown().await;
    };
    let mut sink = tokio::io::sink();
    let read = tokio::io::copy(&mut reader, &mut sink);
    let _ = soon("input", async { tokio::join!(write, read) }).await;
}

/// Of this process, in bytes; 0 where the system does not tell.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or_default() * 4096
}

#[test]
fn nothing_that_is_sent_harms_the_next_client() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let limits =
        Limits { max_memory: MAX_MEMORY, stall: Duration::from_secs(1), ..Limits::default() };
    let coordinator = runtime.block_on(Coordinator::start(limits)).unwrap();
    let addr = coordinator.addr();
    let before = resident();
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&any_input(), |input| {
        runtime.block_on(async {
            send_all(addr, input).await;
            let mut fresh = Raw::connect(addr).await;
            fresh.ask("PING", "+PONG\r\n").await;
            assert!(info(addr, "used_memory").await <= MAX_MEMORY);
        });
        Ok(())
    });
    outcome.unwrap();
    let growth = resident().saturating_sub(before);
    assert!(growth < MAX_GROWTH, "grew by {growth} bytes");
    runtime.block_on(async { timeout(support::STEP, coordinator.shutdown()).await }).unwrap();
}
