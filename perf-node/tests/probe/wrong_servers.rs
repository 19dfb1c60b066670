//! Servers that break one rule each: a rule that cannot fail says nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use futures::future::{join_all, pending};
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt};
use harness_sdk::Stack;
use libp2p::Stream;
use perf_protocol::{ReadBuffer, serve};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::findings::{Finding, Outcome, finding};
use crate::support::{Peer, stack};

/// Which of the five are tried: one with resets that tell, and one whose streams end on their own.
fn tried() -> [Stack; 2] {
    ["tcp noise yamux", "quic-v1"].map(stack)
}

/// Serves every stream with `answer`, and has the probe judge that by `rule`.
async fn judged<F>(
    stack: &Stack,
    rule: &str,
    flags: &[&str],
    answer: impl Fn(Stream) -> F + Send + Sync + 'static,
) -> Finding
where
    F: Future<Output = ()> + Send + 'static,
{
    let peer = Peer::answering(stack, answer).await;
    let finding = finding(stack, &peer.address, rule, flags).await;
    println!("{stack}: {finding:?}");
    finding
}

/// The rule fails, and says why.
async fn fails<F>(
    rule: &str,
    seen: &str,
    answer: impl Fn(Stream) -> F + Clone + Send + Sync + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    for finding in join_all(tried().map(|stack| {
        let answer = answer.clone();
        async move { judged(&stack, rule, &[], answer).await }
    }))
    .await
    {
        assert_eq!(finding.outcome, Outcome::Fail, "{finding:?}");
        assert!(finding.seen.contains(seen), "{finding:?}");
    }
}

async fn well(stream: Stream) {
    // What goes wrong is the probe's to tell.
    let _ = serve(stream, &(), &mut ReadBuffer::new()).await;
}

/// What the header asks for.
async fn header(stream: &mut Stream) -> Option<u64> {
    let mut header = [0; 8];
    stream.read_exact(&mut header).await.ok()?;
    Some(u64::from_be_bytes(header))
}

/// Reads to the end: how many bytes came; `None`: the dialer is gone.
async fn to_the_end(stream: &mut Stream) -> Option<u64> {
    let (mut block, mut received) = (vec![0; 65_536], 0);
    loop {
        match stream.read(&mut block).await.ok()? {
            0 => return Some(received),
            read => received += read as u64,
        }
    }
}

/// Sends `bytes` and the end: whether that was taken.
async fn answer(mut stream: Stream, bytes: u64) -> bool {
    let block = [7; 16_384];
    let mut left = bytes;
    while left > 0 {
        let size = left.min(block.len() as u64) as usize;
        match stream.write(&block[..size]).await {
            Ok(written) => left -= written as u64,
            Err(_) => return false,
        }
    }
    stream.close().await.is_ok()
}

/// Reads a whole request, and answers with what `bytes` makes of the count asked for.
async fn answer_with(mut stream: Stream, bytes: fn(u64) -> u64) {
    let Some(asked) = header(&mut stream).await else { return };
    if to_the_end(&mut stream).await.is_some() {
        answer(stream, bytes(asked)).await;
    }
}

#[tokio::test]
async fn one_that_always_sends_something() {
    let at_least_one = |stream| answer_with(stream, |asked| asked.max(1));
    fails("server-zero-bytes", "more than the 0 bytes", at_least_one).await;
}

#[tokio::test]
async fn one_that_sends_a_byte_short() {
    let short = |stream| answer_with(stream, |asked| asked.saturating_sub(1));
    fails("server-one-byte", "after 0 of 1 bytes", short).await;
}

#[tokio::test]
async fn one_whose_counts_are_right_only_while_they_are_small() {
    let cut = |stream| answer_with(stream, |asked| asked & 0xffff);
    fails(
        "server-exact-bytes",
        "65535 bytes up, 65537 down: peer ended its answer after 1 of",
        cut,
    )
    .await;
}

#[tokio::test]
async fn one_that_takes_its_first_read_for_the_header() {
    let hasty = async |mut stream: Stream| {
        let mut first = [0; 8];
        // What has not come yet is taken for 0.
        if stream.read(&mut first).await.is_ok() && to_the_end(&mut stream).await.is_some() {
            answer(stream, u64::from_be_bytes(first)).await;
        }
    };
    let hasty = move |stream| hasty(stream).boxed();
    fails("server-split-header", "pieces end after bytes [1, 2", hasty).await;
}

/// As a js-libp2p server is that iterates its stream.
#[tokio::test]
async fn one_that_loses_an_end_that_comes_with_the_header() {
    let lost = async |mut stream: Stream| {
        let Some(asked) = header(&mut stream).await else { return };
        sleep(Duration::from_millis(20)).await;
        match stream.read(&mut [0]).now_or_never() {
            Some(Ok(0)) => pending().await,
            _ if to_the_end(&mut stream).await.is_none() => {}
            _ => drop(answer(stream, asked).await),
        }
    };
    let lost = move |stream| lost(stream).boxed();
    fails("server-header-with-fin", "waiting for the answer to header and end together", lost)
        .await;
}

#[tokio::test]
async fn one_that_answers_at_once() {
    let early = async |mut stream: Stream| {
        let Some(asked) = header(&mut stream).await else { return };
        answer(stream, asked).await;
    };
    let early = move |stream| early(stream).boxed();
    fails("server-answers-at-eof", "answered 0 bytes into the upload, before its end", early).await;
    fails("server-no-fin", "answered a request that had not ended", early).await;
}

