//! What can be said by hand alone: flags that have no variable, because the contract knows nothing of
//! them.

use std::time::Duration;

use super::parse;
use super::{Invalid, Settings, Variable};
use crate::load::{Beside, Load, MAX_CONNECTIONS, MAX_STREAMS};
use crate::plan::Plan;
use crate::progress::{Form, Progress};

macro_rules! flags {
    ($($ident:ident = $name:literal, $flag:literal, $accepts:literal, $default:literal;)+) => {
        $(
            #[doc = concat!("`", $name, "`: ", $accepts, "; default: ", $default, ".")]
            pub const $ident: Variable =
                Variable { name: $name, flag: $flag, accepts: $accepts, default: $default };
        )+
        /// A dialer's flags that have no variable.
        pub const FLAGS: &[&Variable] = &[$(&$ident),+];
    };
}

flags! {
    OMIT = "--omit", "omit", "seconds above 0, as 20, 0.5 or 20s", "nothing is left out";
    INTERVAL = "--interval", "interval", "seconds above 0, as 20, 0.5 or 20s, or 0 for none", "0; 1 on a terminal";
    STREAMS = "--streams", "streams", "a whole number, 1 to 100", "1";
    CONNECTIONS = "--connections", "connections", "a whole number, 1 to 256", "1";
    BIDIRECTIONAL = "--bidirectional", "bidirectional", "true or false (1 or 0, in any case)", "false";
    LATENCY_UNDER_LOAD = "--latency-under-load", "latency-under-load", "upload, download or both", "none";
    HANDSHAKES = "--handshakes", "handshakes", "a whole number up to 1000000", "0";
    PROGRESS = "--progress", "progress", "text or json", "text";
}

impl Load {
    /// What the flags say, checked against `plan`.
    pub(super) fn read(settings: &Settings, plan: &Plan) -> Result<Self, Invalid> {
        let up_to = |most: usize| {
            move |text: &str| {
                let count = usize::try_from(parse::digits(text)?).ok()?;
                (1..=most).contains(&count).then_some(count)
            }
        };
        let beside = |text: &str| {
            Beside::ALL.into_iter().find(|(name, _)| *name == text).map(|(_, value)| value)
        };
        let load = Self {
            connections: settings.read(&CONNECTIONS, up_to(MAX_CONNECTIONS))?.unwrap_or(1),
            streams: settings.read(&STREAMS, up_to(MAX_STREAMS))?.unwrap_or(1),
            bidirectional: settings.read(&BIDIRECTIONAL, parse::boolean)?.unwrap_or(false),
            omit: settings.read(&OMIT, parse::seconds)?.unwrap_or_default(),
            latency_under: settings.read(&LATENCY_UNDER_LOAD, beside)?,
            handshakes: settings.read(&HANDSHAKES, parse::count)?.unwrap_or(0),
        };
        load.check(plan)?;
        Ok(load)
    }
}

