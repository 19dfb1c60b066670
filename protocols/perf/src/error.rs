//! Why an exchange failed, and whose fault it was.

use std::io;

/// Why an exchange failed. Every variant ends it; dropping the stream then resets it, where it has
/// resets.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The peer's fault, a server: it ended its side before all that was asked for had arrived.
    ///
    /// Also what a reset looks like on a muxer that reads it as an end (rust-yamux).
    #[error("peer ended its answer after {received} of {expected} bytes")]
    ShortAnswer {
        /// Bytes asked for.
        expected: u64,
        /// Bytes that arrived.
        received: u64,
    },

    /// The peer's fault, a server: it sent more than was asked for. The surplus is not read on.
    #[error("peer sent more than the {expected} bytes asked for")]
    LongAnswer {
        /// Bytes asked for.
        expected: u64,
    },

    /// The peer's fault, a server: a byte of its answer was there before our side was closed.
    #[error("peer answered before the request had ended, {sent} bytes into the upload")]
    EarlyAnswer {
        /// Bytes of the upload written by then.
        sent: u64,
    },

    /// The peer's fault, a server: it ended its side, without a byte, before ours was closed.
    ///
    /// Also what a reset looks like on a muxer that reads it as an end, where nothing was left to
    /// be written.
    #[error("peer ended the stream before the request had ended, {sent} bytes into the upload")]
    EarlyEnd {
        /// Bytes of the upload written by then.
        sent: u64,
    },

    /// The peer's fault, a client: it ended its side within the header.
    #[error("peer ended the stream after {received} of the header's 8 bytes")]
    TruncatedHeader {
        /// Bytes of the header that arrived.
        received: usize,
    },

    /// The peer's fault, or the network's: the stream, or the connection under it, is gone.
    ///
    /// Holds errors of the kinds `ConnectionReset`, `ConnectionAborted`, `BrokenPipe`,
    /// `UnexpectedEof` (TLS cut off without its closing alert), `NotConnected` (quinn: the
    /// connection was lost) and `WriteZero` (rust-yamux: the stream was reset; or a write that took
    /// nothing).
    #[error("stream reset")]
    Reset(#[source] io::Error),

    /// Anything else that the stream reported: a protocol refused in lazy negotiation, a record
    /// that does not decrypt. Whose fault it was, its source says.
    #[error("stream failed")]
    Io(#[source] io::Error),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof, WriteZero,
        };
        match error.kind() {
            ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof | NotConnected
            | WriteZero => Self::Reset(error),
            _ => Self::Io(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn a_lost_stream_is_a_reset() {
        for kind in [
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::ConnectionAborted,
            io::ErrorKind::BrokenPipe,
            io::ErrorKind::UnexpectedEof,
            io::ErrorKind::NotConnected,
            io::ErrorKind::WriteZero,
        ] {
            assert!(matches!(Error::from(io::Error::from(kind)), Error::Reset(_)), "{kind}");
        }
    }

    #[test]
    fn other_failures_keep_their_source() {
        let error = Error::from(io::Error::new(io::ErrorKind::InvalidData, "decrypt"));
        assert!(matches!(error, Error::Io(_)));
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("decrypt"));
    }
}
