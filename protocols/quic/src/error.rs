//! What goes wrong, and whose doing it is.

use std::io;

/// Why a listener, a dial or a connection failed or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The socket, or the list of this machine's addresses, failed.
    #[error(transparent)]
    Io(#[from] io::Error),

    /// The dial could not even begin.
    #[error(transparent)]
    Connect(#[from] ConnectError),

    /// The connection was lost, or never made.
    #[error(transparent)]
    Connection(#[from] ConnectionError),

    /// The peer ended the connection, and nothing went wrong.
    #[error("the peer closed the connection{}", if .reason.is_empty() { String::new() } else { format!(": {}", .reason) })]
    Closed {
        /// What the peer says about it.
        reason: String,
    },

    /// UDP and TLS together took too long.
    #[error("the handshake timed out")]
    HandshakeTimedOut,

    /// The peer's certificate does not say who it is.
    #[error("the peer has shown no certificate of libp2p's")]
    NoIdentity,

    /// The dial was to punch a hole into a NAT: dialed with the role of a listener.
    #[error("hole punching is not supported")]
    HolePunching,

    /// The identity can sign no certificate, or TLS could not be set up with it.
    #[error("cannot set up TLS")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The dial could not begin.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ConnectError(pub(crate) quinn::ConnectError);

/// A connection ended, not cleanly.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct ConnectionError(pub(crate) quinn::ConnectionError);

impl From<quinn::ConnectionError> for Error {
    fn from(error: quinn::ConnectionError) -> Self {
        match error {
            // libp2p's code for an end without an error.
            quinn::ConnectionError::ApplicationClosed(close)
                if close.error_code.into_inner() == 0 =>
            {
                Self::Closed { reason: String::from_utf8_lossy(&close.reason).into_owned() }
            }
            error => Self::Connection(ConnectionError(error)),
        }
    }
}
