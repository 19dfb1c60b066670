//! Variables that are not accepted, and stacks that the node does not speak. Neither waits for
//! Redis: there is none.

use futures::future::join_all;
use harness_sdk::{Class, Document};

use crate::support::{NONE, dialer, listener, node, stack};

type Vars<'a> = &'a [(&'a str, &'a str)];

/// Nobody is there, and nobody is asked.
const REDIS: &str = "127.0.0.1:1";

#[tokio::test]
async fn a_variable_that_is_not_accepted_is_named_with_its_value_and_what_is() {
    let cases: [(Vars, &[&str]); 22] = [
        (
            &[("TRANSPORT", "carrier-pigeon")],
            &["TRANSPORT", "\"carrier-pigeon\"", "tcp, ws, quic-v1"],
        ),
        (&[("TRANSPORT", "null")], &["TRANSPORT is not set", "quic-v1"]),
        (&[("SECURE_CHANNEL", "rot13")], &["SECURE_CHANNEL", "\"rot13\"", "noise or tls"]),
        (&[("SECURE_CHANNEL", "")], &["SECURE_CHANNEL is not set", "noise or tls"]),
        (&[("MUXER", "spdy")], &["MUXER", "\"spdy\"", "yamux or mplex"]),
        (&[("MUXER", "null")], &["MUXER is not set", "yamux or mplex"]),
        (&[("TRANSPORT", "quic-v1")], &["SECURE_CHANNEL", "\"noise\"", "quic-v1"]),
        (
            &[("TRANSPORT", "webtransport"), ("SECURE_CHANNEL", "null")],
            &["MUXER", "\"yamux\"", "webtransport"],
        ),
        (&[("TEST_KEY", "a b")], &["TEST_KEY", "\"a b\"", "A-Z"]),
        (&[("LISTENER_IP", "localhost")], &["LISTENER_IP", "\"localhost\"", "an IP address"]),
        (&[("PERF_LISTENER_PORT", "65536")], &["PERF_LISTENER_PORT", "\"65536\"", "0 to 65535"]),
        (&[("UPLOAD_BYTES", "-1")], &["UPLOAD_BYTES", "\"-1\"", "whole number"]),
        (&[("DOWNLOAD_BYTES", "1e9")], &["DOWNLOAD_BYTES", "\"1e9\"", "whole number"]),
        (
            &[("UPLOAD_BYTES", "99999999999999999999")],
            &["UPLOAD_BYTES", "\"99999999999999999999\""],
        ),
        (&[("UPLOAD_BYTES", "0")], &["UPLOAD_BYTES", "0 bytes", "DURATION"]),
        (&[("UPLOAD_ITERATIONS", "1000001")], &["UPLOAD_ITERATIONS", "\"1000001\"", "1000000"]),
        (&[("DOWNLOAD_ITERATIONS", "ten")], &["DOWNLOAD_ITERATIONS", "\"ten\"", "whole number"]),
        (&[("LATENCY_ITERATIONS", "1.5")], &["LATENCY_ITERATIONS", "\"1.5\"", "whole number"]),
        (&[("DURATION", "0")], &["DURATION", "\"0\"", "seconds above 0"]),
        (&[("DEBUG", "yes")], &["DEBUG", "\"yes\"", "true or false"]),
        (&[("PERF_STALL_SECS", "soon")], &["PERF_STALL_SECS", "\"soon\"", "seconds above 0"]),
        (&[("PERF_PROFILE", "fast")], &["PERF_PROFILE", "\"fast\"", "stock or tuned"]),
    ];
    for (vars, expected) in cases {
        let stack = stack("tcp noise yamux");
        let [dialer, listener] = [dialer, listener].map(|role| role(&stack, REDIS));
        let failure = dialer.vars(vars.iter().copied()).run().await.failed(Class::Usage, NONE);
        let message = listener.vars(vars.iter().copied()).run().await.failed_silently(Class::Usage);
        assert_eq!(failure.message, message);
        for text in expected {
            assert!(message.contains(text), "{text}: {message}");
        }
    }
}

#[tokio::test]
async fn without_a_role_there_is_no_document() {
    let cases: [(Vars, &str); 3] = [
        (&[], "no subcommand, and IS_DIALER is not set"),
        (&[("IS_DIALER", "maybe")], "IS_DIALER: \"maybe\" is not accepted; it takes true or false"),
        (&[("IS_DIALER", "null"), ("TRANSPORT", "tcp")], "no subcommand, and IS_DIALER is not set"),
    ];
    for (vars, expected) in cases {
        let message = node().vars(vars.iter().copied()).run().await.failed_silently(Class::Usage);
        assert!(message.contains(expected), "{message}");
    }
    // Any case, and digits, name a role.
    for (role, document) in [("TRUE", true), ("1", true), ("False", false), ("0", false)] {
        let ended = node().var("IS_DIALER", role).run().await;
        ended.assert_status(2);
        assert_eq!(!ended.stdout.is_empty(), document, "{}", ended.everything());
    }
}

#[tokio::test]
async fn a_redis_address_that_is_none_is_a_usage_failure() {
    let stack = stack("quic-v1");
    for redis in ["http://127.0.0.1:6379", "127.0.0.1:port", "redis://"] {
        let failure = dialer(&stack, redis).run().await.failed(Class::Usage, NONE);
        assert!(failure.message.contains("REDIS_ADDR"), "{failure:?}");
        let message = listener(&stack, redis).run().await.failed_silently(Class::Usage);
        assert!(message.contains("REDIS_ADDR"), "{message}");
    }
}

#[tokio::test]
async fn an_unsupported_stack_is_nobodys_fault() {
    let stacks = [
        ("webrtc-direct", "", "", "stock"),
        ("https", "null", "null", "stock"),
        ("raw-tcp", "null", "null", "tuned"),
        ("tcp", "noise", "yamux", "tuned"),
        ("ws", "noise", "yamux", "tuned"),
        ("quic-v1", "null", "null", "tuned"),
        ("webtransport", "null", "null", "tuned"),
    ];
    join_all(stacks.map(async |(transport, secure_channel, muxer, profile)| {
        let vars = [
            ("REDIS_ADDR", REDIS),
            ("TRANSPORT", transport),
            ("SECURE_CHANNEL", secure_channel),
            ("MUXER", muxer),
            ("PERF_PROFILE", profile),
        ];
        let named = if profile == "stock" { transport } else { profile };
        let dialer = node().var("IS_DIALER", "true").vars(vars).run().await;
        let failure = dialer.failed(Class::Unsupported, NONE);
        assert!(failure.message.contains(named), "{failure:?}");
        let told = Document::parse(&dialer.stdout).unwrap().node.unwrap().stack.unwrap().stack;
        assert_eq!((told.transport.as_str(), told.profile.as_str()), (transport, profile));
        let listener = node().var("IS_DIALER", "false").vars(vars).run().await;
        assert!(listener.failed_silently(Class::Unsupported).contains(named));
    }))
    .await;
}
