//! Commands on keys.

use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;

use super::error::echo;
use super::{Args, Command, CommandError, positive_duration};
use crate::integer;
use crate::store::{Condition, End};

/// A command that reads or writes the store and answers at once.
#[derive(Debug)]
pub(crate) enum KeyCommand {
    Get {
        key: Bytes,
    },
    Set {
        key: Bytes,
        value: Bytes,
        options: SetOptions,
    },
    /// `SETNX`: as `SET NX`, and answers with an integer.
    SetNx {
        key: Bytes,
        value: Bytes,
    },
    Del {
        keys: Vec<Bytes>,
    },
    Exists {
        keys: Vec<Bytes>,
    },
    /// `None`: the time has passed, and the key goes at once.
    Expire {
        key: Bytes,
        after: Option<Duration>,
    },
    Ttl {
        key: Bytes,
    },
    Type {
        key: Bytes,
    },
    Push {
        key: Bytes,
        values: Vec<Bytes>,
        end: End,
    },
    Pop {
        key: Bytes,
        count: Option<usize>,
        end: End,
    },
    Index {
        key: Bytes,
        position: Bytes,
    },
    Range {
        key: Bytes,
        start: i64,
        stop: i64,
    },
}

/// The options of `SET`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SetOptions {
    pub(crate) condition: Condition,
    pub(crate) expiry: SetExpiry,
    /// `GET`: answer with the string that was there.
    pub(crate) previous: bool,
}

/// `EX`, `PX` or `KEEPTTL` of `SET`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum SetExpiry {
    #[default]
    None,
    Keep,
    After(Duration),
}

/// `BLPOP`: the first element of the first list that has one, waiting for it if need be.
#[derive(Debug)]
pub(crate) struct BlockingPop {
    /// In the order in which they are looked at.
    pub(crate) keys: Vec<Bytes>,
    /// `None`: for ever.
    pub(crate) timeout: Option<Duration>,
}

fn keys(command: KeyCommand) -> Result<Command, CommandError> {
    Ok(Command::Keys(command))
}

pub(super) fn get(args: &mut Args<'_>) -> Result<Command, CommandError> {
    keys(KeyCommand::Get { key: args.required()? })
}

/// The unit of a `SET` option that takes an amount of time, in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Seconds = 1000,
    Milliseconds = 1,
}

pub(super) fn set(args: &mut Args<'_>) -> Result<Command, CommandError> {
    let (key, value) = (args.required()?, args.required()?);
    let mut options = SetOptions::default();
    let (mut keep, mut expiry) = (false, None);
    while let Some(option) = args.optional() {
        let unit = expiry.as_ref().map(|(unit, _)| *unit);
        match (option.to_ascii_uppercase().as_slice(), options.condition) {
            (b"NX", Condition::Always | Condition::Absent) => options.condition = Condition::Absent,
            (b"XX", Condition::Always | Condition::Present) => {
                options.condition = Condition::Present
            }
            (b"GET", _) => options.previous = true,
            (b"KEEPTTL", _) if unit.is_none() => keep = true,
            (b"EX", _) if !keep && unit != Some(Unit::Milliseconds) => {
                expiry = Some((Unit::Seconds, args.required()?));
            }
            (b"PX", _) if !keep && unit != Some(Unit::Seconds) => {
                expiry = Some((Unit::Milliseconds, args.required()?));
            }
            _ => return Err(CommandError::Syntax),
        }
    }
    options.expiry = match expiry {
        None if keep => SetExpiry::Keep,
        None => SetExpiry::None,
        Some((unit, amount)) => SetExpiry::After(expire_time(&amount, unit, "set")?),
    };
    keys(KeyCommand::Set { key, value, options })
}

pub(super) fn setex(args: &mut Args<'_>) -> Result<Command, CommandError> {
    let (key, amount, value) = (args.required()?, args.required()?, args.required()?);
    let expiry = SetExpiry::After(expire_time(&amount, Unit::Seconds, "setex")?);
    keys(KeyCommand::Set { key, value, options: SetOptions { expiry, ..SetOptions::default() } })
}

fn expire_time(amount: &[u8], unit: Unit, command: &'static str) -> Result<Duration, CommandError> {
    let amount = integer::parse(amount).ok_or(CommandError::NotAnInteger)?;
    positive_duration(amount, unit as i64).ok_or(CommandError::InvalidExpiry(command))
}

