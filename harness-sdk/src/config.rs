//! From flags and variables to one validated configuration.
//!
//! [`Settings`] collects raw text and remembers where each value came from; [`Config`] is what they
//! mean. Nothing else in a node reads the environment.

pub mod by_hand;
pub mod parse;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use crate::failure::{Class, Failure, Phase};
use crate::load::Load;
use crate::plan::{Amount, Direction, Plan};
use crate::progress::{Form, Progress};
use crate::stack::{Muxer, Profile, SecureChannel, Stack, Transport};

/// A setting that every node understands: one row of the contract's first table.
#[derive(Debug, PartialEq, Eq)]
pub struct Variable {
    /// The environment variable.
    pub name: &'static str,
    /// The flag that says the same by hand, without its dashes; empty where there is none.
    pub flag: &'static str,
    /// What is accepted.
    pub accepts: &'static str,
    /// What holds where it is absent.
    pub default: &'static str,
}

macro_rules! variables {
    ($($ident:ident = $name:literal, $flag:literal, $accepts:literal, $default:literal;)+) => {
        $(
            #[doc = concat!("`", $name, "`: ", $accepts, "; default: ", $default, ".")]
            pub const $ident: Variable =
                Variable { name: $name, flag: $flag, accepts: $accepts, default: $default };
        )+
        /// Every variable of the contract.
        pub const VARIABLES: &[&Variable] = &[$(&$ident),+];
    };
}

variables! {
    IS_DIALER = "IS_DIALER", "", "true or false (1 or 0, in any case)", "required";
    REDIS_ADDR = "REDIS_ADDR", "", "host:port, or a redis:// URL", "redis:6379";
    TEST_KEY = "TEST_KEY", "", "1 to 64 of the characters A-Z a-z 0-9 . _ -", "none: un-namespaced keys";
    TRANSPORT = "TRANSPORT", "transport", "tcp, ws, quic-v1, webtransport, webrtc-direct, https, quic, raw-tcp, raw-tls, raw-noise or raw-quic", "required";
    SECURE_CHANNEL = "SECURE_CHANNEL", "secure-channel", "noise or tls with tcp and ws; nothing, or null, with other transports", "required with tcp and ws";
    MUXER = "MUXER", "muxer", "yamux or mplex with tcp and ws; nothing, or null, with other transports", "required with tcp and ws";
    LISTENER_IP = "LISTENER_IP", "ip", "an IP address", "0.0.0.0";
    UPLOAD_BYTES = "UPLOAD_BYTES", "upload-bytes", "a whole number of bytes, or one with K, M or G for 1024, 1024^2, 1024^3", "1073741824";
    DOWNLOAD_BYTES = "DOWNLOAD_BYTES", "download-bytes", "a whole number of bytes, or one with K, M or G for 1024, 1024^2, 1024^3", "1073741824";
    UPLOAD_ITERATIONS = "UPLOAD_ITERATIONS", "upload-iterations", "a whole number up to 1000000; 0 skips the section", "10";
    DOWNLOAD_ITERATIONS = "DOWNLOAD_ITERATIONS", "download-iterations", "a whole number up to 1000000; 0 skips the section", "10";
    LATENCY_ITERATIONS = "LATENCY_ITERATIONS", "latency-iterations", "a whole number up to 1000000; 0 skips the section", "100";
    DURATION = "DURATION", "duration", "seconds above 0, as 20, 0.5 or 20s", "none: iterations are sized in bytes";
    DEBUG = "DEBUG", "debug", "true or false (1 or 0, in any case)", "false";
    PERF_PROFILE = "PERF_PROFILE", "profile", "stock or tuned", "stock";
    PERF_IDENTITY = "PERF_IDENTITY", "identity", "the path of a key file, made where absent", "a fresh identity";
    PERF_LISTENER_PORT = "PERF_LISTENER_PORT", "port", "a port, 0 to 65535; 0: any free one", "0";
    PERF_STALL_SECS = "PERF_STALL_SECS", "stall-secs", "seconds above 0, as 20, 0.5 or 20s", "30";
    PERF_TIMEOUT_SECS = "PERF_TIMEOUT_SECS", "timeout-secs", "seconds above 0, as 20, 0.5 or 20s", "none";
    PERF_WARMUP = "PERF_WARMUP", "warmup", "a whole number up to 1000000", "0";
}

