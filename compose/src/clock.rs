//! The wall clock, in the forms that a run needs. UTC, so that runs of two places sort.

use time::OffsetDateTime;
use time::macros::format_description;

/// A moment of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(OffsetDateTime);

impl Moment {
    /// Now.
    pub(crate) fn now() -> Self {
        Self(OffsetDateTime::now_utc())
    }

    /// RFC 3339 in whole seconds: `2026-11-08T14:30:22Z`.
    pub(crate) fn rfc3339(self) -> String {
        let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
        self.0.format(&format).unwrap_or_default()
    }

    /// The day: `2026-11-08`.
    pub(crate) fn day(self) -> String {
        self.0.format(&format_description!("[year]-[month]-[day]")).unwrap_or_default()
    }

    /// The name of a run that begins now: `perf-143022-08-11-2026`.
    pub(crate) fn run_name(self) -> String {
        let format = format_description!("perf-[hour][minute][second]-[day]-[month]-[year]");
        self.0.format(&format).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms() {
        let moment = Moment(OffsetDateTime::from_unix_timestamp(1_794_148_222).unwrap());
        assert_eq!(moment.rfc3339(), "2026-11-08T14:30:22Z");
        assert_eq!(moment.run_name(), "perf-143022-08-11-2026");
        assert_eq!(moment.day(), "2026-11-08");
    }
}
