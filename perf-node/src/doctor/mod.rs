//! What of a machine limits or blurs a measurement, and what changes it.
//!
//! Reading, judging and rendering are apart: [`Readings`] is what the system says, [`judge`] makes
//! findings of it, [`Report`] writes them.

mod copies;
mod judge;
mod readings;

use std::fmt::Write as _;

use serde::Serialize;

pub use copies::Copies;
pub use judge::judge;
pub use readings::{Offloads, Readings};

/// What there is to say of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The setting, or the property.
    pub what: String,
    /// As it is; absent where it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Whether it serves.
    pub verdict: Verdict,
    /// Why, and to whom it matters.
    pub why: String,
    /// The command that changes it, or reads it where it could not be read here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// Whether something serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It limits, or blurs, what is measured.
    WorthChanging,
    /// Nobody said.
    CouldNotBeRead,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::WorthChanging => "worth changing",
            Self::CouldNotBeRead => "could not be read",
        }
    }
}

/// All findings, in the order in which they are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// One for each thing looked at.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Looks at the machine that this process runs on.
    pub fn of_this_machine() -> Self {
        Self { findings: judge(&Readings::take()) }
    }

    /// For people: a line each, and the command beneath it.
    pub fn to_text(&self) -> String {
        let width = self.findings.iter().map(|finding| finding.what.len()).max().unwrap_or(0);
        let mut text = String::new();
        for Finding { what, value, verdict, why, command } in &self.findings {
            let value = value.as_ref().map(|value| format!("{value}: ")).unwrap_or_default();
            let _ = writeln!(text, "{:<17}  {what:<width$}  {value}{why}", verdict.as_str());
            if let Some(command) = command {
                let _ = writeln!(text, "{:<17}  {:<width$}  $ {command}", "", "");
            }
        }
        text
    }

    /// The same as JSON.
    ///
    /// # Errors
    ///
    /// None that is known: strings and names are all that is written.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}
