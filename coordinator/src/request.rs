//! Framing: from a buffer of received bytes to one request, a list of arguments.
//!
//! The wire format is read by `redis-protocol`. It is given whole requests only: before that, the sizes a request
//! announces are checked here as they arrive, so that one that is too big is refused and not collected, and nested
//! arrays, which no client sends, never reach a recursive parser.

use bytes::{Buf, Bytes, BytesMut};
use redis_protocol::resp2::decode::decode_bytes_mut;
use redis_protocol::resp2::types::BytesFrame;

use crate::{Limits, inline, integer};

/// The longest inline command, and the longest line that holds a count. In bytes, as in Redis.
const MAX_LINE: usize = 64 * 1024;

/// Buffers that once held a large request are given back when they are larger than this, in bytes.
const KEPT_CAPACITY: usize = 16 * 1024;

/// A command's name and its arguments: never empty.
pub(crate) type Request = Vec<Bytes>;

/// The client does not speak the protocol, or asks for more than the limits: it is told so and disconnected.
///
/// Displays as what Redis says. Incomplete input is not an error; see [`RequestDecoder::decode`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProtocolError {
    #[error("ERR Protocol error: invalid multibulk length")]
    ArrayLength,
    #[error("ERR Protocol error: invalid bulk length")]
    BulkLength,
    #[error("ERR Protocol error: expected '$', got '{}'", shown(*.0))]
    ExpectedBulk(u8),
    #[error("ERR Protocol error: unbalanced quotes in request")]
    UnbalancedQuotes,
    #[error("ERR Protocol error: too big inline request")]
    InlineTooLong,
    #[error("ERR Protocol error: too big mbulk count string")]
    ArrayHeaderTooLong,
    #[error("ERR Protocol error: too big bulk count string")]
    BulkHeaderTooLong,
    #[error("ERR Protocol error: {0}")]
    Undecodable(String),
}

fn shown(byte: u8) -> char {
    match byte {
        b'\r' | b'\n' => ' ',
        byte if byte.is_ascii() => char::from(byte),
        _ => char::REPLACEMENT_CHARACTER,
    }
}

/// Takes requests off the front of a buffer. Remembers how far it has looked, so a request that arrives in many
/// pieces is scanned once.
#[derive(Debug)]
pub(crate) struct RequestDecoder {
    max_request: usize,
    max_args: usize,
    scan: Option<Scan>,
}

/// How far an array of bulk strings has been looked at.
#[derive(Debug)]
struct Scan {
    /// Offset of the first byte not yet accounted for. May lie beyond the buffer, inside an announced argument.
    at: usize,
    /// Arguments whose header has not been seen.
    left: usize,
    /// Bytes the remaining arguments may hold.
    budget: usize,
}

