//! What goes wrong, and whose doing it is.

use std::io;

use libp2p_quic_shared::OptionOutOfRange;
use quinn::TransportErrorCode;

use crate::certificate::CertificateError;
use crate::wire::capsule::CapsuleError;
use crate::wire::code::Http3Code;
use crate::wire::frame::FrameError;
use crate::wire::headers::HeadersError;
use crate::wire::settings::SettingsError;

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

    /// QUIC lost the connection, or never made it.
    #[error(transparent)]
    Connection(#[from] ConnectionError),

    /// The peer ended the session, or its whole connection, in one of the ways that say that nothing
    /// went wrong.
    #[error("the peer closed the session{}{}", code_suffix(*.code), reason_suffix(.reason))]
    Closed {
        /// The application's code; `None` where the peer gave none.
        code: Option<u32>,
        /// What the peer says about it.
        reason: String,
    },

    /// The session was ended on this side: by whoever had it, or for what was told as an error before.
    #[error("the session was closed on this side")]
    LocallyClosed,

    /// The peer reset the stream that the session was asked for on: an end, and no clean one.
    #[error("the peer reset the session (code {code:#x})")]
    SessionReset {
        /// The code on the wire, of HTTP/3 or of one of its extensions.
        code: u64,
    },

    /// UDP, TLS, HTTP/3, CONNECT and Noise together took too long.
    #[error("the handshake timed out")]
    HandshakeTimedOut,

    /// The dialed address has no `/certhash`: there is nothing to know the listener's certificate by.
    #[error("the address has no /certhash, and certificates of authorities are not supported")]
    NoCerthash,

    /// The dialed address has a `/certhash` that is no SHA-256.
    #[error("the address has a /certhash that is not a SHA-256")]
    UnsupportedCerthash,

    /// The listener's certificate was refused.
    #[error(transparent)]
    Certificate(#[from] CertificateError),

    /// The peer at the dialed address speaks HTTP/3, and does not take WebTransport sessions.
    #[error("the peer does not offer WebTransport")]
    NotOffered,

    /// The listener answered the request for a session with this status.
    #[error("the peer refused the session with status {0}")]
    Refused(u16),

    /// The peer's Noise handshake failed, or vouches for other certificates than those in the address.
    #[error("the Noise handshake failed")]
    Noise(#[from] libp2p_noise::Error),

    /// The peer broke a rule of HTTP/3 or WebTransport.
    #[error("the peer broke the protocol: {0}")]
    Protocol(Violation),

    /// A field of [`Config`](crate::Config) has a value that nothing can be made of.
    #[error(transparent)]
    OptionOutOfRange(#[from] OptionOutOfRange),

    /// The identity derives no secret, and none was given.
    #[error(
        "no certificates: an RSA identity derives no secret for them, so Config::certificate_secret must be set"
    )]
    NoCertificateSecret,

    /// A certificate, or the TLS around it, could not be set up.
    #[error("cannot set up TLS")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

fn code_suffix(code: Option<u32>) -> String {
    code.filter(|code| *code != 0).map(|code| format!(" (code {code})")).unwrap_or_default()
}

fn reason_suffix(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

/// The dial could not begin.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ConnectError(pub(crate) quinn::ConnectError);

/// A QUIC connection ended, not cleanly.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct ConnectionError(pub(crate) quinn::ConnectionError);

/// A rule that the peer broke, and what its connection is closed with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Violation {
    pub(crate) code: Http3Code,
    what: String,
}

impl Error {
    pub(crate) fn violation(code: Http3Code, what: impl Into<String>) -> Self {
        Self::Protocol(Violation { code, what: what.into() })
    }

    /// What to close the connection with, and what to say about it: which rule the peer broke, or that it did
    /// not prove who it is. Anything else it knows, or is none of its business.
    pub(crate) fn farewell(&self) -> (Http3Code, String) {
        match self {
            Self::Protocol(violation) => (violation.code, violation.to_string()),
            Self::Noise(_) => (Http3Code::GENERAL_PROTOCOL_ERROR, self.to_string()),
            _ => (Http3Code::NO_ERROR, String::new()),
        }
    }
}

/// The codes with which an application closes QUIC when nothing went wrong: none, HTTP/3's own, and
/// go-libp2p's, which overtakes the capsule that it sends just before.
const CLEAN: [u64; 3] = [0, 1, 0x100];

impl From<quinn::ConnectionError> for Error {
    fn from(error: quinn::ConnectionError) -> Self {
        match error {
            quinn::ConnectionError::ApplicationClosed(close)
                if CLEAN.contains(&close.error_code.into_inner()) =>
            {
                let reason = String::from_utf8_lossy(&close.reason).into_owned();
                Self::Closed { code: None, reason }
            }
            // QUIC's word for it, not the application's: what quiche, and so Chromium, makes of its "no error".
            quinn::ConnectionError::ConnectionClosed(close)
                if close.error_code == TransportErrorCode::NO_ERROR =>
            {
                let reason = String::from_utf8_lossy(&close.reason).into_owned();
                Self::Closed { code: None, reason }
            }
            quinn::ConnectionError::LocallyClosed => Self::LocallyClosed,
            error => Self::Connection(ConnectionError(error)),
        }
    }
}

impl From<FrameError> for Error {
    fn from(error: FrameError) -> Self {
        Self::violation(error.code(), error.to_string())
    }
}

impl From<SettingsError> for Error {
    fn from(error: SettingsError) -> Self {
        Self::violation(Http3Code::SETTINGS_ERROR, error.to_string())
    }
}

impl From<HeadersError> for Error {
    fn from(error: HeadersError) -> Self {
        Self::violation(error.code(), error.to_string())
    }
}

impl From<CapsuleError> for Error {
    fn from(error: CapsuleError) -> Self {
        let code = match error {
            CapsuleError::TooLong { .. } => Http3Code::EXCESSIVE_LOAD,
            CapsuleError::NoCode(_) => Http3Code::MESSAGE_ERROR,
        };
        Self::violation(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use quinn::{ApplicationClose, ConnectionClose, ConnectionError as Quic};

    use super::*;

    fn by_application(code: u32) -> Error {
        Quic::ApplicationClosed(ApplicationClose { error_code: code.into(), reason: "said".into() })
            .into()
    }

    fn by_transport(error_code: TransportErrorCode) -> Error {
        Quic::ConnectionClosed(ConnectionClose {
            error_code,
            frame_type: None,
            reason: "said".into(),
        })
        .into()
    }

    #[test]
    fn clean_ends_of_a_connection() {
        let clean = [0, 1, 0x100].map(by_application);
        for error in clean.into_iter().chain([by_transport(TransportErrorCode::NO_ERROR)]) {
            assert!(
                matches!(&error, Error::Closed { code: None, reason } if reason == "said"),
                "{error}"
            );
        }
    }

    #[test]
    fn our_own_end_is_not_told_as_the_peers() {
        let error = Error::from(Quic::LocallyClosed);
        assert!(matches!(error, Error::LocallyClosed), "{error}");
    }

    #[test]
    fn other_ends_of_a_connection() {
        let noise = by_application(0x101);
        let refused = by_transport(TransportErrorCode::CONNECTION_REFUSED);
        for error in [noise, refused, Quic::TimedOut.into(), Quic::Reset.into()] {
            assert!(matches!(error, Error::Connection(_)), "{error}");
        }
    }
}
