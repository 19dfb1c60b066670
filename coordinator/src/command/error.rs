//! What Redis answers to a request that is no command, in its own words.

use bytes::Bytes;

/// How much of a client's own words is echoed back to it, in bytes.
const MAX_ECHO: usize = 128;

/// The request is not a command this server has. Displays as what Redis says, without the leading `-`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("ERR unknown command '{name}', with args beginning with: {arguments}")]
    UnknownCommand { name: String, arguments: String },
    #[error("ERR unknown subcommand '{name}'. Try {container} HELP.")]
    UnknownSubcommand { container: String, name: String },
    #[error("ERR wrong number of arguments for '{0}' command")]
    WrongArity(String),
    #[error("ERR syntax error")]
    Syntax,
    #[error("ERR value is not an integer or out of range")]
    NotAnInteger,
    #[error("ERR value is out of range, value must between -2147483648 and 2147483647")]
    NotAnI32,
    #[error("ERR value is out of range, must be positive")]
    NotPositive,
    #[error("ERR invalid expire time in '{0}' command")]
    InvalidExpiry(&'static str),
    #[error("ERR Unsupported option {0}")]
    UnsupportedOption(String),
    #[error("ERR timeout is not a float or out of range")]
    TimeoutNotAFloat,
    #[error("ERR timeout is negative")]
    TimeoutNegative,
    #[error("ERR timeout is out of range")]
    TimeoutOutOfRange,
    #[error("ERR Protocol version is not an integer or out of range")]
    ProtocolVersionNotAnInteger,
    #[error("NOPROTO unsupported protocol version")]
    UnsupportedProtocolVersion,
    #[error("ERR Syntax error in HELLO option '{0}'")]
    HelloOption(String),
    #[error("ERR Unrecognized option '{0}'")]
    UnrecognizedOption(String),
    #[error("ERR Unknown client type '{0}'")]
    UnknownClientType(String),
    #[error("ERR Invalid client ID")]
    InvalidClientId,
}

impl CommandError {
    pub(super) fn unknown(name: &[u8], arguments: &[Bytes]) -> Self {
        let mut shown = String::new();
        for argument in arguments {
            if shown.len() >= MAX_ECHO {
                break;
            }
            let room = MAX_ECHO - shown.len();
            shown.push_str(&format!("'{}' ", echo(&argument[..argument.len().min(room)])));
        }
        Self::UnknownCommand { name: echo(name), arguments: shown }
    }

    pub(super) fn unknown_subcommand(container: &str, name: &[u8]) -> Self {
        Self::UnknownSubcommand { container: container.to_ascii_uppercase(), name: echo(name) }
    }
}

/// A client's own words, fit for a line of text: cut, line ends made blanks, what is not UTF-8 replaced.
pub(super) fn echo(words: &[u8]) -> String {
    String::from_utf8_lossy(&words[..words.len().min(MAX_ECHO)]).replace(['\r', '\n'], " ")
}
