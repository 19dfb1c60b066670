//! Requests and responses, in QPACK without a dynamic table (RFC 9204, RFC 9220).

use qpack::HeaderField;

use super::code::Http3Code;
use super::frame;

/// Where every libp2p listener takes its sessions.
pub const PATH: &str = "/.well-known/libp2p-webtransport";

/// How a session is asked for: this path, and the handshake that follows.
pub const PATH_AND_QUERY: &str = "/.well-known/libp2p-webtransport?type=noise";

/// What WebTransport is called in extended CONNECT, up to draft 14 and since.
const PROTOCOLS: [&str; 2] = ["webtransport", "webtransport-h3"];

/// Why a header block is no request, or no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadersError {
    /// It is no QPACK, or needs a dynamic table, which was not offered.
    #[error("a header block that cannot be decoded: {0}")]
    Qpack(String),
    /// It is larger than allowed once it is decoded.
    #[error("a header block of more than {0} bytes")]
    TooLong(u64),
    /// A pseudo-header is absent, stands twice, or is not text.
    #[error("{0} is missing, stands twice or is not text")]
    Malformed(&'static str),
}

impl HeadersError {
    /// What to reset the stream with, or to close the connection.
    pub fn code(&self) -> Http3Code {
        match self {
            Self::Qpack(_) => Http3Code::QPACK_DECOMPRESSION_FAILED,
            Self::TooLong(_) => Http3Code::EXCESSIVE_LOAD,
            Self::Malformed(_) => Http3Code::MESSAGE_ERROR,
        }
    }
}

/// A request, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    method: String,
    protocol: Option<String>,
    path: Option<String>,
}

/// What a request comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A session, in the way that libp2p asks for one.
    Session,
    /// Anything else, with the status to answer: 404 for what is not there, 400 for a handshake that
    /// is not known.
    Refused(u16),
}

impl Request {
    /// Decodes a header block, of at most `limit` bytes once decoded (as RFC 9114, 4.2.2, counts them).
    ///
    /// # Errors
    ///
    /// Where it cannot be decoded, is too large, or is malformed.
    pub fn decode(block: &[u8], limit: u64) -> Result<Self, HeadersError> {
        let fields = decode(block, limit)?;
        let method = one(&fields, ":method")?.ok_or(HeadersError::Malformed(":method"))?;
        Ok(Self { method, protocol: one(&fields, ":protocol")?, path: one(&fields, ":path")? })
    }

    /// What to answer.
    pub fn verdict(&self) -> Verdict {
        let protocol = self.protocol.as_deref();
        if self.method != "CONNECT" || !protocol.is_some_and(|name| PROTOCOLS.contains(&name)) {
            return Verdict::Refused(404);
        }
        let path = self.path.as_deref().unwrap_or_default();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        if path != PATH {
            return Verdict::Refused(404);
        }
        // The first counts, as in Go's url.Values.
        let kind = query.split('&').find_map(|pair| pair.strip_prefix("type="));
        if kind == Some("noise") { Verdict::Session } else { Verdict::Refused(400) }
    }
}

/// Appends the HEADERS frame that asks the server at `authority` for a session.
///
/// # Errors
///
/// Where QPACK cannot encode it.
pub fn write_request(authority: &str, output: &mut Vec<u8>) -> Result<(), HeadersError> {
    let fields = [
        (":method", "CONNECT"),
        (":scheme", "https"),
        (":authority", authority),
        (":path", PATH_AND_QUERY),
        (":protocol", PROTOCOLS[0]),
        // go-libp2p up to 0.49 answers 500 without it.
        ("sec-webtransport-http3-draft02", "1"),
    ];
    write(&fields, output)
}

/// Appends the HEADERS frame of a response.
///
/// # Errors
///
/// Where QPACK cannot encode it.
pub fn write_response(status: u16, output: &mut Vec<u8>) -> Result<(), HeadersError> {
    let status_text = status.to_string();
    let mut fields = vec![(":status", status_text.as_str())];
    if status == 200 {
        fields.push(("sec-webtransport-http3-draft", "draft02"));
    }
    write(&fields, output)
}

/// The status of the response in a header block, of at most `limit` bytes once decoded.
///
/// # Errors
///
/// Where it cannot be decoded, is too large, or has no status.
pub fn read_status(block: &[u8], limit: u64) -> Result<u16, HeadersError> {
    one(&decode(block, limit)?, ":status")?
        .and_then(|status| status.parse().ok())
        .ok_or(HeadersError::Malformed(":status"))
}

fn write(fields: &[(&str, &str)], output: &mut Vec<u8>) -> Result<(), HeadersError> {
    let mut block = Vec::new();
    qpack::encode_stateless(&mut block, fields.iter().map(|field| HeaderField::from(*field)))
        .map_err(|error| HeadersError::Qpack(format!("{error:?}")))?;
    frame::write(frame::HEADERS, &block, output);
    Ok(())
}

fn decode(mut block: &[u8], limit: u64) -> Result<Vec<HeaderField>, HeadersError> {
    match qpack::decode_stateless(&mut block, limit) {
        Ok(decoded) => Ok(decoded.fields),
        Err(qpack::DecoderError::HeaderTooLong(_)) => Err(HeadersError::TooLong(limit)),
        Err(error) => Err(HeadersError::Qpack(error.to_string())),
    }
}

