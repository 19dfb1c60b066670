//! The examples, as who tries them runs them: one process dials the other.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// An example that runs, until this is dropped.
struct Example {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Example {
    fn run(name: &str, arguments: &[&str]) -> Self {
        // Beside the folder of the tests, where `cargo test` builds them, too.
        let tests = std::env::current_exe().unwrap();
        let folder: PathBuf = tests.ancestors().nth(2).unwrap().join("examples");
        let child = Command::new(folder.join(name))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.expect("to be built with `cargo build --examples` before");
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            // An error means that nobody wants to hear more.
            output.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
        });
        Self { child, lines }
    }

    /// The next line that has all of `parts` in it.
    fn line(&self, parts: &[&str]) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("it does not say so");
            if parts.iter().all(|part| line.contains(part)) {
                return line;
            }
        }
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // An error means that it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn one_dials_the_other() {
    let listener = Example::run("listener", &[]);
    let address = listener.line(&["/ip4/127.0.0.1/udp/", "/webtransport/certhash/", "/p2p/"]);
    let (_, peer) = address.rsplit_once('/').unwrap();
    let dialer = Example::run("dialer", &[&address]);
    dialer.line(&["ConnectionEstablished", peer]);
    dialer.line(&["Received", "/example/1", peer]);
    listener.line(&["ConnectionEstablished"]);
}

#[test]
fn one_port_is_two_addresses() {
    let listener = Example::run("one_port", &[]);
    let quic = listener.line(&["/ip4/127.0.0.1/udp/", "/quic-v1/p2p/"]);
    let (socket, peer) = quic.split_once("/quic-v1/p2p/").unwrap();
    let address = listener.line(&[&format!("{socket}/quic-v1/webtransport/certhash/"), peer]);
    Example::run("dialer", &[&address]).line(&["Received", "/example/1", peer]);
}

#[test]
fn the_readme_shows_them() {
    let readme = include_str!("../README.md");
    for example in [include_str!("../examples/listener.rs"), include_str!("../examples/dialer.rs")]
    {
        // What is above it says how to run it.
        let (_, code) = example.split_once("\n\n").unwrap();
        assert!(readme.contains(code), "{code}");
    }
}
