//! What Docker knows of a container that ran.

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::super::Exit;

/// A container as `docker inspect` shows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Container {
    pub(super) id: String,
    /// With a slash in front.
    pub(super) name: String,
    pub(super) state: State,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct State {
    /// `created`, `running`, `exited` …
    pub(super) status: String,
    pub(super) running: bool,
    #[serde(rename = "OOMKilled")]
    pub(super) oom_killed: bool,
    pub(super) exit_code: i32,
    /// Why it could not be started.
    #[serde(default)]
    pub(super) error: String,
    pub(super) finished_at: String,
}

impl State {
    /// How it ended.
    pub(super) fn exit(&self) -> Exit {
        match self.status.as_str() {
            "created" => Exit::NotStarted(match self.error.as_str() {
                "" => "Docker made its container and did not start it".to_owned(),
                error => error.to_owned(),
            }),
            _ if self.running => {
                Exit::Unknown("it still ran when the other could not be started".to_owned())
            }
            _ if self.oom_killed => Exit::OutOfMemory,
            _ => Exit::Status(self.exit_code),
        }
    }

    /// When it ended; `None`: it did not.
    pub(super) fn finished(&self) -> Option<OffsetDateTime> {
        moment(&self.finished_at)
    }
}

/// Docker's "never" is the year 1.
fn moment(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok().filter(|moment| moment.year() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(text: &str) -> State {
        let container = format!("{{\"Id\": \"0\", \"Name\": \"/x\", \"State\": {text}}}");
        serde_json::from_str::<Container>(&container).unwrap().state
    }

    #[test]
    fn exits_are_told_apart() {
        let ended = |code: i32, oom: bool| {
            state(&format!(
                r#"{{"Status":"exited","Running":false,"OOMKilled":{oom},"ExitCode":{code},"Error":"",
                "StartedAt":"2026-11-08T14:30:22.5Z","FinishedAt":"2026-11-08T14:30:23.75Z"}}"#
            ))
        };
        assert_eq!(ended(5, false).exit(), Exit::Status(5));
        assert_eq!(ended(137, true).exit(), Exit::OutOfMemory);
        let finished = ended(0, false).finished().unwrap();
        assert_eq!((finished.second(), finished.millisecond()), (23, 750));
    }

    #[test]
    fn a_container_that_was_not_started_says_why() {
        let state = state(
            r#"{"Status":"created","Running":false,"OOMKilled":false,"ExitCode":127,
            "Error":"exec: \"x\": not found","StartedAt":"0001-01-01T00:00:00Z","FinishedAt":"0001-01-01T00:00:00Z"}"#,
        );
        assert_eq!(state.exit(), Exit::NotStarted("exec: \"x\": not found".to_owned()));
        assert_eq!(state.finished(), None);
    }
}
