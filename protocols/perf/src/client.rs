//! The asking side of an exchange.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{
    Error, Payload, Progress, ReadBuffer,
    codec::{HEADER_LEN, encode_header},
    write::poll_write,
};

/// Length of the first write, in bytes: the header and what fits behind it.
///
/// Enough for a latency probe to leave as one frame, and little enough for one packet under any
/// secure channel.
const FIRST_WRITE_LEN: usize = 1024;

/// Makes one request: asks for `download` bytes, uploads `upload` bytes, and reads the answer to
/// its end.
///
/// Returns once the server's end of stream has been read. For an upload that is the only receipt
/// there is: the server ends its side because it has read to the end of ours. `stream` may be a
/// `&mut` to one.
///
/// # Errors
///
/// - [`Error::ShortAnswer`], [`Error::LongAnswer`]: not exactly `download` bytes came back. A long
///   answer is noticed at the first read beyond, and not read on.
/// - [`Error::EarlyAnswer`], [`Error::EarlyEnd`]: the server did not wait for the end of the
///   request. Looked for whenever writing has to wait, and once before closing.
/// - [`Error::Reset`], [`Error::Io`]: the stream failed, at any point.
pub async fn request<S, P>(
    mut stream: S,
    upload: u64,
    download: u64,
    progress: &P,
    buffer: &mut ReadBuffer,
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
    P: Progress + ?Sized,
{
    progress.opened();
    let sent = send_request(&mut stream, upload, download, progress).await?;
    // Flushed apart from the close, not by it: FIN in the frame of the data, or of the header, is
    // misread by some (js-libp2p's yamux processes it before the data, its streams can miss an end
    // that comes with the header).
    watching(&mut stream, sent, |stream, cx| stream.poll_flush(cx)).await?;
    look_for_answer(&mut stream, sent).await?;
    // From here on an answer may be rightful: FIN can be out, and answered, before `close` returns.
    stream.close().await?;
    read_answer(&mut stream, download, progress, buffer).await
}

/// Sends header and upload. Returns the number of bytes uploaded.
async fn send_request<S, P>(
    stream: &mut S,
    upload: u64,
    download: u64,
    progress: &P,
) -> Result<u64, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
    P: Progress + ?Sized,
{
    let mut payload = Payload::new(upload);
    let with_header = send_header(stream, download, &payload).await?;
    if with_header > 0 {
        payload.advance(with_header);
        progress.sent(with_header as u64);
    }
    while !payload.is_done() {
        let chunk = payload.chunk();
        let written =
            watching(stream, payload.sent(), |stream, cx| poll_write(stream, cx, chunk)).await?;
        payload.advance(written);
        progress.sent(written as u64);
    }
    Ok(payload.sent())
}

/// Sends the header, in one write with the beginning of `payload`. Returns how much of that went
/// with it.
async fn send_header<S>(stream: &mut S, download: u64, payload: &Payload) -> Result<usize, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut first = [0; FIRST_WRITE_LEN];
    let (header, rest) = first.split_at_mut(HEADER_LEN);
    header.copy_from_slice(&encode_header(download));
    let with_header = payload.chunk().len().min(rest.len());
    rest[..with_header].copy_from_slice(&payload.chunk()[..with_header]);

    let first = &first[..HEADER_LEN + with_header];
    let mut written = 0;
    while written < HEADER_LEN {
        written +=
            watching(stream, 0, |stream, cx| poll_write(stream, cx, &first[written..])).await?;
    }
    Ok(written - HEADER_LEN)
}

/// Waits for `operation`, which writes or flushes, unless the server answers meanwhile. `sent` goes
/// into that error.
///
/// The reading side is looked at only where `operation` has to wait. That is free of cost on a
/// stream that takes what it is given, and still sound: what is overlooked here stays readable, and
/// [`look_for_answer`] finds it before we close. A server that answers and stops reading makes us
/// wait, so it cannot block the upload unnoticed.
async fn watching<S, T>(
    stream: &mut S,
    sent: u64,
    mut operation: impl FnMut(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
) -> Result<T, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    poll_fn(|cx| {
        if let Poll::Ready(done) = operation(Pin::new(stream), cx) {
            return Poll::Ready(done.map_err(Error::from));
        }
        let early = ready!(poll_answer(stream, sent, cx));
        // A muxer that reads a reset as an end (rust-yamux) still tells the writer the truth.
        if let Error::EarlyEnd { .. } = early
            && let Poll::Ready(Err(error)) = operation(Pin::new(stream), cx)
        {
            return Poll::Ready(Err(error.into()));
        }
        Poll::Ready(Err(early))
    })
    .await
}

