//! Commands on keys, carried out.

use std::time::Duration;

use tokio::time::Instant;

use crate::command::{CommandError, KeyCommand, SetExpiry, SetOptions};
use crate::integer;
use crate::reply::Reply;
use crate::store::{Condition, Expiry, Kind, Store, StoreError, Ttl};

/// Carries out one command at the time `now`.
pub(crate) fn execute(command: KeyCommand, store: &mut Store, now: Instant) -> Reply {
    run(command, store, now).unwrap_or_else(Reply::error)
}

fn run(command: KeyCommand, store: &mut Store, now: Instant) -> Result<Reply, StoreError> {
    Ok(match command {
        KeyCommand::Get { key } => Reply::bulk_or_null(store.get(&key, now)?),
        KeyCommand::Set { key, value, options } => set(&key, &value, options, store, now)?,
        KeyCommand::SetNx { key, value } => {
            let written = store.set(&key, &value, Condition::Absent, Expiry::None, now)?;
            Reply::Integer(written.into())
        }
        KeyCommand::Del { keys } => {
            Reply::count(keys.iter().filter(|key| store.remove(key, now)).count())
        }
        KeyCommand::Exists { keys } => {
            Reply::count(keys.iter().filter(|key| store.kind(key, now).is_some()).count())
        }
        KeyCommand::Expire { key, after } => {
            let at = deadline(now, after.unwrap_or_default());
            Reply::Integer(store.expire(&key, at, now).into())
        }
        KeyCommand::Ttl { key } => ttl(store.ttl(&key, now)),
        KeyCommand::Type { key } => Reply::Simple(match store.kind(&key, now) {
            None => "none",
            Some(Kind::String) => "string",
            Some(Kind::List) => "list",
        }),
        KeyCommand::Push { key, values, end } => Reply::count(store.push(&key, &values, end, now)?),
        KeyCommand::Pop { key, count: None, end } => {
            Reply::bulk_or_null(store.pop(&key, end, 1, now)?.and_then(|mut popped| popped.pop()))
        }
        KeyCommand::Pop { key, count: Some(count), end } => {
            store.pop(&key, end, count, now)?.map_or(Reply::NullArray, Reply::array)
        }
        KeyCommand::Index { key, position } => match store.kind(&key, now) {
            None => Reply::Null,
            Some(_) => index(&key, &position, store, now)?,
        },
        KeyCommand::Range { key, start, stop } => {
            Reply::array(store.range(&key, start, stop, now)?)
        }
    })
}

fn set(
    key: &[u8],
    value: &[u8],
    options: SetOptions,
    store: &mut Store,
    now: Instant,
) -> Result<Reply, StoreError> {
    let previous = if options.previous { store.get(key, now)? } else { None };
    let expiry = match options.expiry {
        SetExpiry::None => Expiry::None,
        SetExpiry::Keep => Expiry::Keep,
        SetExpiry::After(after) => Expiry::At(deadline(now, after)),
    };
    let written = store.set(key, value, options.condition, expiry, now)?;
    Ok(match (options.previous, written) {
        (true, _) => Reply::bulk_or_null(previous),
        (false, true) => Reply::OK,
        (false, false) => Reply::Null,
    })
}

fn index(key: &[u8], position: &[u8], store: &Store, now: Instant) -> Result<Reply, StoreError> {
    let position_or_error = integer::parse(position);
    let element = store.index(key, position_or_error.unwrap_or_default(), now)?;
    Ok(match position_or_error {
        None => Reply::error(CommandError::NotAnInteger),
        Some(_) => Reply::bulk_or_null(element),
    })
}

/// Seconds, rounded to the nearest; negative where there are none to tell.
fn ttl(ttl: Ttl) -> Reply {
    Reply::Integer(match ttl {
        Ttl::NoKey => -2,
        Ttl::NoExpiry => -1,
        Ttl::Left(left) => i64::try_from((left.as_millis() + 500) / 1000).unwrap_or(i64::MAX),
    })
}

/// A time that lies too far ahead for the clock is one that never comes; three centuries do as well.
fn deadline(now: Instant, after: Duration) -> Instant {
    const CENTURIES: Duration = Duration::from_secs(300 * 365 * 24 * 60 * 60);
    now.checked_add(after).unwrap_or(now + CENTURIES)
}