/// Most iterations a section may have: its samples are kept in memory (8 bytes each).
pub const MAX_ITERATIONS: u64 = 1_000_000;

const DEFAULT_BYTES: u64 = 1 << 30;
const DEFAULT_ITERATIONS: u64 = 10;
const DEFAULT_LATENCY_ITERATIONS: u64 = 100;
const DEFAULT_STALL: Duration = Duration::from_secs(30);
const DEFAULT_REDIS_ADDR: &str = "redis:6379";

/// Raw values by variable name, each with how the user knows it: the variable's own name, or the
/// flag that overrode it. An empty value and the literal `null` are absent.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    values: BTreeMap<&'static str, Raw>,
}

#[derive(Clone, Debug)]
struct Raw {
    text: String,
    origin: String,
}

impl Settings {
    /// Reads the process's environment. Values that are not Unicode are kept with replacement
    /// characters, so that the one who reads them refuses them by name.
    pub fn from_env() -> Self {
        Self::from_lookup(|name| std::env::var_os(name).map(|v| v.to_string_lossy().into_owned()))
    }

    /// Reads every variable of the contract from `lookup`.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let mut settings = Self::default();
        for variable in VARIABLES {
            settings.insert(variable, variable.name.to_owned(), lookup(variable.name));
        }
        settings
    }

    /// Reads a node's own variables from the environment as well.
    #[must_use]
    pub fn with_variables(mut self, variables: &[&Variable]) -> Self {
        let from_env = |name| std::env::var_os(name).map(|v| v.to_string_lossy().into_owned());
        for variable in variables {
            self.insert(variable, variable.name.to_owned(), from_env(variable.name));
        }
        self
    }

    /// A flag's value, which wins over the variable's; `None`: the flag was not given.
    #[must_use]
    pub fn with_flag(mut self, variable: &Variable, value: Option<String>) -> Self {
        if value.is_some() {
            self.insert(variable, format!("--{}", variable.flag), value);
        }
        self
    }

    /// A value that holds where neither flag nor variable says anything.
    #[must_use]
    pub fn with_default(mut self, variable: &Variable, value: &str) -> Self {
        if !self.values.contains_key(variable.name) {
            self.insert(variable, variable.name.to_owned(), Some(value.to_owned()));
        }
        self
    }

    /// Forgets a variable that has no meaning in the mode the process runs in.
    #[must_use]
    pub fn without(mut self, variable: &Variable) -> Self {
        self.values.remove(variable.name);
        self
    }

    /// The value's text, if there is one.
    pub fn get(&self, variable: &Variable) -> Option<&str> {
        self.values.get(variable.name).map(|raw| raw.text.as_str())
    }

    /// The role that IS_DIALER names, if it does.
    pub fn role(&self) -> Option<Role> {
        let dialer = self.get(&IS_DIALER).and_then(parse::boolean)?;
        Some(if dialer { Role::Dialer } else { Role::Listener })
    }

    fn insert(&mut self, variable: &Variable, origin: String, value: Option<String>) {
        match value.map(|text| text.trim().to_owned()) {
            Some(text) if !text.is_empty() && text != "null" => {
                self.values.insert(variable.name, Raw { text, origin });
            }
            Some(_) => {
                self.values.remove(variable.name);
            }
            None => {}
        }
    }

    /// Reads `variable` with `parse`, which answers `None` to what it does not accept; `None`: it
    /// is absent.
    pub fn read<T>(
        &self,
        variable: &Variable,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Invalid> {
        let Some(raw) = self.values.get(variable.name) else { return Ok(None) };
        match parse(&raw.text) {
            Some(value) => Ok(Some(value)),
            None => Err(self.invalid(variable, raw.text.clone())),
        }
    }

    fn require<T>(
        &self,
        variable: &Variable,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Invalid> {
        self.read(variable, parse)?.ok_or(Invalid::missing(variable))
    }

    fn invalid(&self, variable: &Variable, value: String) -> Invalid {
        Invalid::Value { name: self.origin(variable), value, accepts: variable.accepts }
    }

    /// How the user knows a setting: the flag that gave it, or its variable.
    fn origin(&self, variable: &Variable) -> String {
        self.values.get(variable.name).map_or(variable.name, |raw| &raw.origin).to_owned()
    }
}

/// Why settings are not a configuration. The message names the variable or flag, the value and
/// what is accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A value that is not accepted.
    #[error("{name}: \"{value}\" is not accepted; it takes {accepts}")]
    Value {
        /// The variable or flag.
        name: String,
        /// What it was set to.
        value: String,
        /// What it takes.
        accepts: &'static str,
    },
    /// A variable without which there is no run.
    #[error("{name} is not set; it takes {accepts}")]
    Missing {
        /// The variable.
        name: String,
        /// What it takes.
        accepts: &'static str,
    },
    /// Settings that are accepted alone but not together.
    #[error("{0}")]
    Combination(String),
}