impl RequestDecoder {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { max_request: limits.max_request, max_args: limits.max_args, scan: None }
    }

    /// Takes one request off `buffer`; `None` means that more bytes are needed. Empty requests are skipped.
    ///
    /// # Errors
    ///
    /// After an error the stream has no meaning any more: the connection is to be closed.
    pub(crate) fn decode(
        &mut self,
        buffer: &mut BytesMut,
    ) -> Result<Option<Request>, ProtocolError> {
        let request = loop {
            let taken = match (&self.scan, buffer.first()) {
                (None, None) => break None,
                (None, Some(byte)) if *byte != b'*' => self.take_inline(buffer)?,
                _ => self.take_array(buffer)?,
            };
            match taken {
                Some(request) if request.is_empty() => {}
                other => break other,
            }
        };
        if buffer.is_empty() && buffer.capacity() > KEPT_CAPACITY {
            *buffer = BytesMut::new();
        }
        Ok(request)
    }

    fn take_array(&mut self, buffer: &mut BytesMut) -> Result<Option<Request>, ProtocolError> {
        let mut scan = match self.scan.take() {
            Some(scan) => scan,
            None => match self.scan_array_header(buffer)? {
                None => return Ok(None),
                Some(Scan { left: 0, at, .. }) => {
                    buffer.advance(at);
                    return Ok(Some(Request::new()));
                }
                Some(scan) => scan,
            },
        };
        if !scan.advance(buffer)? {
            self.scan = Some(scan);
            return Ok(None);
        }
        decode_arguments(buffer.split_to(scan.at)).map(Some)
    }

    fn take_inline(&self, buffer: &mut BytesMut) -> Result<Option<Request>, ProtocolError> {
        let length = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(length) if length <= MAX_LINE => length,
            None if buffer.len() <= MAX_LINE => return Ok(None),
            _ => return Err(ProtocolError::InlineTooLong),
        };
        let line = buffer.split_to(length + 1);
        let words =
            inline::split(line.trim_ascii_end()).map_err(|_| ProtocolError::UnbalancedQuotes)?;
        if words.len() > self.max_args {
            return Err(ProtocolError::ArrayLength);
        }
        Ok(Some(words))
    }

    fn scan_array_header(&self, buffer: &[u8]) -> Result<Option<Scan>, ProtocolError> {
        let Some((line, at)) = header(buffer, 0, ProtocolError::ArrayHeaderTooLong)? else {
            return Ok(None);
        };
        let count =
            integer::parse(line.get(1..).unwrap_or_default()).ok_or(ProtocolError::ArrayLength)?;
        let left = usize::try_from(count.max(0)).map_err(|_| ProtocolError::ArrayLength)?;
        if left > self.max_args {
            return Err(ProtocolError::ArrayLength);
        }
        Ok(Some(Scan { at, left, budget: self.max_request }))
    }
}

impl Scan {
    /// Goes on over the headers received by now; true when the whole request is in `buffer`.
    fn advance(&mut self, buffer: &[u8]) -> Result<bool, ProtocolError> {
        while self.left > 0 {
            if self.at >= buffer.len() {
                return Ok(false);
            }
            let Some((line, end)) = header(buffer, self.at, ProtocolError::BulkHeaderTooLong)?
            else {
                return Ok(false);
            };
            let (kind, digits) = line.split_first().unwrap_or((&b'\r', &[]));
            if *kind != b'$' {
                return Err(ProtocolError::ExpectedBulk(*kind));
            }
            let length = integer::parse(digits)
                .and_then(|length| usize::try_from(length).ok())
                .ok_or(ProtocolError::BulkLength)?;
            self.budget = self.budget.checked_sub(length).ok_or(ProtocolError::BulkLength)?;
            self.left -= 1;
            self.at = end.saturating_add(length).saturating_add(2);
        }
        Ok(self.at <= buffer.len())
    }
}

/// The line at `from`, without its end, and the offset behind it; `None` while its end has not arrived.
fn header(
    buffer: &[u8],
    from: usize,
    too_long: ProtocolError,
) -> Result<Option<(&[u8], usize)>, ProtocolError> {
    let line = buffer.get(from..).unwrap_or_default();
    match line.windows(2).position(|end| end == b"\r\n") {
        Some(length) if length <= MAX_LINE => Ok(Some((&line[..length], from + length + 2))),
        None if line.len() <= MAX_LINE => Ok(None),
        _ => Err(too_long),
    }
}

