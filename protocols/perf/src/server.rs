//! The answering side of an exchange.

use std::{future::poll_fn, pin::Pin};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{
    Error, Payload, Progress, ReadBuffer, codec::Decoded, codec::HeaderDecoder, write::poll_write,
};

/// What an exchange moved, in bytes of payload.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Served {
    /// What the client uploaded.
    pub received: u64,
    /// What it had asked for, and was sent.
    pub sent: u64,
}

/// Answers one request: reads it to its end, then sends as many bytes as its header asks for, and
/// closes.
///
/// A client that never closes its writing side is never answered: the future stays pending, for the
/// caller to drop. No request is too large; memory stays `buffer`, and one of `u64::MAX` bytes ends
/// when the peer resets. `stream` may be a `&mut` to one.
///
/// # Errors
///
/// - [`Error::TruncatedHeader`]: the client ended its side within the header.
/// - [`Error::Reset`], [`Error::Io`]: the stream failed, at any point.
pub async fn serve<S, P>(
    mut stream: S,
    progress: &P,
    buffer: &mut ReadBuffer,
) -> Result<Served, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
    P: Progress + ?Sized,
{
    progress.opened();
    let (requested, received) = read_request(&mut stream, progress, buffer).await?;
    send_answer(&mut stream, requested, progress).await?;
    // Not left to `close`: a peer may process FIN before the data of the same frame (js-libp2p's
    // yamux does).
    stream.flush().await?;
    stream.close().await?;
    Ok(Served { received, sent: requested })
}

/// Reads to the end. Returns the number of bytes asked for, and that of bytes uploaded.
async fn read_request<S, P>(
    stream: &mut S,
    progress: &P,
    buffer: &mut ReadBuffer,
) -> Result<(u64, u64), Error>
where
    S: AsyncRead + Unpin,
    P: Progress + ?Sized,
{
    let mut header = HeaderDecoder::new();
    let mut received = 0;
    loop {
        let read = stream.read(buffer.as_mut_slice()).await?;
        if read == 0 {
            progress.ended();
            return Ok((header.finish()?, received));
        }
        // Once complete it consumes nothing: of every later read, all is payload.
        let payload = match header.decode(&buffer.as_mut_slice()[..read]) {
            Decoded::Incomplete => continue,
            Decoded::Complete { requested, consumed } => {
                if consumed > 0 {
                    progress.asked(requested);
                }
                (read - consumed) as u64
            }
        };
        if payload > 0 {
            received += payload;
            progress.received(payload);
        }
    }
}

async fn send_answer<S, P>(stream: &mut S, requested: u64, progress: &P) -> Result<(), Error>
where
    S: AsyncWrite + Unpin,
    P: Progress + ?Sized,
{
    let mut payload = Payload::new(requested);
    while !payload.is_done() {
        let written = poll_fn(|cx| poll_write(Pin::new(&mut *stream), cx, payload.chunk())).await?;
        payload.advance(written);
        progress.sent(written as u64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        encode_header,
        recorder::{Call, Recorder},
    };
    use futures::executor::block_on;
    use std::cell::RefCell;

    #[derive(Default)]
    struct Told(RefCell<Vec<String>>);

    impl Progress for Told {
        fn asked(&self, bytes: u64) {
            self.0.borrow_mut().push(format!("asked {bytes}"));
        }

        fn ended(&self) {
            self.0.borrow_mut().push("ended".to_owned());
        }

        fn sent(&self, bytes: u64) {
            self.0.borrow_mut().push(format!("sent {bytes}"));
        }

        fn received(&self, bytes: u64) {
            self.0.borrow_mut().push(format!("received {bytes}"));
        }
    }

    fn told(request: Vec<u8>) -> Vec<String> {
        let told = Told::default();
        let mut stream = Recorder { request: Some(request), ..Recorder::default() };
        let _ = block_on(serve(&mut stream, &told, &mut ReadBuffer::new()));
        told.0.into_inner()
    }

    #[test]
    fn tells_what_was_asked_for_and_that_the_request_ended() {
        let header = encode_header(3);
        let whole = ["asked 3", "received 2", "ended", "sent 3"];
        assert_eq!(told([header.as_slice(), &[7, 7]].concat()), whole);
        assert_eq!(told(header[..7].into()), ["ended"]);
    }

    #[test]
    fn the_answer_is_flushed_before_the_close() {
        let mut stream = Recorder { request: Some(encode_header(3).into()), ..Recorder::default() };
        let served = block_on(serve(&mut stream, &(), &mut ReadBuffer::new()));
        assert_eq!(served.ok(), Some(Served { received: 0, sent: 3 }));
        assert_eq!(
            stream.calls,
            [Call::Read, Call::Read, Call::Write(3), Call::Flush, Call::Close]
        );
    }
}