impl Invalid {
    fn missing(variable: &Variable) -> Self {
        Self::Missing { name: variable.name.to_owned(), accepts: variable.accepts }
    }
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Self {
        Self::new(Class::Usage, Phase::Configuration, invalid.to_string())
    }
}

/// Which side of the connection a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Connects and measures.
    Dialer,
    /// Binds and answers.
    Listener,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dialer => "dialer",
            Self::Listener => "listener",
        })
    }
}

/// One validated configuration, made once.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Dialer or listener.
    pub role: Role,
    /// What is measured.
    pub stack: Stack,
    /// Where dialer and listener meet: always a `redis://` URL.
    pub redis_url: String,
    /// Namespace of the keys in Redis.
    pub test_key: Option<String>,
    /// What a listener binds.
    pub ip: IpAddr,
    /// What a listener binds; 0: any free port.
    pub port: u16,
    /// What a dialer measures.
    pub plan: Plan,
    /// No byte for this long on a stream that should move is a failure of it.
    pub stall: Duration,
    /// One deadline for a dialer's whole run.
    pub timeout: Option<Duration>,
    /// How a dialer's iterations are run; by hand only.
    pub load: Load,
    /// What a dialer says while it works; by hand only.
    pub progress: Progress,
    /// A listener that ends with its first dialer, as `iperf3 -1` does; by hand only.
    pub one_off: bool,
    /// A key file, made where absent; `None`: a fresh identity.
    pub identity: Option<PathBuf>,
    /// More on stderr.
    pub debug: bool,
}

impl Config {
    /// Contract mode: the role is IS_DIALER's, and nothing is assumed about the stack.
    pub fn from_contract(settings: &Settings) -> Result<Self, Invalid> {
        settings.require(&IS_DIALER, parse::boolean)?;
        Self::new(settings.role().unwrap_or(Role::Listener), settings)
    }

    /// By hand: the role is the subcommand's. TCP, Noise and yamux hold where nothing else is said.
    pub fn by_hand(role: Role, settings: Settings) -> Result<Self, Invalid> {
        let mut settings =
            settings.without(&IS_DIALER).with_default(&TRANSPORT, Transport::Tcp.as_str());
        if settings.require(&TRANSPORT, parse::name::<Transport>)?.is_layered() {
            settings = settings
                .with_default(&SECURE_CHANNEL, SecureChannel::Noise.as_str())
                .with_default(&MUXER, Muxer::Yamux.as_str());
        }
        let config = Self::new(role, &settings)?;
        let progress = Progress::read(&settings)?;
        if progress.form == Form::Json && config.debug {
            let told = "--progress: \"json\" makes every line on stderr JSON, and what --debug says is none; leave one out";
            return Err(Invalid::Combination(told.to_owned()));
        }
        Ok(Self { load: Load::read(&settings, &config.plan)?, progress, ..config })
    }

