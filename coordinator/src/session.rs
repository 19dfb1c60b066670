//! One client's side of the conversation: its name, its protocol, and what its commands come to.

use bytes::Bytes;
use tokio::time::Instant;

use crate::Limits;
use crate::clients::{Clients, Registered};
use crate::command::{BlockingPop, COMMANDS, Command, CommandError, Hello, LibraryField, Spec};
use crate::execute::execute;
use crate::info::{self, REDIS_VERSION};
use crate::keyspace::{Keyspace, Wait};
use crate::reply::{Protocol, Reply};
use crate::request::Request;
use crate::store::{End, Store, StoreError};

/// The longest name that a client may give itself or its library, in bytes: names outlive their requests.
const MAX_NAME: usize = 256;

/// What every connection of a server shares.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) keyspace: Keyspace,
    pub(crate) clients: Clients,
    pub(crate) limits: Limits,
    pub(crate) port: u16,
    pub(crate) since: Instant,
}

/// What is to be done for a request.
#[derive(Debug)]
pub(crate) enum Step {
    Reply(Reply),
    /// Reply, then close.
    Goodbye(Reply),
    /// Reply when the wait or the time is over. No deadline: wait for ever.
    Wait(Wait, Option<Instant>),
}

/// One client, as far as it is not a socket.
#[derive(Debug)]
pub(crate) struct Session {
    shared: Shared,
    client: Registered,
    protocol: Protocol,
}

/// A client asks for something that this server does not allow. Displays as what Redis says, where it says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum SessionError {
    #[error("ERR DB index is out of range")]
    NoSuchDatabase,
    #[error("WRONGPASS invalid username-password pair or user is disabled.")]
    WrongPassword,
    #[error(
        "ERR AUTH <password> called without any password configured for the default user. \
         Are you sure your configuration is correct?"
    )]
    NoPassword,
    #[error("ERR Client names cannot contain spaces, newlines or special characters.")]
    UnprintableName,
    #[error("ERR {} cannot contain spaces, newlines or special characters.", .0.as_str())]
    UnprintableLibrary(LibraryField),
    #[error("ERR Client names cannot be longer than {MAX_NAME} bytes")]
    NameTooLong,
}

impl Session {
    pub(crate) fn new(shared: Shared, client: Registered) -> Self {
        Self { shared, client, protocol: Protocol::default() }
    }

    /// The protocol of the next reply.
    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Carries out one request.
    pub(crate) fn apply(&mut self, request: &Request) -> Step {
        match Command::parse(request) {
            Ok(Command::Quit) => Step::Goodbye(Reply::OK),
            Ok(Command::BlockingPop(pop)) => self.pop_or_wait(&pop),
            Ok(command) => Step::Reply(self.answer(command).unwrap_or_else(Reply::error)),
            Err(error) => Step::Reply(Reply::error(error)),
        }
    }

    /// The reply to a blocked client that was served, or to one whose time is over.
    pub(crate) fn popped(popped: Option<(Bytes, Bytes)>) -> Reply {
        popped.map_or(Reply::NullArray, |(key, element)| Reply::array(vec![key, element]))
    }

    fn answer(&mut self, command: Command) -> Result<Reply, SessionError> {
        Ok(match command {
            Command::Ping(None) => Reply::Simple("PONG"),
            Command::Ping(Some(message)) | Command::Echo(message) => Reply::Bulk(message),
            Command::Select(0) => Reply::OK,
            Command::Select(_) => return Err(SessionError::NoSuchDatabase),
            Command::Hello(hello) => self.hello(hello)?,
            Command::Auth { user } => authenticate(user)?,
            Command::ClientId => self.id(),
            Command::ClientInfo => Reply::Text(self.client.with(|client| format!("{client}\n"))),
            Command::ClientList(filter) => Reply::Text(self.shared.clients.list(&filter)),
            Command::ClientGetName => match self.client.with(|client| client.name.clone()) {
                name if name.is_empty() => Reply::Null,
                name => Reply::bulk(name),
            },
            Command::ClientSetName(name) => self.set_name(&name)?,
            Command::ClientSetInfo(field, value) => self.set_library(field, &value)?,
            Command::Info(sections) => Reply::Text(info::render(&self.shared, &sections)),
            Command::ListCommands => Reply::Array(COMMANDS.iter().map(describe).collect()),
            Command::CountCommands => Reply::count(COMMANDS.len()),
            Command::DocumentCommands => Reply::Map(Vec::new()),
            Command::Keys(command) => {
                execute(command, &mut self.shared.keyspace.lock(), Instant::now())
            }
            Command::Quit | Command::BlockingPop(_) => Reply::error(CommandError::Syntax),
        })
    }

