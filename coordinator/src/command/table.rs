//! Every command there is: what `COMMAND` tells of it, and who reads its arguments.

use bytes::Bytes;

use super::{Args, Command, CommandError, connection, keys};

type Parse = fn(&mut Args<'_>) -> Result<Command, CommandError>;

/// One command, as Redis describes its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    /// In lower case.
    pub(crate) name: &'static str,
    /// How many arguments a request has, all names included; at least so many where negative.
    pub(crate) arity: isize,
    pub(crate) flags: &'static [&'static str],
    /// Positions of the first and last key and the step between keys; zeroes where there are none, -n counted from
    /// the end.
    pub(crate) keys: (i64, i64, i64),
    pub(crate) subcommands: &'static [Spec],
    parse: Parse,
}

impl Spec {
    /// The command called `name`, in any case.
    pub(super) fn find(table: &'static [Self], name: &[u8]) -> Option<&'static Self> {
        table.iter().find(|spec| spec.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// Reads the arguments of `request` behind its first `names` words, if there are as many as the arity says.
    pub(super) fn parse(
        &self,
        full_name: &str,
        request: &[Bytes],
        names: usize,
    ) -> Result<Command, CommandError> {
        let wanted = self.arity.unsigned_abs();
        let fits = if self.arity < 0 { request.len() >= wanted } else { request.len() == wanted };
        if !fits {
            return Err(CommandError::WrongArity(full_name.to_owned()));
        }
        (self.parse)(&mut Args::new(request.get(names..).unwrap_or_default()))
    }
}

const NO_KEYS: (i64, i64, i64) = (0, 0, 0);
const ONE_KEY: (i64, i64, i64) = (1, 1, 1);
const ALL_KEYS: (i64, i64, i64) = (1, -1, 1);
const ALL_KEYS_BUT_LAST: (i64, i64, i64) = (1, -2, 1);

const READ: &[&str] = &["readonly", "fast"];
const WRITE: &[&str] = &["write", "fast"];
const GROW: &[&str] = &["write", "denyoom", "fast"];
const BLOCK: &[&str] = &["write", "noscript", "blocking"];
const SERVER: &[&str] = &["noscript", "loading", "stale", "fast"];

const fn spec(
    name: &'static str,
    arity: isize,
    flags: &'static [&'static str],
    keys: (i64, i64, i64),
    parse: Parse,
) -> Spec {
    Spec { name, arity, flags, keys, subcommands: &[], parse }
}

/// In alphabetical order.
pub(crate) const COMMANDS: &[Spec] = &[
    spec("auth", -2, SERVER, NO_KEYS, connection::auth),
    spec("blpop", -3, BLOCK, ALL_KEYS_BUT_LAST, keys::blpop),
    Spec { subcommands: CLIENT, ..spec("client", -2, SERVER, NO_KEYS, connection::container) },
    Spec {
        subcommands: COMMAND,
        ..spec("command", -1, SERVER, NO_KEYS, connection::command_table)
    },
    spec("del", -2, WRITE, ALL_KEYS, keys::del),
    spec("echo", 2, SERVER, NO_KEYS, connection::echo_command),
    spec("exists", -2, READ, ALL_KEYS, keys::exists),
    spec("expire", -3, WRITE, ONE_KEY, keys::expire),
    spec("get", 2, READ, ONE_KEY, keys::get),
    spec("hello", -1, SERVER, NO_KEYS, connection::hello),
    spec("info", -1, SERVER, NO_KEYS, connection::info),
    spec("lindex", 3, READ, ONE_KEY, keys::lindex),
    spec("lpop", -2, WRITE, ONE_KEY, keys::lpop),
    spec("lpush", -3, GROW, ONE_KEY, keys::lpush),
    spec("lrange", 4, READ, ONE_KEY, keys::lrange),
    spec("ping", -1, SERVER, NO_KEYS, connection::ping),
    spec("quit", -1, SERVER, NO_KEYS, connection::quit),
    spec("rpop", -2, WRITE, ONE_KEY, keys::rpop),
    spec("rpush", -3, GROW, ONE_KEY, keys::rpush),
    spec("select", 2, SERVER, NO_KEYS, connection::select),
    spec("set", -3, GROW, ONE_KEY, keys::set),
    spec("setex", 4, GROW, ONE_KEY, keys::setex),
    spec("setnx", 3, GROW, ONE_KEY, keys::setnx),
    spec("ttl", 2, READ, ONE_KEY, keys::ttl),
    spec("type", 2, READ, ONE_KEY, keys::kind),
];

const CLIENT: &[Spec] = &[
    spec("getname", 2, SERVER, NO_KEYS, connection::client_getname),
    spec("id", 2, SERVER, NO_KEYS, connection::client_id),
    spec("info", 2, SERVER, NO_KEYS, connection::client_info),
    spec("list", -2, SERVER, NO_KEYS, connection::client_list),
    spec("setinfo", 4, SERVER, NO_KEYS, connection::client_setinfo),
    spec("setname", 3, SERVER, NO_KEYS, connection::client_setname),
];

const COMMAND: &[Spec] = &[
    spec("count", 2, SERVER, NO_KEYS, connection::command_count),
    spec("docs", -2, SERVER, NO_KEYS, connection::command_docs),
];