    fn new(role: Role, settings: &Settings) -> Result<Self, Invalid> {
        Ok(Self {
            role,
            stack: read_stack(settings)?,
            redis_url: settings
                .read(&REDIS_ADDR, parse::redis_url)?
                .unwrap_or_else(|| format!("redis://{DEFAULT_REDIS_ADDR}")),
            test_key: settings.read(&TEST_KEY, parse::test_key)?,
            ip: settings
                .read(&LISTENER_IP, |text| text.parse().ok())?
                .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            port: settings.read(&PERF_LISTENER_PORT, |text| text.parse().ok())?.unwrap_or(0),
            plan: read_plan(settings)?,
            stall: settings.read(&PERF_STALL_SECS, parse::seconds)?.unwrap_or(DEFAULT_STALL),
            timeout: settings.read(&PERF_TIMEOUT_SECS, parse::seconds)?,
            load: Load::default(),
            progress: Progress::default(),
            one_off: false,
            identity: settings.read(&PERF_IDENTITY, |text| Some(PathBuf::from(text)))?,
            debug: settings.read(&DEBUG, parse::boolean)?.unwrap_or(false),
        })
    }
}

fn read_stack(settings: &Settings) -> Result<Stack, Invalid> {
    let transport = settings.require(&TRANSPORT, parse::name::<Transport>)?;
    let secure_channel = settings.read(&SECURE_CHANNEL, parse::name::<SecureChannel>)?;
    let muxer = settings.read(&MUXER, parse::name::<Muxer>)?;
    for (variable, present) in
        [(&SECURE_CHANNEL, secure_channel.is_some()), (&MUXER, muxer.is_some())]
    {
        match (transport.is_layered(), present) {
            (true, false) => return Err(Invalid::missing(variable)),
            (false, true) => {
                let value = settings.get(variable).unwrap_or_default();
                return Err(Invalid::Combination(format!(
                    "{}: \"{value}\" is not accepted with transport {transport}, which brings its own; leave it out",
                    settings.origin(variable),
                )));
            }
            _ => {}
        }
    }
    let profile = settings.read(&PERF_PROFILE, parse::name::<Profile>)?.unwrap_or(Profile::Stock);
    Ok(Stack { transport, secure_channel, muxer, profile })
}

