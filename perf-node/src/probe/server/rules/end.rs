//! The end of a request: nothing before it, and what if it never comes.

use std::time::{Duration, Instant};

use futures::AsyncWriteExt;
use libp2p::Stream;
use perf_protocol::block;
use tokio::time::timeout;

use crate::probe::server::finding::{Broken, Verdict};
use crate::probe::server::target::{Heard, Link, Target, answered, beside_exchanges, drain, heard};

const ASKED: u64 = 1000;

/// For an answer that should not come.
const QUIET: Duration = Duration::from_millis(500);

/// Longer stalls are not waited for: they do not fit into a rule's time.
const LONGEST_STALL: Duration = Duration::from_secs(6);

/// What a node may take beyond the stall it was told: a tenth, and what a busy machine takes.
fn with_margin(stall: Duration) -> Duration {
    stall.mul_f64(1.1) + Duration::from_millis(1500)
}

pub(super) async fn answers_at_eof(target: Target) -> Result<Verdict, Broken> {
    let link = target.connect().await?;
    for upload in [0, 100, 70_000] {
        let what = format!("{upload} bytes into the upload");
        let mut stream = link.ask(ASKED).await?;
        link.note(format!("sending, {what}"));
        stream.write_all(&block()[..upload]).await?;
        stream.flush().await?;
        match heard(&mut stream, QUIET).await {
            None => {}
            Some(Heard::Byte) => return Err(format!("answered {what}, before its end").into()),
            Some(Heard::End) => return Err(format!("ended its side {what}").into()),
            Some(Heard::Reset) => return Err(format!("reset the stream {what}").into()),
        }
        link.note(format!("waiting for the answer to a request that has ended, {what}"));
        stream.write_all(&block()[..30]).await?;
        stream.flush().await?;
        stream.close().await?;
        answered(&mut stream, ASKED).await.map_err(|broken| format!("{what}: {broken}"))?;
    }
    Ok(Verdict::pass("silent until the end, then answered exactly"))
}

pub(super) async fn no_fin(target: Target) -> Result<Verdict, Broken> {
    let link = target.connect().await?;
    let mut stream = link.ask(ASKED).await?;
    stream.write_all(&block()[..100]).await?;
    stream.flush().await?;
    let since = Instant::now();
    let early = heard(&mut stream, QUIET).await.map(|heard| (heard, since.elapsed()));
    if let Some((Heard::Byte, _)) = early {
        return Err("answered a request that had not ended".to_owned().into());
    }
    link.exchange(1000, 1000).await.map_err(beside)?;
    match (early, target.stall) {
        (Some((_, after)), stall) => Ok(given_up(stall, after)),
        (None, Some(stall)) if stall <= LONGEST_STALL => {
            until_given_up(&link, &mut stream, stall, since).await
        }
        (None, _) => Ok(Verdict::pass(
            "not answered; another stream was served; when it is given up was not waited for: \
             --stall-secs of up to 6 says when it should be",
        )),
    }
}

fn beside(broken: Broken) -> Broken {
    format!("beside a request that has not ended: {broken}").into()
}

/// Waits for the end of a stream that last moved at `since`, for as long as that may take.
async fn until_given_up(
    link: &Link,
    stream: &mut Stream,
    stall: Duration,
    since: Instant,
) -> Result<Verdict, Broken> {
    let limit = with_margin(stall).saturating_sub(since.elapsed());
    match timeout(limit, beside_exchanges(link, drain(stream))).await {
        Ok(drained) => match drained.map_err(beside)? {
            0 => Ok(given_up(Some(stall), since.elapsed())),
            _ => Err("answered a request that had not ended".to_owned().into()),
        },
        Err(_) => Ok(Verdict::warning(format!(
            "not answered; another stream was served; but not given up after {:.1} s, where \
             PERF_STALL_SECS is {}",
            since.elapsed().as_secs_f64(),
            stall.as_secs_f64()
        ))),
    }
}

/// The stream ended without an answer, `after` it had last moved.
fn given_up(stall: Option<Duration>, after: Duration) -> Verdict {
    let seconds = after.as_secs_f64();
    match stall {
        Some(stall) if after >= stall.mul_f64(0.8) => {
            Verdict::pass(format!("not answered; given up after {seconds:.1} s"))
        }
        _ => Verdict::warning(format!(
            "not answered, but given up after {seconds:.1} s already: a slow upload would be as well"
        )),
    }
}