/// Fails where the server has answered already; never waits.
async fn look_for_answer<S>(stream: &mut S, sent: u64) -> Result<(), Error>
where
    S: AsyncRead + Unpin,
{
    poll_fn(|cx| match poll_answer(stream, sent, cx) {
        Poll::Ready(early) => Poll::Ready(Err(early)),
        Poll::Pending => Poll::Ready(Ok(())),
    })
    .await
}

/// Polls for an answer, which can only be early, or for the failure of the stream.
fn poll_answer<S>(stream: &mut S, sent: u64, cx: &mut Context<'_>) -> Poll<Error>
where
    S: AsyncRead + Unpin,
{
    let mut byte = [0];
    Poll::Ready(match ready!(Pin::new(stream).poll_read(cx, &mut byte)) {
        Ok(0) => Error::EarlyEnd { sent },
        Ok(_) => Error::EarlyAnswer { sent },
        Err(error) => error.into(),
    })
}

/// Reads to the end, which has to come after exactly `expected` bytes.
async fn read_answer<S, P>(
    stream: &mut S,
    expected: u64,
    progress: &P,
    buffer: &mut ReadBuffer,
) -> Result<(), Error>
where
    S: AsyncRead + Unpin,
    P: Progress + ?Sized,
{
    let mut left = expected;
    loop {
        let read = stream.read(buffer.as_mut_slice()).await? as u64;
        if read == 0 {
            break;
        }
        progress.received(read);
        left = left.checked_sub(read).ok_or(Error::LongAnswer { expected })?;
    }
    if left > 0 {
        return Err(Error::ShortAnswer { expected, received: expected - left });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        WRITE_LEN, block,
        recorder::{Call, Recorder},
    };
    use futures::executor::block_on;

    fn run(stream: &mut Recorder, upload: u64) -> Result<(), Error> {
        block_on(request(stream, upload, 0, &(), &mut ReadBuffer::new()))
    }

    #[test]
    fn a_probe_leaves_in_one_write_and_closes_apart_from_it() {
        let mut stream = Recorder::default();
        assert!(run(&mut stream, 1).is_ok());
        assert_eq!(
            stream.calls,
            [Call::Write(9), Call::Flush, Call::Read, Call::Close, Call::Read]
        );
    }

    #[test]
    fn a_header_alone_is_flushed_before_the_close() {
        let mut stream = Recorder::default();
        assert!(run(&mut stream, 0).is_ok());
        assert_eq!(
            stream.calls,
            [Call::Write(8), Call::Flush, Call::Read, Call::Close, Call::Read]
        );
    }

    #[test]
    fn does_not_read_while_writing_goes_on() {
        let mut stream = Recorder::default();
        assert!(run(&mut stream, 100 * WRITE_LEN as u64).is_ok());
        assert_eq!(stream.calls.iter().filter(|call| **call == Call::Read).count(), 2);
    }

    #[test]
    fn the_upload_goes_on_where_the_first_write_stopped() {
        let mut stream = Recorder::default();
        assert!(run(&mut stream, 5000).is_ok());
        assert_eq!(stream.wire[HEADER_LEN..], block()[..5000]);
    }

    #[test]
    fn an_end_while_writing_waits_is_an_early_end() {
        let mut stream = Recorder { takes: Some(1), ..Recorder::default() };
        let sent = (FIRST_WRITE_LEN - HEADER_LEN) as u64;
        assert!(matches!(run(&mut stream, 1 << 20), Err(Error::EarlyEnd { sent: s }) if s == sent));
    }

    #[test]
    fn a_reset_that_reads_as_an_end_is_still_a_reset() {
        let mut stream = Recorder { takes: Some(1), reset: true, ..Recorder::default() };
        assert!(matches!(run(&mut stream, 1 << 20), Err(Error::Reset(_))));
    }
}
