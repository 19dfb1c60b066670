//! What a runner that was killed left running: found by a mark in its environment, and ended.
//!
//! Every process that the process engine starts carries the mark of its runner: the runner's process
//! id, when that process started, and the pid namespace both are of. A marked process whose runner is
//! no more is a leftover, whatever its own id or group: ids are recycled, an environment is not. It
//! works without a file, so nothing is lost where the runner had no time to write one.

use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The variable that holds the mark.
pub(crate) const MARK: &str = "PERF_COMPOSE_RUNNER";

/// Processes are looked for again as long as there are any, for those started in between; this often at most.
const ROUNDS: usize = 10;

/// Whose a process is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    namespace: String,
    runner: i32,
    started: u64,
}

impl Mark {
    /// The mark of this process; `None` where the system has no /proc.
    fn own() -> Option<Self> {
        let stat = Stat::parse(&fs::read_to_string("/proc/self/stat").ok()?)?;
        Some(Self { namespace: namespace()?, runner: stat.id, started: stat.started })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let namespace = parts.next()?.to_owned();
        let runner = parts.next()?.parse().ok()?;
        let started = parts.next()?.parse().ok()?;
        Some(Self { namespace, runner, started })
    }

    fn text(&self) -> String {
        let Self { namespace, runner, started } = self;
        format!("{namespace}/{runner}/{started}")
    }

    /// Whether the runner is alive, as far as this process can see: of another namespace's
    /// runners it knows nothing, and leaves what is theirs alone.
    fn is_orphan(&self, namespace: &str) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.runner)).ok();
        let lives = stat
            .and_then(|stat| Stat::parse(&stat))
            .is_some_and(|stat| stat.started == self.started && !stat.ended);
        self.namespace == namespace && !lives
    }
}

/// What /proc/<pid>/stat says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    id: i32,
    /// A zombie: ended, and not yet waited for.
    ended: bool,
    /// In ticks since the system's start.
    started: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // pid (name) state …: a name may hold anything, so the last parenthesis counts.
        let (head, tail) = text.rsplit_once(')')?;
        let id = head.split(' ').next()?.parse().ok()?;
        let mut fields = tail.split_whitespace();
        let state = fields.next()?;
        // Field 22 of the file; the state is field 3.
        let started = fields.nth(18)?.parse().ok()?;
        Some(Self { id, ended: matches!(state, "Z" | "X"), started })
    }
}

/// The value of [`MARK`] for what this process starts.
pub(crate) fn mark() -> Option<String> {
    Mark::own().map(|mark| mark.text())
}

/// Ends whatever runners that are no more left running; how many processes that were.
pub fn end_orphans() -> usize {
    let Some(namespace) = namespace() else { return 0 };
    end(|mark| mark.is_orphan(&namespace))
}

/// Ends whatever this process started and is still there.
pub(crate) fn end_own() {
    if let Some(own) = Mark::own() {
        end(|mark| *mark == own);
    }
}

fn end(whose: impl Fn(&Mark) -> bool) -> usize {
    let mut ended = Vec::new();
    for _ in 0..ROUNDS {
        let found: Vec<_> = marked(&whose).filter(|id| !ended.contains(id)).collect();
        if found.is_empty() {
            break;
        }
        for id in &found {
            // That it ended meanwhile is as good.
            let killed = kill(*id, Signal::SIGKILL);
            tracing::debug!(process = %id, ?killed, "left by another run");
        }
        ended.extend(found);
    }
    ended.len()
}

/// The processes whose mark is one of those that `whose` takes. What cannot be read is another
/// user's, or gone.
fn marked(whose: &impl Fn(&Mark) -> bool) -> impl Iterator<Item = Pid> {
    let own = std::process::id();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(move |entry| {
        let id: i32 = entry.file_name().to_str()?.parse().ok()?;
        let mark = mark_of(&entry.path())?;
        (u32::try_from(id) != Ok(own) && whose(&mark)).then(|| Pid::from_raw(id))
    })
}

fn mark_of(process: &Path) -> Option<Mark> {
    let environment = fs::read(process.join("environ")).ok()?;
    let mut entries = environment.split(|byte| *byte == 0);
    let entry = entries.find_map(|entry| {
        entry.strip_prefix(MARK.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
    })?;
    Mark::parse(std::str::from_utf8(entry).ok()?)
}

/// This process's pid namespace, `pid:[…]`.
fn namespace() -> Option<String> {
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(link.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let tail = "1 1 1 0 -1 4194304 97 0 0 0 5 6 7 8 20 0 1 0 505512 3133440 360";
        let stat = Stat::parse(&format!("12 (a) Z (b) S {tail}")).unwrap();
        assert_eq!(stat, Stat { id: 12, ended: false, started: 505_512 });
        assert!(Stat::parse(&format!("12 (a) Z {tail}")).unwrap().ended);
        assert_eq!(Stat::parse("12 (a) S 1"), None);
    }

    #[test]
    fn only_a_dead_runner_of_this_namespace_has_orphans() {
        let own = Mark::own().unwrap();
        assert_eq!(Mark::parse(&own.text()).unwrap(), own);
        assert!(!own.is_orphan(&own.namespace));
        // The id was given to another process since.
        let recycled = Mark { started: own.started + 1, ..own.clone() };
        assert!(recycled.is_orphan(&own.namespace));
        assert!(!recycled.is_orphan("pid:[1]"));
        assert_eq!(Mark::parse("x"), None);
    }
}
