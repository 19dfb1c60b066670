//! `expected-failures.yaml`: tests that are known to fail, why, who sees to it, and until when that is
//! accepted.

use std::fmt;
use std::path::Path;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use time::Date;
use time::macros::format_description;

use super::Definitions;
use super::locate::{
    Step::{Index, Key},
    locate,
};
use super::read::{Error, at, list};
use crate::filter::{Aliases, Expression};

/// The name of such a file, beside the definitions.
pub(crate) const FILE_NAME: &str = "expected-failures.yaml";

/// An entry of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedFailure {
    /// A test's name, or terms as filters take them.
    pub test: String,
    /// Why it fails.
    pub reason: String,
    /// Who sees to it.
    pub owner: String,
    /// The last day on which that is accepted, `2026-12-31`, UTC.
    #[serde(deserialize_with = "day")]
    pub expires: String,
    /// What `test` means.
    #[serde(skip)]
    pub tests: Expression,
}

impl ExpectedFailure {
    /// Whether it speaks of `test`.
    pub fn covers(&self, test: &str) -> bool {
        self.test == test || self.tests.matches(test)
    }

    /// Whether its time is over on the day `today`, of the form of `expires`.
    pub fn has_expired(&self, today: &str) -> bool {
        // Of this form, what comes later is greater.
        today > self.expires.as_str()
    }
}

/// The file as serde reads it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Raw {
    #[serde(default, deserialize_with = "list")]
    expected_failures: Vec<ExpectedFailure>,
}

fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    deserializer.deserialize_str(Day)
}

/// The error is made inside the visitor: there serde_yaml adds the text's own position.
struct Day;

impl Visitor<'_> for Day {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a day like 2026-12-31")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<String, E> {
        match Date::parse(text, format_description!("[year]-[month]-[day]")) {
            Ok(_) => Ok(text.to_owned()),
            Err(_) => Err(E::custom(format_args!(
                "\"{text}\" is not a day; expected one like 2026-12-31"
            ))),
        }
    }
}

impl Definitions {
    /// Reads the one beside the definitions `file`, where there is one.
    pub(super) fn expect(&mut self, file: &Path) -> Result<(), Error> {
        let file = file.with_file_name(FILE_NAME);
        if !file.is_file() {
            return Ok(());
        }
        let text = std::fs::read_to_string(&file)
            .map_err(|source| Error::Read { file: file.clone(), source })?;
        let raw: Option<Raw> =
            serde_yaml::from_str(&text).map_err(|error| at(&file, &text, &error))?;
        let aliases: Aliases = self.aliases.clone();
        for (index, mut entry) in raw.unwrap_or_default().expected_failures.into_iter().enumerate()
        {
            let parsed = match entry.test.trim() {
                "" => Err("`test` is empty; expected a test's name, or a term".to_owned()),
                test => Expression::parse(test, &aliases).map_err(|error| error.to_string()),
            };
            entry.tests = parsed.map_err(|message| {
                let path = [Key("expected-failures"), Index(index), Key("test")];
                let (line, column) = locate(&text, &path).unwrap_or((1, 1));
                Error::Syntax { file: file.clone(), line, column, message }
            })?;
            self.expected.push(entry);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn load(text: &str) -> Result<Vec<ExpectedFailure>, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("impls.yaml");
        let definitions = "test-aliases: [{alias: js, value: js-v3.x}]\nimplementations: [{id: js-v3.x, transports: [ws]}]";
        fs::write(&file, definitions).unwrap();
        fs::write(folder.path().join(FILE_NAME), text).unwrap();
        let loaded = Definitions::load(&file);
        loaded.map(|definitions| definitions.expected).map_err(|error| error.to_string())
    }

    const ENTRY: &str = "expected-failures:\n  - test: ~js\n    reason: r\n    owner: o\n";

    #[test]
    fn entries_speak_of_tests_until_a_day() {
        let entry = load(&format!("{ENTRY}    expires: 2026-12-31\n")).unwrap().remove(0);
        assert!(entry.covers("js-v3.x x a (ws)") && !entry.covers("a x a (ws)"));
        assert!(!entry.has_expired("2026-12-31") && entry.has_expired("2027-01-01"));
        assert_eq!(load("").unwrap(), []);
        assert_eq!(load("expected-failures:\n").unwrap(), []);
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        let cases = [
            (format!("{ENTRY}    expires: soon\n"), ":5:14: ", "\"soon\" is not a day"),
            (ENTRY.to_owned(), ":2:5: ", "missing field `expires`"),
            (
                format!("{ENTRY}    expires: 2026-12-31\n    ower: x\n"),
                ":6:5: ",
                "unknown field `ower`",
            ),
            (
                format!("{}    expires: 2026-12-31\n", ENTRY.replace("~js", "~jz")),
                ":2:5: ",
                "unknown alias \"~jz\"",
            ),
            (
                format!("{}    expires: 2026-12-31\n", ENTRY.replace("~js", "''")),
                ":2:5: ",
                "`test` is empty",
            ),
        ];
        for (text, place, expected) in cases {
            let error = load(&text).unwrap_err();
            assert!(error.contains(place) && error.contains(expected), "{text}\n{error}");
        }
    }
}
