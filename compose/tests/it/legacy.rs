//! Nodes of before TEST_KEY beside those of now: fakes that speak to the coordinator as both do.

use perf_compose::results::Status;

use crate::bench::{Bench, DOCUMENT, SERVES};

/// Sends `request` to the coordinator, and leaves the answer's lines to `read`; in bash, which can connect.
fn asks(variable: &str, request: &str, then: &str) -> String {
    format!(
        "exec bash -c 'exec 3<>/dev/tcp/${{{variable}%:*}}/${{{variable}#*:}}; printf \"{request}\\r\\n\" >&3; {then}'"
    )
}

const FOUND: &str = "[ \"${address%?}\" = /ip4/127.0.0.1/udp/1 ] || exit 9";

fn prints() -> String {
    format!("cat <<\"END\"\n{DOCUMENT}END\n")
}

#[test]
fn they_meet_in_every_combination() {
    let mut bench = Bench::new();
    // `*2`, `$12`, the list, `$18`, the address.
    let pops = format!("for _ in 1 2 3 4 5; do read -r address <&3; done; {FOUND}; {}", prints());
    bench.write_node(
        "old",
        "is_dialer",
        &asks("redis_addr", "RPUSH listenerAddr /ip4/$ip/udp/1", SERVES_IN_BASH),
        &asks("redis_addr", "BLPOP listenerAddr 10", &pops),
    );
    bench.add_entry("{id: old, legacy: true, transports: [quic-v1], process: {command: ./old.sh}}");
    // What a node of now does, GET again and again; the string, or the first of the list, is where the
    // translation puts it: at the cell's key, as a string.
    let gets = format!(
        "for _ in $(seq 500); do read -r length <&3; case $length in \\$-1*) sleep 0.02; printf \"GET ${{TEST_KEY}}_listener_multiaddr\\r\\n\" >&3;; *) break;; esac; done; read -r address <&3; {FOUND}; {}",
        prints()
    );
    bench.add(
        "new",
        "[quic-v1]",
        &asks(
            "REDIS_ADDR",
            "SET ${TEST_KEY}_listener_multiaddr /ip4/$LISTENER_IP/udp/1 EX 3600",
            SERVES_IN_BASH,
        ),
        &asks("REDIS_ADDR", "GET ${TEST_KEY}_listener_multiaddr", &gets),
    );
    let ran = bench.run(&["--timeout", "20"]);
    let results = bench.results();
    assert_eq!(ran.status, 0, "{results:#?}");
    assert!(results.tests.iter().all(|test| test.status == Status::Pass), "{results:#?}");
    assert_eq!(results.tests.len(), 4);
    bench.assert_nothing_runs();
}

/// [`SERVES`] without its quotes, for inside others.
const SERVES_IN_BASH: &str = "trap \"exit 0\" TERM; sleep 1000 & wait";

#[test]
fn a_node_of_now_is_told_nothing_in_lower_case() {
    let bench = Bench::with_node(SERVES, "env | grep -c '^is_dialer=\\|^ip=' >&2; exit 9");
    let (_, test) = bench.run_one(&[]);
    assert!(test.reason.as_ref().unwrap().ends_with("its last line: 0"), "{test:?}");
}
