//! Help that teaches, and command lines that are refused.

use harness_sdk::Class;
use perf_node::probe::server::RULES;

use crate::support::node;

#[tokio::test]
async fn help_names_every_rule_and_every_behaviour() {
    let cases: [(&[&str], &[&str]); 3] = [
        (&["probe", "--help"], &["server", "client", "Examples:", "Exit status"]),
        (&["probe", "server", "--help"], &["--rule", "--stall-secs", "findings:"]),
        (
            &["probe", "client", "--help"],
            &["--behaviour", "--delay-ms", "late-reader", "reset-upload", "no-perf", "SIGTERM"],
        ),
    ];
    for (arguments, expected) in cases {
        let ended = node().args(arguments.iter().copied()).run().await;
        ended.assert_status(0);
        for text in expected {
            assert!(ended.stdout.contains(text), "{text}\n{}", ended.everything());
        }
    }
    let ended = node().args(["probe", "server", "--help"]).run().await;
    for rule in &RULES {
        assert!(ended.stdout.contains(rule.id), "{}\n{}", rule.id, ended.everything());
    }
}

#[tokio::test]
async fn what_means_nothing_is_refused() {
    let tcp = "/ip4/127.0.0.1/tcp/1";
    let quic = "/ip4/127.0.0.1/udp/1/quic-v1";
    let client = ["probe", "client", "--behaviour"];
    let cases: [(Vec<&str>, Class, &[&str]); 9] = [
        (vec!["probe"], Class::Usage, &["server", "client"]),
        (vec!["probe", "server"], Class::Usage, &["MULTIADDR"]),
        (vec!["probe", "server", tcp, "--rule", "be-nice"], Class::Usage, &["be-nice"]),
        (vec!["probe", "server", quic, "--muxer", "mplex"], Class::Usage, &["--muxer"]),
        (
            vec!["probe", "server", "/ip4/127.0.0.1/udp/1/webrtc-direct"],
            Class::Unsupported,
            &["webrtc-direct is broken"],
        ),
        ([&client[..], &["kind"]].concat(), Class::Usage, &["kind"]),
        (
            [&client[..], &["exact", "--rate", "5"]].concat(),
            Class::Usage,
            &["--rate", "exact", "paced-reader"],
        ),
        (
            [&client[..], &["paced-reader", "--rate", "0"]].concat(),
            Class::Usage,
            &["--rate", "above 0"],
        ),
        (
            [&client[..], &["exact", "--transport", "webrtc-direct"]].concat(),
            Class::Unsupported,
            &["webrtc-direct is broken"],
        ),
    ];
    for (arguments, class, expected) in cases {
        let ended = node().args(arguments.iter().copied()).run().await;
        ended.assert_status(class.exit_status().into());
        assert_eq!(ended.last_line().class, class);
        assert_eq!(ended.stdout, "", "{}", ended.everything());
        for text in expected {
            assert!(ended.stderr.contains(text), "{text}\n{}", ended.everything());
        }
    }
}
