//! What goes wrong, and whose doing it is.

use std::fmt::Debug;
use std::io;
use std::ops::RangeInclusive;

/// Why a listener, a dial or a connection failed or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The socket, or the list of this machine's addresses, failed.
    #[error(transparent)]
    Io(#[from] io::Error),

    /// A listener ended, for its socket did.
    #[error("the listener's socket cannot be read any more")]
    SocketGone,

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

/// An option is not what it may be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the option {option} is {value}, and has to be within {range}")]
pub struct OptionOutOfRange {
    /// The field's name.
    pub option: &'static str,
    /// What it is.
    pub value: String,
    /// What it may be, ends included.
    pub range: String,
}

impl OptionOutOfRange {
    /// Refuses a `value` that is not within `range`.
    ///
    /// # Errors
    ///
    /// Where it is not.
    pub fn check<T: PartialOrd + Debug>(
        option: &'static str,
        value: T,
        range: RangeInclusive<T>,
    ) -> Result<(), Self> {
        if range.contains(&value) {
            return Ok(());
        }
        Err(Self { option, value: format!("{value:?}"), range: format!("{range:?}") })
    }
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
