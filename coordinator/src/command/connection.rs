//! Commands about the connection and the server.

use bytes::Bytes;

use super::error::echo;
use super::{Args, Command, CommandError};
use crate::integer;
use crate::reply::Protocol;

/// `HELLO`: which protocol to speak from now on, and what goes with it.
#[derive(Debug)]
pub(crate) struct Hello {
    /// `None`: as before.
    pub(crate) protocol: Option<Protocol>,
    /// `AUTH`: the user's name.
    pub(crate) user: Option<Bytes>,
    /// `SETNAME`: the connection's name.
    pub(crate) name: Option<Bytes>,
}

/// Which clients `CLIENT LIST` lists.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ListFilter {
    All,
    None,
    Ids(Vec<u64>),
}

/// What a client library tells of itself with `CLIENT SETINFO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LibraryField {
    Name,
    Version,
}

impl LibraryField {
    /// As in the output of `CLIENT LIST`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Name => "lib-name",
            Self::Version => "lib-ver",
        }
    }
}

pub(super) fn ping(args: &mut Args<'_>) -> Result<Command, CommandError> {
    if args.len() > 1 {
        return Err(CommandError::WrongArity("ping".to_owned()));
    }
    Ok(Command::Ping(args.optional().cloned()))
}

pub(super) fn echo_command(args: &mut Args<'_>) -> Result<Command, CommandError> {
    Ok(Command::Echo(args.required()?))
}

pub(super) fn quit(_: &mut Args<'_>) -> Result<Command, CommandError> {
    Ok(Command::Quit)
}

pub(super) fn select(args: &mut Args<'_>) -> Result<Command, CommandError> {
    let index = i32::try_from(args.integer()?).map_err(|_| CommandError::NotAnI32)?;
    Ok(Command::Select(index))
}

pub(super) fn auth(args: &mut Args<'_>) -> Result<Command, CommandError> {
    match args.remaining().as_slice() {
        [_password] => Ok(Command::Auth { user: None }),
        [user, _password] => Ok(Command::Auth { user: Some(user.clone()) }),
        _ => Err(CommandError::Syntax),
    }
}

pub(super) fn hello(args: &mut Args<'_>) -> Result<Command, CommandError> {
    let mut hello = Hello { protocol: None, user: None, name: None };
    if let Some(version) = args.optional() {
        hello.protocol = Some(match integer::parse(version) {
            None => return Err(CommandError::ProtocolVersionNotAnInteger),
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => return Err(CommandError::UnsupportedProtocolVersion),
        });
    }
    while let Some(option) = args.optional() {
        match option.to_ascii_uppercase().as_slice() {
            b"AUTH" if args.len() >= 2 => {
                hello.user = Some(args.required()?);
                args.required()?;
            }
            b"SETNAME" if args.len() >= 1 => hello.name = Some(args.required()?),
            _ => return Err(CommandError::HelloOption(echo(option))),
        }
    }
    Ok(Command::Hello(hello))
}

pub(super) fn client_id(_: &mut Args<'_>) -> Result<Command, CommandError> {
    Ok(Command::ClientId)
}

pub(super) fn client_info(_: &mut Args<'_>) -> Result<Command, CommandError> {
    Ok(Command::ClientInfo)
}

pub(super) fn client_getname(_: &mut Args<'_>) -> Result<Command, CommandError> {
    Ok(Command::ClientGetName)
}

pub(super) fn client_setname(args: &mut Args<'_>) -> Result<Command, CommandError> {
    Ok(Command::ClientSetName(args.required()?))
}

pub(super) fn client_setinfo(args: &mut Args<'_>) -> Result<Command, CommandError> {
    let field = args.required()?;
    let field = match field.to_ascii_lowercase().as_slice() {
        b"lib-name" => LibraryField::Name,
        b"lib-ver" => LibraryField::Version,
        _ => return Err(CommandError::UnrecognizedOption(echo(&field))),
    };
    Ok(Command::ClientSetInfo(field, args.required()?))
}

pub(super) fn client_list(args: &mut Args<'_>) -> Result<Command, CommandError> {
    let Some(option) = args.optional() else {
        return Ok(Command::ClientList(ListFilter::All));
    };
    let filter = match (option.to_ascii_uppercase().as_slice(), args.remaining().as_slice()) {
        (b"TYPE", [kind]) => match kind.to_ascii_lowercase().as_slice() {
            b"normal" => ListFilter::All,
            b"master" | b"replica" | b"slave" | b"pubsub" => ListFilter::None,
            _ => return Err(CommandError::UnknownClientType(echo(kind))),
        },
        (b"ID", ids) if !ids.is_empty() => ListFilter::Ids(
            ids.iter()
                .map(|id| integer::parse(id).and_then(|id| u64::try_from(id).ok()))
                .collect::<Option<_>>()
                .ok_or(CommandError::InvalidClientId)?,
        ),
        _ => return Err(CommandError::Syntax),
    };
    Ok(Command::ClientList(filter))
}

pub(super) fn info(args: &mut Args<'_>) -> Result<Command, CommandError> {
    Ok(Command::Info(args.remaining()))
}

pub(super) fn command_table(_: &mut Args<'_>) -> Result<Command, CommandError> {
    Ok(Command::ListCommands)
}

pub(super) fn command_count(_: &mut Args<'_>) -> Result<Command, CommandError> {
    Ok(Command::CountCommands)
}

pub(super) fn command_docs(_: &mut Args<'_>) -> Result<Command, CommandError> {
    Ok(Command::DocumentCommands)
}

/// A command that only its subcommands do something.
pub(super) fn container(_: &mut Args<'_>) -> Result<Command, CommandError> {
    Err(CommandError::Syntax)
}
