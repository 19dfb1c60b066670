//! raw/1: the exchange of perf where there are no streams.
//!
//! One connection, one exchange after the other, whatever the order:
//!
//! | | dialer | listener |
//! |---|---|---|
//! | 1 | sends two u64, big-endian: how many bytes follow, how many it wants back | |
//! | 2 | sends the bytes that follow | reads them all |
//! | 3 | reads to the end of the answer | sends the bytes wanted, and behind them one byte, [`END`] |
//!
//! `END` stands for the end of stream that a muxer would have: it is what tells an upload's sender that
//! the listener has read everything, and a download's reader that this was all. Header and `END` are not
//! payload.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use perf_protocol::{Payload, Progress, ReadBuffer, Served};

/// The dialect's name, for the document.
pub(super) const DIALECT: &str = "raw/1";

/// What an answer ends with: ASCII's end of transmission.
const END: u8 = 4;

const HEADER_LEN: usize = 16;

/// A payload that is no longer leaves in one write with what stands before and behind it.
const SMALL: usize = 1024;

/// Why an exchange failed, from the dialer's side.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    #[error("the listener ended the connection after {received} of {expected} bytes")]
    Short { expected: u64, received: u64 },
    #[error("the answer does not end behind the {expected} bytes asked for")]
    Endless { expected: u64 },
    #[error("the connection failed")]
    Io(#[from] io::Error),
}

/// What a dialer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes that follow.
    pub(super) upload: u64,
    /// Bytes wanted back.
    pub(super) download: u64,
}

impl Header {
    fn encode(self) -> [u8; HEADER_LEN] {
        (u128::from(self.upload) << 64 | u128::from(self.download)).to_be_bytes()
    }

    fn decode(bytes: [u8; HEADER_LEN]) -> Self {
        let both = u128::from_be_bytes(bytes);
        Self { upload: (both >> 64) as u64, download: both as u64 }
    }

    /// The next one; `None` where the dialer has ended the connection instead.
    ///
    /// # Errors
    ///
    /// The connection failed, or ended within a header.
    pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let mut bytes = [0; HEADER_LEN];
        let first = stream.read(&mut bytes).await?;
        if first == 0 {
            return Ok(None);
        }
        stream.read_exact(&mut bytes[first..]).await?;
        Ok(Some(Self::decode(bytes)))
    }
}

/// Makes one request, and returns when the answer's end has been read.
pub(super) async fn request<S>(
    stream: &mut S,
    header: Header,
    progress: &impl Progress,
    buffer: &mut ReadBuffer,
) -> Result<(), ExchangeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    send(stream, &header.encode(), header.upload, &[], progress).await?;
    let expected = header.download;
    let mut left = expected;
    loop {
        let buffer = buffer.as_mut_slice();
        let read = stream.read(buffer).await?;
        if read == 0 {
            return Err(ExchangeError::Short { expected, received: expected - left });
        }
        // Of the last read no more than END is left over.
        let payload = usize::try_from(left).map_or(read, |left| left.min(read));
        if payload > 0 {
            progress.received(payload as u64);
            left -= payload as u64;
        }
        match buffer[payload..read] {
            [] => {}
            [END] => return Ok(()),
            _ => return Err(ExchangeError::Endless { expected }),
        }
    }
}

/// Answers the request whose header has been read.
pub(super) async fn answer<S>(
    stream: &mut S,
    header: Header,
    progress: &impl Progress,
    buffer: &mut ReadBuffer,
) -> io::Result<Served>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut left = header.upload;
    while left > 0 {
        let buffer = buffer.as_mut_slice();
        // No further than the next header.
        let most = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let read = stream.read(&mut buffer[..most]).await? as u64;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        progress.received(read);
        left -= read;
    }
    send(stream, &[], header.download, &[END], progress).await?;
    Ok(Served { received: header.upload, sent: header.download })
}

/// Sends `len` bytes of payload between `before` and `behind`, and flushes.
async fn send<S>(
    stream: &mut S,
    before: &[u8],
    len: u64,
    behind: &[u8],
    progress: &impl Progress,
) -> io::Result<()>
where
    S: AsyncWrite + Unpin,
{
    let mut payload = Payload::new(len);
    if len <= SMALL as u64 {
        let whole = [before, payload.chunk(), behind].concat();
        stream.write_all(&whole).await?;
        if len > 0 {
            progress.sent(len);
        }
        return stream.flush().await;
    }
    stream.write_all(before).await?;
    while !payload.is_done() {
        let written = stream.write(payload.chunk()).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        payload.advance(written);
        progress.sent(written as u64);
    }
    stream.write_all(behind).await?;
    stream.flush().await
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::io::Cursor;

    use super::*;

    fn header(upload: u64, download: u64) -> Header {
        Header { upload, download }
    }

    #[test]
    fn a_header_reads_back() {
        let bytes = header(1, 0x0203).encode();
        assert_eq!(bytes, [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, 3]);
        assert_eq!(Header::decode(bytes), header(1, 0x0203));
        let read = |bytes: &[u8]| block_on(Header::read(&mut Cursor::new(bytes.to_vec())));
        assert_eq!(read(&bytes).unwrap(), Some(header(1, 0x0203)));
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&bytes[..9]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn an_answer_is_what_was_asked_for_and_an_end() {
        for len in [0, 1, SMALL as u64, SMALL as u64 + 1, 300_000] {
            let mut wire = Cursor::new(Vec::new());
            let served = block_on(answer(&mut wire, header(0, len), &(), &mut ReadBuffer::new()));
            assert_eq!(served.unwrap(), Served { received: 0, sent: len });
            let wire = wire.into_inner();
            assert_eq!((wire.len() as u64, wire.last()), (len + 1, Some(&END)));
        }
    }

    /// What the dialer says of an answer to a request for three bytes.
    fn answered(bytes: &[u8]) -> Result<(), ExchangeError> {
        let mut wire = vec![0; HEADER_LEN];
        wire.extend_from_slice(bytes);
        block_on(request(&mut Cursor::new(wire), header(0, 3), &(), &mut ReadBuffer::new()))
    }

    #[test]
    fn counts_are_exact() {
        assert!(answered(&[7, 7, 7, END]).is_ok());
        assert!(matches!(answered(&[7, 7]), Err(ExchangeError::Short { received: 2, .. })));
        assert!(matches!(answered(&[7, 7, 7]), Err(ExchangeError::Short { received: 3, .. })));
        assert!(matches!(answered(&[7, 7, END, 7]), Err(ExchangeError::Endless { .. })));
        assert!(matches!(answered(&[7, 7, 7, END, 7]), Err(ExchangeError::Endless { .. })));
    }

    #[test]
    fn an_upload_that_ends_early_is_not_answered() {
        let mut wire = Cursor::new(vec![7; 5]);
        let served = block_on(answer(&mut wire, header(6, 0), &(), &mut ReadBuffer::new()));
        assert_eq!(served.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(wire.into_inner().len(), 5);
    }
}