/// The value of a field that may stand once at most.
fn one(fields: &[HeaderField], name: &'static str) -> Result<Option<String>, HeadersError> {
    let mut values = fields.iter().filter(|field| field.name.as_ref() == name.as_bytes());
    let Some(field) = values.next() else { return Ok(None) };
    match (std::str::from_utf8(&field.value), values.next()) {
        (Ok(value), None) => Ok(Some(value.to_owned())),
        _ => Err(HeadersError::Malformed(name)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::frame::{Frame, FrameDecoder};

    fn block(bytes: &[u8]) -> Vec<u8> {
        let mut decoder = FrameDecoder::new(4096);
        decoder.push(bytes);
        match decoder.next().unwrap() {
            Some(Frame::Headers(block)) => block.to_vec(),
            other => panic!("{other:?}"),
        }
    }

    fn verdict(method: &str, protocol: Option<&str>, path: &str) -> Verdict {
        let path = Some(path.to_owned());
        Request { method: method.to_owned(), protocol: protocol.map(str::to_owned), path }.verdict()
    }

    #[test]
    fn what_we_ask_for_is_what_we_take() {
        let mut bytes = Vec::new();
        write_request("127.0.0.1:443", &mut bytes).unwrap();
        let request = Request::decode(&block(&bytes), 4096).unwrap();
        assert_eq!(request.verdict(), Verdict::Session);
    }

    /// What `webtransport.Dialer` of webtransport-go 0.9.0 (quic-go 0.55.0) sends for go-libp2p's URL, read off the
    /// stream: literals in Huffman's code, and references to the static table.
    #[test]
    fn what_go_asks_for_is_taken() {
        let sent: Vec<u8> = [
            "0140720000508a089d5c0b8170dc69a659cf51a0617f05a285bad47f153141a3ac55ade0b1a6c1d48a",
            "cf627fc4faacb0547320bfd72f00b95d8749c87a3f89f058d360ea4567b13f2f0e4148b782c69b0752",
            "2b3d895a74a6b65692c1ca900b810f5f10839bd9ab5f508bed6988b4c7531efdfad867",
        ]
        .concat()
        .as_bytes()
        .chunks(2)
        .map(|digits| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap())
        .collect();
        let request = Request::decode(&block(&sent), 4096).unwrap();
        assert_eq!(request.method, "CONNECT");
        assert_eq!(request.protocol.as_deref(), Some("webtransport"));
        assert_eq!(request.path.as_deref(), Some(PATH_AND_QUERY));
        assert_eq!(request.verdict(), Verdict::Session);
    }

    #[test]
    fn what_is_taken_and_what_is_not() {
        let wt = Some("webtransport");
        assert_eq!(verdict("CONNECT", wt, PATH_AND_QUERY), Verdict::Session);
        assert_eq!(verdict("CONNECT", Some("webtransport-h3"), PATH_AND_QUERY), Verdict::Session);
        assert_eq!(verdict("GET", None, PATH_AND_QUERY), Verdict::Refused(404));
        assert_eq!(verdict("CONNECT", Some("websocket"), PATH_AND_QUERY), Verdict::Refused(404));
        assert_eq!(verdict("CONNECT", wt, "/other?type=noise"), Verdict::Refused(404));
        assert_eq!(
            verdict("CONNECT", wt, "/./.well-known/libp2p-webtransport?type=noise"),
            Verdict::Refused(404)
        );
        assert_eq!(verdict("CONNECT", wt, PATH), Verdict::Refused(400));
        assert_eq!(verdict("CONNECT", wt, &format!("{PATH}?type=tls")), Verdict::Refused(400));
        assert_eq!(verdict("CONNECT", wt, &format!("{PATH}?a=b&type=noise")), Verdict::Session);
    }

    #[test]
    fn a_response_is_read() {
        for status in [200, 404, 400, 500] {
            let mut bytes = Vec::new();
            write_response(status, &mut bytes).unwrap();
            assert_eq!(read_status(&block(&bytes), 4096), Ok(status));
        }
    }

    /// A hundred bytes that would be thousands: index 24 of the static table, again and again.
    #[test]
    fn a_bomb_is_stopped() {
        let bomb = [&[0, 0][..], &[0xd8; 100]].concat();
        assert_eq!(Request::decode(&bomb, 1024), Err(HeadersError::TooLong(1024)));
        let twice = [0, 0, 0xcf, 0xcf];
        assert_eq!(Request::decode(&twice, 1024), Err(HeadersError::Malformed(":method")));
        // A reference to the dynamic table.
        assert!(matches!(Request::decode(&[0, 0, 0x80], 1024), Err(HeadersError::Qpack(_))));
    }

    proptest! {
        #[test]
        fn any_input_is_survived(bytes: Vec<u8>) {
            let _ = Request::decode(&bytes, 512);
            let _ = read_status(&bytes, 512);
        }

        /// Integers that go on and on, which is where decoders overflow.
        #[test]
        fn long_integers_are_survived(first: u8, more in prop::collection::vec(0x80_u8..=0xff, 0..24), last: Vec<u8>) {
            let bytes = [&[0, 0, first][..], &more, &last].concat();
            let _ = Request::decode(&bytes, 512);
            let bytes = [&[first][..], &more, &last].concat();
            let _ = Request::decode(&bytes, 512);
        }
    }
}
