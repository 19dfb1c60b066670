//! raw/1 without a socket: what `fuzz/` drives.
//!
//! Hidden; it is compiled always, so that it cannot rot.

use std::io;

use futures::{AsyncRead, AsyncWrite};
use perf_protocol::{Progress, ReadBuffer, Served};

use super::exchange::{self, ExchangeError, Header};

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requested {
    /// It was answered to the byte.
    Answered,
    /// The answer ended after so many bytes of payload.
    Short(u64),
    /// The answer does not end where it should.
    Endless,
    /// The stream failed.
    Broken,
}

/// Makes one request.
pub async fn request(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    (upload, download): (u64, u64),
    progress: &impl Progress,
) -> Requested {
    let header = Header { upload, download };
    match exchange::request(stream, header, progress, &mut ReadBuffer::new()).await {
        Ok(()) => Requested::Answered,
        Err(ExchangeError::Short { received, .. }) => Requested::Short(received),
        Err(ExchangeError::Endless { .. }) => Requested::Endless,
        Err(ExchangeError::Io(_)) => Requested::Broken,
    }
}

/// Answers requests until the dialer ends the connection: those answered, and what stopped it else.
pub async fn serve(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
) -> (Vec<Served>, io::Result<()>) {
    let (mut served, mut buffer) = (Vec::new(), ReadBuffer::new());
    loop {
        let header = match Header::read(stream).await {
            Ok(Some(header)) => header,
            Ok(None) => return (served, Ok(())),
            Err(error) => return (served, Err(error)),
        };
        match exchange::answer(stream, header, &(), &mut buffer).await {
            Ok(answered) => served.push(answered),
            Err(error) => return (served, Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::io::Cursor;

    use super::*;

    #[test]
    fn what_was_answered_before_it_broke_is_told() {
        let mut nothing_asked_and_half_a_header = Cursor::new(vec![0; 24]);
        let (served, ended) = block_on(serve(&mut nothing_asked_and_half_a_header));
        // The answer's end goes over the first byte of what comes next, in a cursor.
        assert_eq!(served, [Served { received: 0, sent: 0 }]);
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