    fn hello(&mut self, hello: Hello) -> Result<Reply, SessionError> {
        if hello.user.is_some() {
            authenticate(hello.user)?;
        }
        if let Some(name) = hello.name {
            self.set_name(&name)?;
        }
        if let Some(protocol) = hello.protocol {
            self.protocol = protocol;
            self.client.with(|client| client.protocol = protocol);
        }
        let fields = [
            ("server", Reply::bulk("redis")),
            ("version", Reply::bulk(REDIS_VERSION)),
            ("proto", Reply::Integer(self.protocol.number())),
            ("id", self.id()),
            ("mode", Reply::bulk("standalone")),
            ("role", Reply::bulk("master")),
            ("modules", Reply::Array(Vec::new())),
        ];
        Ok(Reply::Map(fields.into_iter().map(|(name, value)| (Reply::bulk(name), value)).collect()))
    }

    fn id(&self) -> Reply {
        Reply::Integer(i64::try_from(self.client.id()).unwrap_or(i64::MAX))
    }

    fn set_name(&self, name: &[u8]) -> Result<Reply, SessionError> {
        let name = printable(name, SessionError::UnprintableName)?;
        self.client.with(|client| client.name = name);
        Ok(Reply::OK)
    }

    fn set_library(&self, field: LibraryField, value: &[u8]) -> Result<Reply, SessionError> {
        let value = printable(value, SessionError::UnprintableLibrary(field))?;
        self.client.with(|client| {
            if let Some((_, old)) = client.library.iter_mut().find(|(known, _)| *known == field) {
                *old = value;
            }
        });
        Ok(Reply::OK)
    }

    /// Looks at every list and queues for all of them in one go: nothing can be pushed in between.
    fn pop_or_wait(&self, pop: &BlockingPop) -> Step {
        let now = Instant::now();
        let mut store = self.shared.keyspace.lock();
        match pop_first(&pop.keys, &mut store, now) {
            Ok(None) => {
                let wait = self.shared.keyspace.wait(&mut store, &pop.keys);
                // A deadline that the clock cannot tell never comes.
                Step::Wait(wait, pop.timeout.and_then(|timeout| now.checked_add(timeout)))
            }
            Ok(popped) => Step::Reply(Self::popped(popped)),
            Err(error) => Step::Reply(Reply::error(error)),
        }
    }
}

fn pop_first(
    keys: &[Bytes],
    store: &mut Store,
    now: Instant,
) -> Result<Option<(Bytes, Bytes)>, StoreError> {
    for key in keys {
        if let Some(element) =
            store.pop(key, End::Left, 1, now)?.and_then(|mut popped| popped.pop())
        {
            return Ok(Some((key.clone(), element)));
        }
    }
    Ok(None)
}

/// There is one user, `default`, who needs no password: as in Redis, any will do if the user is named.
fn authenticate(user: Option<Bytes>) -> Result<Reply, SessionError> {
    match user {
        None => Err(SessionError::NoPassword),
        Some(user) if user == "default" => Ok(Reply::OK),
        Some(_) => Err(SessionError::WrongPassword),
    }
}

fn printable(name: &[u8], unprintable: SessionError) -> Result<String, SessionError> {
    if name.len() > MAX_NAME {
        return Err(SessionError::NameTooLong);
    }
    if !name.iter().all(u8::is_ascii_graphic) {
        return Err(unprintable);
    }
    Ok(String::from_utf8_lossy(name).into_owned())
}

/// An entry of `COMMAND`: what Redis 7 tells, with the lists that concern access rules and documentation empty.
fn describe(spec: &Spec) -> Reply {
    let (first, last, step) = spec.keys;
    let subcommands = spec.subcommands.iter().map(describe).collect();
    Reply::Array(vec![
        Reply::bulk(spec.name),
        Reply::Integer(i64::try_from(spec.arity).unwrap_or_default()),
        Reply::Array(spec.flags.iter().copied().map(Reply::Simple).collect()),
        Reply::Integer(first),
        Reply::Integer(last),
        Reply::Integer(step),
        Reply::Array(Vec::new()),
        Reply::Array(Vec::new()),
        Reply::Array(Vec::new()),
        Reply::Array(subcommands),
    ])
}
