//! Thousands of connections to one listener, one after the other.

use std::time::Duration;

use harness_sdk::Stack;
use perf_protocol::ReadBuffer;
use tokio::time::{Instant, sleep, timeout};

use super::slope::growth;
use super::support::{Dialer, LIMIT, Listening};
use super::usage::Usage;
use super::{Form, TURN, each_of, stacks};

/// What a heap may have grown by, in bytes, over the second half, and be called flat: what `one_connection.rs` allows,
/// and, because QUIC keeps a connection's state for three probe time-outs beyond its end (RFC 9000, 10.2), some of those.
/// By ten thousand connections it is 200 bytes each.
const FLAT: f64 = 1024.0 * 1024.0;

/// How long a listener may take to see that the last one is gone.
const NOTICES: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_connections_leave_nothing_behind() {
    let _turn = TURN.lock().await;
    let form = Form::chosen();
    let wrong = each_of(stacks(), form, |stack| async move { soak(&stack, form).await }).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn soak(stack: &Stack, form: Form) -> Result<(), String> {
    let listener = Listening::start(stack, &[]).await;
    let usage = || Usage::of(listener.process.pid()).unwrap();
    let before = usage().descriptors;
    let (mut memory, mut most) = (Vec::new(), before);
    for connection in 0..form.connections {
        exchange(stack, &listener.address).await;
        let now = usage();
        memory.push((connection as f64, now.rss));
        most = most.max(now.descriptors);
    }
    let deadline = Instant::now() + NOTICES;
    while usage().descriptors > before && Instant::now() < deadline {
        sleep(Duration::from_millis(50)).await;
    }
    let (grown, after) = (growth(&memory), usage());
    let told = format!(
        "{stack}: {} connections; listener: {:.2} MB, {:+.0} kB over the second half ({:.0} kB allowed), descriptors {before} \
         before, {most} at most, {} after",
        form.connections,
        after.rss / 1e6,
        grown / 1e3,
        FLAT / 1e3,
        after.descriptors
    );
    println!("{told}");
    match grown <= FLAT && after.descriptors == before {
        true => Ok(()),
        false => Err(told),
    }
}

/// One connection, and one exchange of a byte each way on it.
async fn exchange(stack: &Stack, address: &str) {
    let dialer = Dialer::connect(stack, address).await;
    let stream = dialer.open().await;
    let mut buffer = ReadBuffer::new();
    let exchanged = perf_protocol::request(stream, 1, 1, &(), &mut buffer);
    timeout(LIMIT, exchanged).await.unwrap().unwrap();
}
