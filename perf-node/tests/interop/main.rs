//! WebTransport with nodes that others wrote the libp2p of. What was moved is compared at both ends, byte by byte
//! counted. `make test-interop` runs what is quick, `make full` all of it: the nodes are built with the go command and
//! with npm, which is why `make test` leaves them out.
//!
//! | file | the other side |
//! |---|---|
//! | `go.rs` | go-libp2p 0.45, 0.49 and 0.51: the node of `impls/go/v0.45`, built with each |
//! | `one_port.rs` | go-libp2p 0.45, and js-libp2p in Chromium, with a listener of quic-v1 and webtransport on one UDP port |
//! | `chromium.rs` | js-libp2p 3 in a headless Chromium: the node of `impls/js/v3.x` |
//! | `firefox.rs` | the same page in a headless Firefox |

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod chromium;
mod firefox;
mod go;
mod one_port;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use nix::sys::signal::Signal;
use support::{Ended, Launch, Process, Sections, Served, listener, served, stack};

/// Enough to fill every window on the way several times.
const LARGE: u64 = 64 << 20;
const LARGE_PLAN: Sections = [1, 1, 20];

/// Our listener, which tells what it serves.
fn our_listener(redis: &str) -> Process {
    let launch = listener(&stack("webtransport"), redis).var("LISTENER_IP", "127.0.0.1");
    launch.var("DEBUG", "true").spawn()
}

/// Ends a listener; it must have counted what the dialers did. In any order: one that answers streams side by side may
/// tell of an exchange when the dialer's next is over already.
async fn assert_served(listener: Process, mut expected: Vec<Served>) {
    let ended: Ended = listener.stop(Signal::SIGTERM).await;
    let mut counted = served(&ended);
    counted.sort_unstable();
    expected.sort_unstable();
    assert_eq!(counted, expected, "{}", ended.everything());
}

/// A node of `impls` in contract mode, on webtransport.
fn foreign(program: impl AsRef<std::ffi::OsStr>, is_dialer: bool, redis: &str) -> Launch {
    Launch::new(program)
        .var("IS_DIALER", is_dialer.to_string())
        .var("REDIS_ADDR", redis)
        .var("TRANSPORT", "webtransport")
}

/// `impls/<folder>` of this repository.
fn implementation(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../impls").join(folder)
}

/// Where nodes are built: cargo keeps it, so that a second build is short.
fn built(folder: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(folder)
}

/// Runs a builder to its good end; `install` is what to do where it is not here.
fn build(command: &mut Command, install: &str) {
    let program = command.get_program().to_owned();
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("cannot start {}: {error}; {install}", program.display()));
    assert!(status.success(), "{command:?} failed: {status}; it says above why");
}

/// The JavaScript node with its page, as impls.yaml has it; built before its first use.
fn browser_node() -> &'static PathBuf {
    static SCRIPT: OnceLock<PathBuf> = OnceLock::new();
    SCRIPT.get_or_init(|| {
        let folder = built("js-v3.x-browser");
        let mut npm = Command::new("npm");
        npm.args(["run", "--silent", "bundle", "--"])
            .arg(&folder)
            .arg("--browser")
            .current_dir(implementation("js/v3.x"));
        build(&mut npm, "install Node.js 20 or later with its npm; scripts/test-deps full looks");
        folder.join("node.js")
    })
}
