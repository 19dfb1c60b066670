//! Failures, classified by whose fault they are.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Any error an implementer's code can return.
///
/// The SDK classifies it by the [`Phase`] it came from, unless it is a [`Failure`] already.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Who is to blame, and with which status the process ends (contract, "Exit status").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A bug in the node itself, a panic included. Status 1.
    Internal,
    /// A flag or variable that is not accepted, or a combination of them. Status 2.
    Usage,
    /// Redis unreachable, key absent or of the wrong type, address in use, stdout gone. Status 3.
    Environment,
    /// The peer could not be reached, or would not negotiate what was offered. Status 4.
    Connect,
    /// A transfer broke: reset, stall, deadline, wrong byte count, SIGTERM. Status 5.
    Transfer,
    /// The node does not speak the stack that was asked for; nobody's fault. Status 127.
    Unsupported,
    /// The user interrupted the dialer. Status 130.
    Interrupted,
}

impl Class {
    /// Every class, in the order of the contract's table.
    pub const ALL: [Self; 7] = [
        Self::Internal,
        Self::Usage,
        Self::Environment,
        Self::Connect,
        Self::Transfer,
        Self::Unsupported,
        Self::Interrupted,
    ];

    /// The process's exit status for this class. The only place statuses are decided.
    pub const fn exit_status(self) -> u8 {
        match self {
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Environment => 3,
            Self::Connect => 4,
            Self::Transfer => 5,
            Self::Unsupported => 127,
            Self::Interrupted => 130,
        }
    }

    /// The class's name as it stands in documents and on stderr.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Usage => "usage",
            Self::Environment => "environment",
            Self::Connect => "connect",
            Self::Transfer => "transfer",
            Self::Unsupported => "unsupported",
            Self::Interrupted => "interrupted",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a node was doing when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Reading flags and variables.
    Configuration,
    /// Meeting the other side through Redis.
    Coordination,
    /// Binding and serving.
    Listen,
    /// Connecting, securing and multiplexing.
    Dial,
    /// The upload section.
    Upload,
    /// The download section.
    Download,
    /// The latency section.
    Latency,
    /// Writing the document.
    Report,
}

impl Phase {
    /// The class of an unclassified error that came out of this phase.
    pub const fn default_class(self) -> Class {
        match self {
            Self::Configuration => Class::Usage,
            Self::Coordination | Self::Listen | Self::Report => Class::Environment,
            Self::Dial => Class::Connect,
            Self::Upload | Self::Download | Self::Latency => Class::Transfer,
        }
    }

    /// The phase's name as it stands in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Coordination => "coordination",
            Self::Listen => "listen",
            Self::Dial => "dial",
            Self::Upload => "upload",
            Self::Download => "download",
            Self::Latency => "latency",
            Self::Report => "report",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A classified failure: what ends a run with a status other than 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Who is to blame.
    pub class: Class,
    /// What the node was doing.
    pub phase: Phase,
    /// What happened and, where it helps, what to do; one line.
    pub message: String,
}

impl Failure {
    /// A failure of `class` in `phase`.
    pub fn new(class: Class, phase: Phase, message: impl Into<String>) -> Self {
        Self { class, phase, message: message.into() }
    }

    /// Classifies an implementer's error: kept where it is a [`Failure`] already, else of the
    /// phase's default class, its message with those of its sources.
    pub fn from_error(phase: Phase, error: BoxError) -> Self {
        match error.downcast::<Self>() {
            Ok(failure) => *failure,
            Err(error) => Self::new(phase.default_class(), phase, chain(error.as_ref())),
        }
    }

    /// The last line on stderr of a process that failed: a YAML flow mapping.
    ///
    /// ```
    /// # use harness_sdk::{Class, Failure, Phase};
    /// let failure = Failure::new(Class::Connect, Phase::Dial, "refused");
    /// assert_eq!(failure.last_line(), r#"failure: {class: connect, message: "refused"}"#);
    /// ```
    pub fn last_line(&self) -> String {
        let message = crate::document::quoted(&self.message);
        format!("failure: {{class: {}, message: {message}}}", self.class)
    }
}

/// An error's message and those of its sources, `: ` between them; a source that only repeats what
/// was said already is left out.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_those_of_the_contract() {
        let statuses = Class::ALL.map(Class::exit_status);
        assert_eq!(statuses, [1, 2, 3, 4, 5, 127, 130]);
    }

    #[test]
    fn names_are_those_serde_writes() {
        for class in Class::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.as_str());
        }
    }

    #[test]
    fn a_plain_error_takes_the_class_of_its_phase() {
        let error = std::io::Error::other("gone");
        let failure = Failure::from_error(Phase::Upload, error.into());
        assert_eq!(failure, Failure::new(Class::Transfer, Phase::Upload, "gone"));
    }

    #[test]
    fn a_failure_keeps_its_class_whatever_the_phase() {
        let failure = Failure::new(Class::Unsupported, Phase::Dial, "no");
        assert_eq!(Failure::from_error(Phase::Upload, failure.clone().into()), failure);
    }

    #[test]
    fn sources_are_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot bind")]
        struct Outer(#[source] std::io::Error);
        let failure =
            Failure::from_error(Phase::Listen, Outer(std::io::Error::other("in use")).into());
        assert_eq!(failure.message, "cannot bind: in use");
    }
}
