//! Ports that are taken, files that cannot be used, output that nobody reads.

use std::fs::{self, File, OpenOptions};
use std::io::pipe;
use std::process::Stdio;

use harness_sdk::{Class, Document, Phase};
use nix::sys::signal::Signal;
use redis::Value;

use crate::support::{
    Backend, Ended, Listening, NONE, dial, dialer, listener, node, on_both_backends, stack,
};

on_both_backends!(a_port_in_use_is_told_and_nothing_published);

async fn a_port_in_use_is_told_and_nothing_published(backend: Backend) {
    let store = backend.start().await;
    for name in ["tcp noise yamux", "ws noise yamux", "quic-v1", "raw-tls", "raw-quic"] {
        let stack = stack(name);
        let first = Listening::start(&stack, &[]).await;
        let port = &first.port().to_string();
        let second = listener(&stack, &store.addr()).var("PERF_LISTENER_PORT", port);
        let ended = second.var("LISTENER_IP", "127.0.0.1").run().await;
        let message = ended.failed_silently(Class::Environment);
        assert!(message.contains(port) && message.contains("in use"), "{message}");
        assert_eq!(store.run(&["EXISTS", "listener_multiaddr"]).await, Value::Int(0));

        let by_hand = node().args(["listen", "--ip", "127.0.0.1", "--port", port]);
        let ended = by_hand.args(["--transport", stack.transport.as_str()]).run().await;
        assert_eq!(ended.failed_silently(Class::Environment), message);
        // The first does not mind.
        dial(&stack, &first.address).measuring([1, 1, 1], 1000).run().await.measured([1, 1, 1]);
    }
}

#[tokio::test]
async fn an_address_of_another_machine_cannot_be_bound() {
    for transport in ["tcp", "ws", "quic-v1", "raw-noise", "raw-quic"] {
        let listen = node().args(["listen", "--transport", transport, "--ip", "203.0.113.7"]);
        let message = listen.run().await.failed_silently(Class::Environment);
        assert!(message.contains("203.0.113.7"), "{message}");
    }
}

#[tokio::test]
async fn a_key_file_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    fs::write(&file, "not a key").unwrap();
    let file = file.to_str().unwrap();
    let listen = node().args(["listen", "--identity", file]).run().await;
    assert!(listen.failed_silently(Class::Environment).contains(file));
    let failure = node().args(["dial", "/ip4/127.0.0.1/tcp/1", "--identity", file]).run().await;
    assert!(failure.failed(Class::Environment, NONE).message.contains(file));
}

/// A pipe that nobody reads.
fn closed() -> Stdio {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    writer.into()
}

/// A disk without room.
fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

const UNREADABLE: [fn() -> Stdio; 2] = [closed, || full().into()];

/// There is no document to look into.
#[track_caller]
fn assert_unreadable(ended: &Ended) {
    ended.assert_status(3);
    let told = ended.last_line();
    assert_eq!(told.class, Class::Environment);
    assert!(told.message.contains("stdout"), "{told:?}");
}

#[tokio::test]
async fn stdout_that_takes_nothing_is_told_on_stderr() {
    for stack in [stack("tcp noise yamux"), stack("quic-v1")] {
        for unreadable in UNREADABLE {
            let listen = node().args(["listen", "--transport", stack.transport.as_str()]);
            assert_unreadable(&listen.stdout(unreadable()).run().await);

            let listening = Listening::start(&stack, &[]).await;
            let dial = || dial(&stack, &listening.address).measuring([1, 1, 1], 1000);
            assert_unreadable(&dial().stdout(unreadable()).run().await);
            dial().run().await.measured([1, 1, 1]);
            listening.process.stop(Signal::SIGTERM).await;
        }
    }
}

#[tokio::test]
async fn a_failure_is_told_even_where_its_document_is_not() {
    for unreadable in UNREADABLE {
        let nobody = dial(&stack("tcp noise yamux"), "/ip4/127.0.0.1/tcp/1");
        let ended = nobody.stdout(unreadable()).run().await;
        ended.assert_status(4);
        assert_eq!(ended.last_line().class, Class::Connect);
    }
}

#[tokio::test]
async fn stderr_that_takes_nothing_changes_nothing() {
    let store = Backend::Embedded.start().await;
    let stack = stack("tcp noise yamux");
    for unreadable in UNREADABLE {
        let listening =
            listener(&stack, &store.addr()).stderr(unreadable()).var("DEBUG", "true").spawn();
        store.published("listener_multiaddr").await;
        let dialer = dialer(&stack, &store.addr()).measuring([2, 2, 2], 1000).stderr(unreadable());
        dialer.var("DEBUG", "true").run().await.measured([2, 2, 2]);
        listening.stop(Signal::SIGTERM).await;
        store.run(&["DEL", "listener_multiaddr"]).await;

        let nobody = dial(&stack, "/ip4/127.0.0.1/tcp/1").stderr(unreadable()).run().await;
        nobody.assert_status(4);
        let failure = Document::parse(&nobody.stdout).unwrap().failure.unwrap();
        assert_eq!((failure.class, failure.phase), (Class::Connect, Phase::Dial));
    }
}
