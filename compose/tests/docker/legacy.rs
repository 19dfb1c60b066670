//! An image of before TEST_KEY beside one of now.

use std::fs;

use perf_compose::results::Status;

use crate::bench::{Bench, docker};

/// Both ages in one image: what is asked for in lower case is older.
const NODE: &str = r#"
serve() { trap 'exit 0' TERM; sleep 1000 & wait; }
check() { [ "${1%?}" = /ip4/0.0.0.0/udp/1 ] || { echo "found $1" >&2; exit 9; }; cat /document; exit 0; }
ask() { printf '%s\r\n' "$*" >&3; }
connect() { exec 3<>"/dev/tcp/${1%:*}/${1#*:}"; }
if [ -z "$TEST_KEY" ]; then
    connect "$redis_addr"
    [ "$is_dialer" = true ] || { ask RPUSH listenerAddr "/ip4/$ip/udp/1"; serve; }
    ask BLPOP listenerAddr 10
    for _ in 1 2 3 4 5; do read -r address <&3; done
    check "$address"
fi
connect "$REDIS_ADDR"
key=${TEST_KEY}_listener_multiaddr
[ "$IS_DIALER" = true ] || { ask SET "$key" "/ip4/$LISTENER_IP/udp/1" EX 3600; serve; }
for _ in $(seq 100); do
    ask GET "$key"
    read -r length <&3
    case $length in
        \$-1*) sleep 0.1 ;;
        *) read -r address <&3; check "$address" ;;
    esac
done
exit 3
"#;

#[test]
fn it_meets_others_through_a_redis_of_their_own() {
    let bench = Bench::new();
    let write = |name: &str, text: &str| fs::write(bench.path().join(name), text).unwrap();
    let section = |samples: &str, iterations: u8, unit: &str| {
        format!(
            "\n  iterations: {iterations}\n  min: 1.0\n  q1: 1.0\n  median: 1.0\n  q3: 1.0\n  max: 1.0\n  outliers: []\n  samples: [{samples}]\n  unit: {unit}\n"
        )
    };
    let rate = section("1.0, 1.0", 2, "Gbps");
    let latency = section("1.0, 1.0, 1.0", 3, "ms");
    write("document", &format!("upload:{rate}download:{rate}latency:{latency}"));
    write("node", NODE);
    // An old node's own program: the variable by which it would know better is not for it.
    write("old", "unset TEST_KEY\n. /node\n");
    write(
        "Dockerfile",
        "FROM debian:bookworm-slim\nCOPY node old document /\nENTRYPOINT [\"/bin/bash\", \"/node\"]\n",
    );
    write("Dockerfile.old", "FROM perf-new\nENTRYPOINT [\"/bin/bash\", \"/old\"]\n");
    write(".dockerignore", "*\n!node\n!old\n!document\n");
    write(
        "impls.yaml",
        "implementations:
  - {id: new, transports: [quic-v1], source: {dockerfile: Dockerfile}}
  - {id: old, legacy: true, transports: [quic-v1], source: {dockerfile: Dockerfile.old}}
",
    );
    let ran = bench.run(&bench.path().join("impls.yaml"), &["--timeout", "30"]);
    let results = bench.results();
    docker(&["image", "rm", "--force", "perf-old", "perf-implementations-old"]);
    docker(&["image", "rm", "--force", "perf-new", "perf-implementations-new"]);
    assert_eq!(ran.status, 0, "{results:#?}");
    assert_eq!(results.tests.len(), 4);
    assert!(results.tests.iter().all(|test| test.status == Status::Pass), "{results:#?}");
    assert_eq!(bench.left(), Vec::<String>::new());
}