impl Progress {
    /// What the flags say.
    pub(super) fn read(settings: &Settings) -> Result<Self, Invalid> {
        let form = |text: &str| match text {
            "text" => Some(Form::Text),
            "json" => Some(Form::Json),
            _ => None,
        };
        let interval = |text: &str| match parse::digits(text) {
            Some(0) => Some(Duration::ZERO),
            _ => parse::seconds(text),
        };
        let form = settings.read(&PROGRESS, form)?.unwrap_or(Form::Text);
        let interval = settings.read(&INTERVAL, interval)?.filter(|every| *every > Duration::ZERO);
        Ok(Self { form, interval })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{
        Config, DOWNLOAD_ITERATIONS, DURATION, LATENCY_ITERATIONS, Role, UPLOAD_BYTES,
        UPLOAD_ITERATIONS,
    };

    fn config(flags: &[(&Variable, &str)]) -> Result<Config, Invalid> {
        let settings = flags.iter().fold(Settings::default(), |settings, (flag, value)| {
            settings.with_flag(flag, Some((*value).to_owned()))
        });
        Config::by_hand(Role::Dialer, settings)
    }

    #[test]
    fn silence_is_the_contracts_load() {
        let config = config(&[]).unwrap();
        assert_eq!((config.load, config.progress.interval), (Load::default(), None));
    }

    #[test]
    fn every_flag_is_read() {
        let config = config(&[
            (&DURATION, "10"),
            (&OMIT, "2"),
            (&INTERVAL, "0.5"),
            (&STREAMS, "4"),
            (&CONNECTIONS, "2"),
            (&BIDIRECTIONAL, "true"),
            (&LATENCY_UNDER_LOAD, "both"),
            (&HANDSHAKES, "9"),
            (&PROGRESS, "json"),
        ])
        .unwrap();
        let expected = Load {
            connections: 2,
            streams: 4,
            bidirectional: true,
            omit: Duration::from_secs(2),
            latency_under: Some(Beside::Both),
            handshakes: 9,
        };
        assert_eq!(config.load, expected);
        let every = Some(Duration::from_millis(500));
        assert_eq!(config.progress, Progress { form: Form::Json, interval: every });
        assert_eq!(config.load.streams_at_once(), 9);
    }

    #[test]
    fn the_contract_knows_none_of_them() {
        let settings = Settings::from_lookup(|name| match name {
            "IS_DIALER" => Some("true".to_owned()),
            "TRANSPORT" => Some("quic-v1".to_owned()),
            name => name.starts_with("--").then(|| "7".to_owned()),
        });
        assert_eq!(Config::from_contract(&settings).unwrap().load, Load::default());
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_reason() {
        let no_transfers = [(&UPLOAD_ITERATIONS, "0"), (&DOWNLOAD_ITERATIONS, "0")];
        let only =
            |flags: &[(&'static Variable, &'static str)]| [&no_transfers[..], flags].concat();
        let cases: [(&[(&Variable, &str)], &str); 15] = [
            (
                &[(&STREAMS, "0")],
                "--streams: \"0\" is not accepted; it takes a whole number, 1 to 100",
            ),
            (&[(&STREAMS, "101")], "1 to 100"),
            (&[(&STREAMS, "51"), (&BIDIRECTIONAL, "true")], "102 streams at once"),
            (&[(&STREAMS, "50"), (&LATENCY_UNDER_LOAD, "both")], "101 streams at once"),
            (&[(&CONNECTIONS, "0")], "1 to 256"),
            (&[(&INTERVAL, "-1")], "or 0 for none"),
            (&[(&OMIT, "1")], "give --duration"),
            (
                &[
                    (&OMIT, "1"),
                    (&DURATION, "2"),
                    (&UPLOAD_BYTES, "1"),
                    (&DOWNLOAD_ITERATIONS, "0"),
                ],
                "give --duration, and no size",
            ),
            (&[(&BIDIRECTIONAL, "true"), (&UPLOAD_ITERATIONS, "3")], "3 uploads and 10 downloads"),
            (
                &[(&BIDIRECTIONAL, "true"), (&DURATION, "2"), (&UPLOAD_BYTES, "1")],
                "one direction has a size",
            ),
            (&only(&[(&STREAMS, "4"), (&HANDSHAKES, "9")]), "--streams: \"4\" are for uploads"),
            (&only(&[(&LATENCY_ITERATIONS, "0")]), "nothing would be measured"),
            (&only(&[(&CONNECTIONS, "4")]), "--connections: \"4\" are for uploads"),
            (&[(&LATENCY_UNDER_LOAD, "up")], "upload, download or both"),
            (&[(&LATENCY_UNDER_LOAD, "both"), (&LATENCY_ITERATIONS, "0")], "--latency-iterations"),
        ];
        for (flags, expected) in cases {
            let told = config(flags).unwrap_err().to_string();
            assert!(told.contains(expected), "{told}\nis not\n{expected}");
        }
        config(&only(&[(&CONNECTIONS, "4"), (&HANDSHAKES, "9")])).unwrap();
        config(&only(&[(&STREAMS, "4"), (&LATENCY_UNDER_LOAD, "upload")])).unwrap();
    }
}