#[tokio::test]
async fn one_that_ends_its_side_at_once() {
    let ended = async |mut stream: Stream| {
        let _ = header(&mut stream).await;
        let _ = stream.close().await;
        pending().await
    };
    let ended = move |stream| ended(stream).boxed();
    fails("server-answers-at-eof", "ended its side 0 bytes into the upload", ended).await;
}

#[tokio::test]
async fn one_that_ignores_the_end() {
    let deaf = async |mut stream: Stream| {
        let _ = to_the_end(&mut stream).await;
        pending().await
    };
    let deaf = move |stream| deaf(stream).boxed();
    fails(
        "server-answers-at-eof",
        "still waiting for the answer to a request that has ended",
        deaf,
    )
    .await;
}

#[tokio::test]
async fn one_that_takes_a_silence_for_the_end() {
    // Later than the first look of the rule: in its wait for the stall.
    let impatient = async |mut stream: Stream| {
        let Some(asked) = header(&mut stream).await else { return };
        let _ = timeout(Duration::from_millis(1500), to_the_end(&mut stream)).await;
        answer(stream, asked).await;
    };
    for stack in tried() {
        let impatient = move |stream| impatient(stream).boxed();
        let finding = judged(&stack, "server-no-fin", &["--stall-secs", "2"], impatient).await;
        assert_eq!(finding.outcome, Outcome::Fail, "{finding:?}");
        assert!(finding.seen.contains("had not ended"), "{finding:?}");
    }
}

#[tokio::test]
async fn one_that_gives_a_stalled_stream_up_too_late_or_too_soon() {
    let stack = stack("tcp noise yamux");
    let late = judged(&stack, "server-no-fin", &["--stall-secs", "0.5"], well).await;
    assert_eq!(late.outcome, Outcome::Warning, "{late:?}");
    assert!(late.seen.contains("not given up after"), "{late:?}");
    let soon = async |stream| {
        let _ = timeout(Duration::from_millis(100), well(stream)).await;
    };
    let soon = move |stream| soon(stream).boxed();
    let soon = judged(&stack, "server-no-fin", &["--stall-secs", "5"], soon).await;
    assert_eq!(soon.outcome, Outcome::Warning, "{soon:?}");
    assert!(soon.seen.contains("a slow upload would be as well"), "{soon:?}");
}

#[tokio::test]
async fn one_that_a_dialer_who_leaves_breaks() {
    // Over QUIC a stream that was dropped in an upload looks whole.
    let reset = ["tcp noise yamux", "tcp noise mplex"];
    let left = ["tcp noise yamux", "tcp noise mplex", "quic-v1"];
    let early = reset.map(|stack| ("server-early-close", stack)).into_iter();
    let huge = left.map(|stack| ("server-huge-request-then-reset", stack)).into_iter();
    join_all(early.chain(huge).map(async |(rule, name)| {
        // One stream is served at a time, and one that breaks off never gives its turn back.
        let turn = Arc::new(Semaphore::new(1));
        let fragile = move |mut stream| {
            let turn = Arc::clone(&turn);
            async move {
                let Some(asked) = header(&mut stream).await else { return };
                turn.acquire().await.unwrap().forget();
                if to_the_end(&mut stream).await.is_some() && answer(stream, asked).await {
                    turn.add_permits(1);
                }
            }
        };
        let finding = judged(&stack(name), rule, &[], fragile).await;
        assert_eq!(finding.outcome, Outcome::Fail, "{finding:?}");
        assert!(finding.seen.contains("not over after 10 s"), "{finding:?}");
    }))
    .await;
}

#[tokio::test]
async fn one_that_serves_fifty_streams() {
    let served = Arc::new(AtomicU64::new(0));
    let tired = move |stream| {
        let nth = served.fetch_add(1, SeqCst);
        async move { if nth < 50 { well(stream).await } else { drop(stream) } }
    };
    let stack = stack("tcp noise yamux");
    let finding = judged(&stack, "server-sequential-streams", &[], tired).await;
    assert_eq!(finding.outcome, Outcome::Fail, "{finding:?}");
    assert!(finding.seen.contains("of 100: "), "{finding:?}");
}

#[tokio::test]
async fn one_whose_streams_share_a_count() {
    let last_asked = Arc::new(AtomicU64::new(0));
    let mixed = move |mut stream| {
        let last_asked = Arc::clone(&last_asked);
        async move {
            let Some(asked) = header(&mut stream).await else { return };
            last_asked.store(asked, SeqCst);
            if to_the_end(&mut stream).await.is_some() {
                answer(stream, last_asked.load(SeqCst)).await;
            }
        }
    };
    fails("server-concurrent-streams", "of 10: ", mixed).await;
}

#[tokio::test]
async fn one_that_fills_a_short_header_up() {
    let filled = async |mut stream: Stream| {
        let (mut header, mut length) = ([0; 8], 0);
        while length < 8 {
            match stream.read(&mut header[length..]).await {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(_) => return,
            }
        }
        if to_the_end(&mut stream).await.is_some() {
            answer(stream, u64::from_be_bytes(header).min(2000)).await;
        }
    };
    let filled = move |stream| filled(stream).boxed();
    fails("server-short-header", "1 bytes of header: 2000 bytes of answer", filled).await;
}