fn read_plan(settings: &Settings) -> Result<Plan, Invalid> {
    let duration = settings.read(&DURATION, parse::seconds)?;
    let direction = |bytes: &Variable, iterations: &Variable| {
        let given = settings.read(bytes, parse::bytes)?;
        let iterations = settings.read(iterations, parse::count)?.unwrap_or(DEFAULT_ITERATIONS);
        let amount = match (given, duration) {
            (None | Some(0), Some(duration)) => Amount::Duration(duration),
            (None, None) => Amount::Bytes(DEFAULT_BYTES),
            (Some(0), None) if iterations > 0 => {
                return Err(Invalid::Combination(format!(
                    "{}: 0 bytes take no time that could be measured; give a size, or DURATION, or 0 iterations",
                    settings.origin(bytes),
                )));
            }
            (Some(bytes), _) => Amount::Bytes(bytes),
        };
        Ok(Direction { amount, iterations })
    };
    Ok(Plan {
        upload: direction(&UPLOAD_BYTES, &UPLOAD_ITERATIONS)?,
        download: direction(&DOWNLOAD_BYTES, &DOWNLOAD_ITERATIONS)?,
        latency_iterations: settings
            .read(&LATENCY_ITERATIONS, parse::count)?
            .unwrap_or(DEFAULT_LATENCY_ITERATIONS),
        warmup: settings.read(&PERF_WARMUP, parse::count)?.unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        Settings::from_lookup(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    const TCP: [(&str, &str); 4] = [
        ("IS_DIALER", "true"),
        ("TRANSPORT", "tcp"),
        ("SECURE_CHANNEL", "noise"),
        ("MUXER", "yamux"),
    ];

    fn contract(extra: &[(&str, &str)]) -> Result<Config, Invalid> {
        // Later pairs win: `settings` takes the first match.
        let pairs: Vec<_> = extra.iter().chain(&TCP).copied().collect();
        Config::from_contract(&settings(&pairs))
    }

    #[test]
    fn defaults_are_the_contracts() {
        let config = contract(&[]).unwrap();
        assert_eq!(config.role, Role::Dialer);
        assert_eq!(config.redis_url, "redis://redis:6379");
        assert_eq!(config.test_key, None);
        assert_eq!(config.ip, IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        assert_eq!(config.port, 0);
        let gib = Direction { amount: Amount::Bytes(1_073_741_824), iterations: 10 };
        assert_eq!(
            config.plan,
            Plan { upload: gib, download: gib, latency_iterations: 100, warmup: 0 }
        );
        assert_eq!(config.stall, Duration::from_secs(30));
        assert_eq!((config.timeout, config.identity, config.debug), (None, None, false));
    }

    #[test]
    fn every_bad_value_names_variable_value_and_what_is_accepted() {
        let cases = [
            ("IS_DIALER", "yes"),
            ("REDIS_ADDR", "redis"),
            ("REDIS_ADDR", "redis:port"),
            ("REDIS_ADDR", "rediss://redis:6379"),
            ("REDIS_ADDR", ":6379"),
            ("REDIS_ADDR", "::1:6379"),
            ("TEST_KEY", "a b"),
            ("TRANSPORT", "TCP"),
            ("TRANSPORT", "carrier-pigeon"),
            ("SECURE_CHANNEL", "plaintext"),
            ("MUXER", "spdy"),
            ("LISTENER_IP", "localhost"),
            ("UPLOAD_BYTES", "-1"),
            ("UPLOAD_BYTES", "+1"),
            ("UPLOAD_BYTES", "1e9"),
            ("UPLOAD_BYTES", "99999999999G"),
            ("DOWNLOAD_BYTES", "1.5"),
            ("UPLOAD_ITERATIONS", "ten"),
            ("DOWNLOAD_ITERATIONS", "1000001"),
            ("LATENCY_ITERATIONS", "K"),
            ("DURATION", "0"),
            ("DURATION", "1e3"),
            ("DURATION", "20m"),
            ("DEBUG", "2"),
            ("PERF_PROFILE", "fast"),
            ("PERF_LISTENER_PORT", "65536"),
            ("PERF_STALL_SECS", "0"),
            ("PERF_TIMEOUT_SECS", "-1"),
            ("PERF_WARMUP", "x"),
        ];
        for (name, value) in cases {
            for role in ["true", "false"] {
                let role = ("IS_DIALER", if name == "IS_DIALER" { value } else { role });
                let error = contract(&[(name, value), role]).unwrap_err();
                let accepts = VARIABLES.iter().find(|v| v.name == name).unwrap().accepts;
                assert_eq!(
                    error.to_string(),
                    format!("{name}: \"{value}\" is not accepted; it takes {accepts}"),
                );
            }
        }
    }

    #[test]
    fn null_and_empty_are_absent() {
        for absent in ["", "null", "  "] {
            let config = contract(&[("UPLOAD_BYTES", absent), ("TEST_KEY", absent)]).unwrap();
            assert_eq!(config, contract(&[]).unwrap());
            let error = contract(&[("MUXER", absent)]).unwrap_err();
            assert!(error.to_string().starts_with("MUXER is not set"), "{error}");
            let quic = [("TRANSPORT", "quic-v1"), ("SECURE_CHANNEL", absent), ("MUXER", absent)];
            assert_eq!(contract(&quic).unwrap().stack.to_string(), "quic-v1");
        }
    }

    #[test]
    fn missing_variables_are_named() {
        let error = Config::from_contract(&settings(&[])).unwrap_err();
        assert!(error.to_string().starts_with("IS_DIALER is not set"), "{error}");
        let error = Config::from_contract(&settings(&[("IS_DIALER", "0")])).unwrap_err();
        assert!(error.to_string().starts_with("TRANSPORT is not set"), "{error}");
    }

    #[test]
    fn standalone_transports_refuse_layers() {
        let error = contract(&[("TRANSPORT", "quic-v1")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "SECURE_CHANNEL: \"noise\" is not accepted with transport quic-v1, which brings its own; leave it out"
        );
    }

    #[test]
    fn duration_yields_to_bytes_that_are_given() {
        let second = Amount::Duration(Duration::from_secs(20));
        let plan = contract(&[("DURATION", "20s"), ("DOWNLOAD_BYTES", "5")]).unwrap().plan;
        assert_eq!((plan.upload.amount, plan.download.amount), (second, Amount::Bytes(5)));
        let plan = contract(&[("DURATION", "20"), ("UPLOAD_BYTES", "0")]).unwrap().plan;
        assert_eq!((plan.upload.amount, plan.download.amount), (second, second));
    }

    #[test]
    fn zero_bytes_without_duration_are_refused_unless_skipped() {
        let error = contract(&[("UPLOAD_BYTES", "0")]).unwrap_err();
        assert!(error.to_string().starts_with("UPLOAD_BYTES: 0 bytes"), "{error}");
        let plan = contract(&[("UPLOAD_BYTES", "0"), ("UPLOAD_ITERATIONS", "0")]).unwrap().plan;
        assert_eq!(plan.upload, Direction { amount: Amount::Bytes(0), iterations: 0 });
    }

    #[test]
    fn a_flag_wins_and_is_named_in_its_error() {
        let with_flag = |value: &str| {
            let settings = settings(&[("UPLOAD_BYTES", "5")]);
            Config::by_hand(Role::Dialer, settings.with_flag(&UPLOAD_BYTES, Some(value.to_owned())))
        };
        assert_eq!(with_flag("7").unwrap().plan.upload.amount, Amount::Bytes(7));
        let error = with_flag("many").unwrap_err();
        assert!(error.to_string().starts_with("--upload-bytes: \"many\""), "{error}");
    }

    #[test]
    fn by_hand_noise_and_yamux_are_assumed_where_layers_are_needed() {
        let stack = |pairs: &[_]| {
            Config::by_hand(Role::Listener, settings(pairs)).map(|config| config.stack.to_string())
        };
        assert_eq!(stack(&[]).unwrap(), "tcp, noise, yamux");
        assert_eq!(stack(&[("MUXER", "mplex")]).unwrap(), "tcp, noise, mplex");
        assert_eq!(stack(&[("TRANSPORT", "quic-v1")]).unwrap(), "quic-v1");
    }

    #[test]
    fn sizes_take_binary_suffixes() {
        let sizes = ["1", "2K", "3m", "1G"].map(|text| parse::bytes(text).unwrap());
        assert_eq!(sizes, [1, 2048, 3 << 20, 1 << 30]);
    }

    #[test]
    fn redis_addresses() {
        for accepted in ["redis:6379", "[::1]:6379", "redis://user:secret@host:1/2", "redis://host"]
        {
            assert!(parse::redis_url(accepted).is_some(), "{accepted}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            for variable in VARIABLES {
                let _ = contract(&[(variable.name, &text)]);
            }
        }

        #[test]
        fn whole_seconds_read_back(seconds in 1u64..100_000) {
            let expected = Some(Duration::from_secs(seconds));
            prop_assert_eq!(parse::seconds(&seconds.to_string()), expected);
            prop_assert_eq!(parse::seconds(&format!("{seconds}s")), expected);
        }
    }
}
