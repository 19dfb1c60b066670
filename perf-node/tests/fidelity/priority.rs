//! First in the queue for the processor, where that may be had: a neighbour's build is not what is measured.
//!
//! Linux's real-time class, because the ordinary one lets whoever runs finish its slice first, of some milliseconds,
//! whatever the priorities. Nothing depends on it but how often something has to be measured again.

use std::process::Command;

use nix::unistd::Uid;

/// Every thread of this process is of the real-time class, and what they start from now on, until this is dropped.
/// Without root all stays as it is.
pub(crate) struct Raised(());

impl Raised {
    pub(crate) fn raise() -> Option<Self> {
        if !Uid::effective().is_root() {
            return None;
        }
        match schedule(["--rr", "1"]) {
            Ok(()) => Some(Self(())),
            Err(reason) => {
                println!("the priority stays as it is: {reason}");
                None
            }
        }
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        if let Err(reason) = schedule(["--other", "0"]) {
            println!("the priority stays raised: {reason}");
        }
    }
}

fn schedule([class, priority]: [&str; 2]) -> Result<(), String> {
    let pid = std::process::id().to_string();
    let told = Command::new("chrt").args(["--all-tasks", class, "--pid", priority, &pid]).output();
    let told = told.map_err(|error| format!("chrt: {error}"))?;
    match told.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&told.stderr).trim().to_owned()),
    }
}