pub(super) fn setnx(args: &mut Args<'_>) -> Result<Command, CommandError> {
    keys(KeyCommand::SetNx { key: args.required()?, value: args.required()? })
}

pub(super) fn del(args: &mut Args<'_>) -> Result<Command, CommandError> {
    keys(KeyCommand::Del { keys: args.remaining() })
}

pub(super) fn exists(args: &mut Args<'_>) -> Result<Command, CommandError> {
    keys(KeyCommand::Exists { keys: args.remaining() })
}

pub(super) fn expire(args: &mut Args<'_>) -> Result<Command, CommandError> {
    let key = args.required()?;
    let amount = args.required()?;
    if let Some(option) = args.optional() {
        return Err(CommandError::UnsupportedOption(echo(option)));
    }
    let seconds = integer::parse(&amount).ok_or(CommandError::NotAnInteger)?;
    let invalid = CommandError::InvalidExpiry("expire");
    let after = match seconds.checked_mul(1000) {
        None => return Err(invalid),
        Some(..=0) => None,
        Some(_) => Some(positive_duration(seconds, 1000).ok_or(invalid)?),
    };
    keys(KeyCommand::Expire { key, after })
}

pub(super) fn ttl(args: &mut Args<'_>) -> Result<Command, CommandError> {
    keys(KeyCommand::Ttl { key: args.required()? })
}

pub(super) fn kind(args: &mut Args<'_>) -> Result<Command, CommandError> {
    keys(KeyCommand::Type { key: args.required()? })
}

pub(super) fn lpush(args: &mut Args<'_>) -> Result<Command, CommandError> {
    push(args, End::Left)
}

pub(super) fn rpush(args: &mut Args<'_>) -> Result<Command, CommandError> {
    push(args, End::Right)
}

fn push(args: &mut Args<'_>, end: End) -> Result<Command, CommandError> {
    keys(KeyCommand::Push { key: args.required()?, values: args.remaining(), end })
}

pub(super) fn lpop(args: &mut Args<'_>) -> Result<Command, CommandError> {
    pop(args, End::Left, "lpop")
}

pub(super) fn rpop(args: &mut Args<'_>) -> Result<Command, CommandError> {
    pop(args, End::Right, "rpop")
}

fn pop(args: &mut Args<'_>, end: End, name: &str) -> Result<Command, CommandError> {
    let key = args.required()?;
    if args.len() > 1 {
        return Err(CommandError::WrongArity(name.to_owned()));
    }
    let count = args
        .optional()
        .map(|count| {
            let count = integer::parse(count).and_then(|count| usize::try_from(count).ok());
            count.ok_or(CommandError::NotPositive)
        })
        .transpose()?;
    keys(KeyCommand::Pop { key, count, end })
}

pub(super) fn lindex(args: &mut Args<'_>) -> Result<Command, CommandError> {
    // Redis looks at the key first and reads the position only where there is a list.
    keys(KeyCommand::Index { key: args.required()?, position: args.required()? })
}

pub(super) fn lrange(args: &mut Args<'_>) -> Result<Command, CommandError> {
    keys(KeyCommand::Range { key: args.required()?, start: args.integer()?, stop: args.integer()? })
}

pub(super) fn blpop(args: &mut Args<'_>) -> Result<Command, CommandError> {
    let timeout = timeout(&args.last()?)?;
    Ok(Command::BlockingPop(BlockingPop { keys: args.remaining(), timeout }))
}

/// Seconds with a fraction, rounded up to a millisecond; 0 is for ever.
fn timeout(text: &[u8]) -> Result<Option<Duration>, CommandError> {
    let seconds = std::str::from_utf8(text)
        .ok()
        .and_then(|text| f64::from_str(text).ok())
        .filter(|seconds| !seconds.is_nan())
        .ok_or(CommandError::TimeoutNotAFloat)?;
    if seconds < 0.0 {
        return Err(CommandError::TimeoutNegative);
    }
    if seconds == 0.0 {
        return Ok(None);
    }
    let rounded = Duration::try_from_secs_f64((seconds * 1000.0).ceil() / 1000.0);
    rounded.map(Some).map_err(|_| CommandError::TimeoutOutOfRange)
}