fn decode_arguments(mut whole: BytesMut) -> Result<Request, ProtocolError> {
    let frame = match decode_bytes_mut(&mut whole) {
        Ok(Some((frame, _, _))) => frame,
        Ok(None) => return Err(ProtocolError::ArrayLength),
        Err(error) => return Err(ProtocolError::Undecodable(error.to_string())),
    };
    let BytesFrame::Array(arguments) = frame else {
        return Err(ProtocolError::ArrayLength);
    };
    arguments
        .into_iter()
        .map(|argument| match argument {
            BytesFrame::BulkString(bytes) => Ok(bytes),
            _ => Err(ProtocolError::BulkLength),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoder() -> RequestDecoder {
        RequestDecoder::new(&Limits { max_request: 100, max_args: 4, ..Limits::default() })
    }

    /// Every request of `input`, then how it ended: with bytes left over, or with an error.
    fn decode_all(input: &[u8]) -> (Vec<Request>, Result<usize, ProtocolError>) {
        let (mut decoder, mut buffer, mut requests) =
            (decoder(), BytesMut::from(input), Vec::new());
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => return (requests, Ok(buffer.len())),
                Err(error) => return (requests, Err(error)),
            }
        }
    }

    #[test]
    fn takes_pipelined_requests_and_skips_empty_ones() {
        let (requests, end) = decode_all(b"*1\r\n$4\r\nPING\r\n*0\r\n*-1\r\n\r\nGET a\r\n*2\r\n$1\r\nx\r\n$0\r\n\r\n*1\r\n$4\r\nPI");
        assert_eq!(requests, [vec!["PING"], vec!["GET", "a"], vec!["x", ""]]);
        assert_eq!(end, Ok(10));
    }

    #[test]
    fn refuses_what_is_announced_too_big_before_it_arrives() {
        for (input, error) in [
            ("*5\r\n", ProtocolError::ArrayLength),
            ("*x\r\n", ProtocolError::ArrayLength),
            ("*99999999999999999999\r\n", ProtocolError::ArrayLength),
            ("*1\r\n$101\r\n", ProtocolError::BulkLength),
            (
                "*2\r\n$60\r\n012345678901234567890123456789012345678901234567890123456789\r\n$41\r\n",
                ProtocolError::BulkLength,
            ),
            ("*1\r\n$-1\r\n", ProtocolError::BulkLength),
            ("*1\r\n*1\r\n", ProtocolError::ExpectedBulk(b'*')),
            ("a b c d e\r\n", ProtocolError::ArrayLength),
        ] {
            assert_eq!(decode_all(input.as_bytes()), (vec![], Err(error)), "{input:?}");
        }
        let endless = [b"*".as_slice(), &[b'1'; MAX_LINE]].concat();
        assert_eq!(decode_all(&endless).1, Err(ProtocolError::ArrayHeaderTooLong));
        let endless = [b"*1\r\n$".as_slice(), &[b'1'; MAX_LINE]].concat();
        assert_eq!(decode_all(&endless).1, Err(ProtocolError::BulkHeaderTooLong));
        assert_eq!(decode_all(&[b'x'; MAX_LINE + 1]).1, Err(ProtocolError::InlineTooLong));
    }

    #[test]
    fn gives_a_large_buffer_back() {
        let limits = Limits::default();
        let mut buffer =
            BytesMut::from(format!("*1\r\n$100000\r\n{}\r\n", "x".repeat(100_000)).as_bytes());
        let request = RequestDecoder::new(&limits).decode(&mut buffer).unwrap().unwrap();
        assert_eq!(request[0].len(), 100_000);
        assert!(buffer.capacity() <= KEPT_CAPACITY);
    }

    fn any_request() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..=4)
    }

    fn encode(request: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = format!("*{}\r\n", request.len()).into_bytes();
        for argument in request {
            bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
            bytes.extend_from_slice(argument);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes
    }

    proptest! {
        #[test]
        fn pieces_decode_as_the_whole(requests in prop::collection::vec(any_request(), 0..5), piece in 1usize..40) {
            let bytes: Vec<u8> = requests.iter().flat_map(|request| encode(request)).collect();
            let (mut decoder, mut buffer, mut decoded) = (decoder(), BytesMut::new(), Vec::new());
            for part in bytes.chunks(piece) {
                buffer.extend_from_slice(part);
                while let Some(request) = decoder.decode(&mut buffer).unwrap() {
                    decoded.push(request.iter().map(|argument| argument.to_vec()).collect::<Vec<_>>());
                }
            }
            prop_assert_eq!(decoded, requests);
            prop_assert!(buffer.is_empty());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode_all(&bytes);
        }

        #[test]
        fn almost_requests_never_panic(text in r"([*$]-?[0-9]{0,3}\r\n|[a-z\x22' ]{0,5}|\r|\n){0,12}") {
            let _ = decode_all(text.as_bytes());
        }
    }
}
