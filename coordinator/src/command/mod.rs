//! From a request to a typed command, or to the error that Redis gives for it.

mod args;
mod connection;
mod error;
mod keys;
mod table;

use bytes::Bytes;
use tokio::time::Duration;

pub(crate) use args::Args;
pub(crate) use connection::{Hello, LibraryField, ListFilter};
pub(crate) use error::CommandError;
pub(crate) use keys::{BlockingPop, KeyCommand, SetExpiry, SetOptions};
pub(crate) use table::{COMMANDS, Spec};

/// A command that is well-formed; whether it can be carried out is seen when it is.
#[derive(Debug)]
pub(crate) enum Command {
    Ping(Option<Bytes>),
    Echo(Bytes),
    Quit,
    Select(i32),
    Hello(Hello),
    Auth {
        user: Option<Bytes>,
    },
    ClientId,
    ClientInfo,
    ClientList(ListFilter),
    ClientGetName,
    ClientSetName(Bytes),
    ClientSetInfo(LibraryField, Bytes),
    Info(Vec<Bytes>),
    /// `COMMAND`
    ListCommands,
    /// `COMMAND COUNT`
    CountCommands,
    /// `COMMAND DOCS`: there are none.
    DocumentCommands,
    Keys(KeyCommand),
    BlockingPop(BlockingPop),
}

impl Command {
    /// Reads a request: the command's name in any case, then its arguments.
    ///
    /// # Errors
    ///
    /// Displayed, the error is the text that Redis answers. The connection goes on.
    pub(crate) fn parse(request: &[Bytes]) -> Result<Self, CommandError> {
        let (name, arguments) = request.split_first().ok_or(CommandError::Syntax)?;
        let spec =
            Spec::find(COMMANDS, name).ok_or_else(|| CommandError::unknown(name, arguments))?;
        if spec.subcommands.is_empty() || arguments.is_empty() {
            return spec.parse(spec.name, request, 1);
        }
        let subcommand = Spec::find(spec.subcommands, &arguments[0])
            .ok_or_else(|| CommandError::unknown_subcommand(spec.name, &arguments[0]))?;
        subcommand.parse(&format!("{}|{}", spec.name, subcommand.name), request, 2)
    }
}

/// A number of seconds or milliseconds as a duration, if it is positive and within what Redis can add to its clock.
fn positive_duration(amount: i64, milliseconds_each: i64) -> Option<Duration> {
    // Redis adds the time since the epoch and must not overflow; half of the range leaves room for that.
    let milliseconds = amount
        .checked_mul(milliseconds_each)
        .filter(|total| *total > 0 && *total < i64::MAX / 2)?;
    u64::try_from(milliseconds).ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(line: &str) -> Result<Command, CommandError> {
        Command::parse(
            &line
                .split(' ')
                .map(|word| Bytes::copy_from_slice(word.as_bytes()))
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn every_command_of_the_table_checks_its_arity() {
        for spec in COMMANDS {
            let too_few =
                vec![Bytes::from_static(spec.name.as_bytes()); spec.arity.unsigned_abs() - 1];
            if !too_few.is_empty() && spec.subcommands.is_empty() {
                let error = Command::parse(&too_few).unwrap_err().to_string();
                assert_eq!(
                    error,
                    format!("ERR wrong number of arguments for '{}' command", spec.name)
                );
            }
        }
    }

    #[test]
    fn names_and_options_are_read_in_any_case() {
        assert!(matches!(parse("pInG"), Ok(Command::Ping(None))));
        assert!(matches!(parse("cLiEnT iD"), Ok(Command::ClientId)));
        assert!(matches!(parse("set a b eX 10 nX"), Ok(Command::Keys(KeyCommand::Set { .. }))));
    }

    #[test]
    fn a_timeout_is_in_seconds_and_zero_is_for_ever() {
        let timeout = |line: &str| match parse(line) {
            Ok(Command::BlockingPop(pop)) => Ok(pop.timeout),
            Ok(_) => panic!("not a blocking pop"),
            Err(error) => Err(error.to_string()),
        };
        assert_eq!(timeout("BLPOP a b 0"), Ok(None));
        assert_eq!(timeout("BLPOP a 1.5"), Ok(Some(Duration::from_millis(1500))));
        assert_eq!(timeout("BLPOP a 1e-9"), Ok(Some(Duration::from_millis(1))));
        assert_eq!(timeout("BLPOP a inf"), Err("ERR timeout is out of range".to_owned()));
        assert_eq!(timeout("BLPOP a 1e300"), Err("ERR timeout is out of range".to_owned()));
    }

    proptest! {
        #[test]
        fn arbitrary_requests_never_panic(request in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..8), 0..6)) {
            let request: Vec<Bytes> = request.into_iter().map(Bytes::from).collect();
            if let Err(error) = Command::parse(&request) {
                prop_assert!(!error.to_string().contains(['\r', '\n']));
            }
        }

        #[test]
        fn arbitrary_arguments_never_panic(
            spec in prop::sample::select(COMMANDS),
            arguments in prop::collection::vec("EX|PX|NX|XX|GET|KEEPTTL|AUTH|SETNAME|ID|LIST|SETINFO|TYPE|-?[0-9]{1,19}|-?[0-9.e]{1,9}|inf|nan|.{0,5}", 0..7),
        ) {
            let mut request = vec![Bytes::from_static(spec.name.as_bytes())];
            request.extend(arguments.into_iter().map(Bytes::from));
            if let Err(error) = Command::parse(&request) {
                prop_assert!(!error.to_string().contains(['\r', '\n']));
            }
        }
    }
}
