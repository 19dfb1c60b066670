//! Images that do badly, each in its own way.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use perf_compose::results::{Status, TestResult};

use crate::bench::{Bench, docker, ran};

/// Serves until it is asked to end.
const SERVES: &str = "trap 'exit 0' TERM; sleep 1000 & wait";

/// A bench with an image whose sides do `listener` and `dialer`, scripts; and what became of its cell.
fn outcome(listener: &str, dialer: &str, docker_options: &str, more: &[&str]) -> TestResult {
    let bench = Bench::new();
    let definitions = definitions(&bench, listener, dialer, docker_options);
    bench.run(&definitions, &[&["--upload-bytes", "1", "--download-bytes", "1"], more].concat());
    let result = bench.results().tests.remove(0);
    assert_eq!(bench.left(), Vec::<String>::new());
    remove_images(&bench);
    result
}

/// The implementation of a bench: images are named after it, and tests that run at the same time make and remove theirs.
fn id(bench: &Bench) -> String {
    let folder = bench.path().file_name().unwrap().to_str().unwrap();
    format!("fake-{}", folder.trim_start_matches('.').to_lowercase())
}

fn remove_images(bench: &Bench) {
    let id = id(bench);
    let names = [format!("perf-{id}"), format!("perf-implementations-{id}")];
    docker(&["image", "rm", "--force", &names[0], &names[1]]);
}

fn definitions(bench: &Bench, listener: &str, dialer: &str, docker_options: &str) -> PathBuf {
    let write = |name: &str, text: String| fs::write(bench.path().join(name), text).unwrap();
    write("listener", listener.to_owned());
    write("dialer", dialer.to_owned());
    write("node", "[ \"$IS_DIALER\" = true ] && exec sh /dialer; exec sh /listener".to_owned());
    write(
        "Dockerfile",
        "FROM debian:bookworm-slim\nCOPY listener dialer node /\nENTRYPOINT [\"/bin/sh\", \"/node\"]\n"
            .to_owned(),
    );
    write(".dockerignore", "*\n!listener\n!dialer\n!node\n".to_owned());
    let definitions = bench.path().join("impls.yaml");
    let id = id(bench);
    let text = format!(
        "implementations: [{{id: {id}, transports: [quic-v1], docker: {{{docker_options}}}, source: {{dockerfile: Dockerfile}}}}]"
    );
    fs::write(&definitions, text).unwrap();
    definitions
}

fn reason(result: &TestResult) -> &str {
    result.reason.as_deref().unwrap()
}

#[test]
fn a_listener_that_ends_first_is_to_blame() {
    let result = outcome("echo 'no luck' >&2; exit 3", "sleep 30", "", &[]);
    assert_eq!(result.status, Status::Fail);
    assert!(
        reason(&result).contains("the listener ended with status 3 before the dialer was served"),
        "{result:?}"
    );
    assert!(reason(&result).contains("no luck"), "{result:?}");
}

#[test]
fn a_dialer_killed_for_memory_is_told_from_one_that_failed() {
    let hog = "tail /dev/zero";
    let result = outcome(SERVES, hog, "memory: 32m", &[]);
    assert_eq!(result.status, Status::Fail);
    assert_eq!(result.class.unwrap().to_string(), "environment");
    assert!(
        reason(&result).contains("the dialer was killed by the system for want of memory"),
        "{result:?}"
    );
    let result = outcome(SERVES, "kill -9 $$", "", &[]);
    assert_eq!(result.class.unwrap().to_string(), "unclassified");
    assert!(reason(&result).contains("status 137"), "{result:?}");
}

#[test]
fn a_cell_has_its_time_and_no_more() {
    let result = outcome(SERVES, "trap '' TERM; sleep 1000", "", &["--timeout", "3"]);
    assert_eq!((result.status, reason(&result)), (Status::Fail, "timed out after 3 s"));
}

#[test]
fn an_image_that_needs_a_redis_of_its_own_has_one() {
    // The shell's own way to connect: the host is the cell's, and it answers.
    let ping = "bash -c 'exec 3<>/dev/tcp/${REDIS_ADDR%:*}/6379; echo PING >&3; read -r answer <&3; \
                echo \"$REDIS_ADDR $answer\" >&2; exit 9'";
    let result = outcome(SERVES, ping, "ownRedis: true", &[]);
    assert!(reason(&result).contains("redis-") && reason(&result).contains("PONG"), "{result:?}");
}

#[test]
fn a_container_cannot_write_its_root_and_is_nobody() {
    let look = "(echo x > /x) 2>/dev/null && echo writable >&2; id -u >&2; exit 9";
    let result = outcome(SERVES, look, "", &[]);
    assert!(reason(&result).ends_with("its last line: 65532"), "{result:?}");
    let result =
        outcome(SERVES, "echo x > /x && id -u >&2; exit 9", "user: root, writable: true", &[]);
    assert!(reason(&result).ends_with("its last line: 0"), "{result:?}");
}

#[test]
fn a_dialer_is_followed_while_it_runs_on_processors_of_its_own() {
    let bench = Bench::new();
    let dialer = "echo 'INFO upload 1/2: 6.5 Gbps' >&2; sleep 3; \
                  grep Cpus_allowed_list /proc/self/status >&2; exit 9";
    let definitions = definitions(&bench, SERVES, dialer, "");
    let pinned = ["--pin", "--progress", "json", "--upload-bytes", "1", "--download-bytes", "1"];
    let ran = bench.run(&definitions, &pinned);
    if ran.status == 2 {
        assert!(ran.stderr.contains("--pin needs 2 cores"), "{ran:?}");
        return;
    }
    assert!(
        ran.stderr.lines().any(|line| line.contains("cell-phase") && line.contains("6.5 Gbps")),
        "{ran:?}"
    );
    let results = bench.results();
    let provenance = &results.metadata.provenance;
    let cpus = provenance.pinning[0].dialer.clone();
    let told = reason(&results.tests[0]);
    assert!(told.contains("Cpus_allowed_list:"), "{told}");
    assert!(cpus.len() > 1 || told.ends_with(&format!("\t{}", cpus[0])), "{cpus:?}: {told}");
    let id = id(&bench);
    let image = docker(&["image", "inspect", "--format", "{{.Id}}", &format!("perf-{id}")]).stdout;
    assert_eq!(provenance.images[&id], image.trim());
    assert!(provenance.toolchains.contains_key("docker"), "{provenance:?}");
    remove_images(&bench);
}

#[test]
fn several_workers_run_cells_side_by_side() {
    // Each waits for the other in the run's Redis: one after the other, they would time out.
    let dialer = r#"exec bash -c '
exec 3<>/dev/tcp/perf-redis/6379
ask() { printf "%s\r\n" "$*" >&3; read -r answer <&3; }
ask INCR here
for _ in $(seq 200); do
    ask INCRBY here 0
    case $answer in :2*) echo met >&2; sleep 0.3; exit 9;; esac
    sleep 0.1
done
exit 8'"#;
    let bench = Bench::new();
    let definitions = definitions(&bench, SERVES, dialer, "");
    let text = fs::read_to_string(&definitions).unwrap();
    fs::write(&definitions, text.replace("[quic-v1]", "[quic-v1, webtransport]")).unwrap();
    let two = ["--workers", "2", "--timeout", "25", "--upload-bytes", "1", "--download-bytes", "1"];
    bench.run(&definitions, &two);
    let results = bench.results();
    remove_images(&bench);
    assert_eq!(results.tests.len(), 2);
    assert!(
        results.tests.iter().all(|test| reason(test).ends_with("last line: met")),
        "{results:?}"
    );
    assert!(results.metadata.warnings.iter().any(|line| line.contains("2 tests ran at a time")));
    assert_eq!(bench.left(), Vec::<String>::new());
}

#[test]
fn what_cannot_be_built_is_unavailable_with_the_reason() {
    let bench = Bench::new();
    let definitions = definitions(&bench, "", "", "");
    fs::write(bench.path().join("Dockerfile"), "FROM debian:bookworm-slim\nRUN exit 7\n").unwrap();
    let ran = bench.run(&definitions, &["--upload-bytes", "1", "--download-bytes", "1"]);
    assert_eq!(ran.status, 1);
    let result = bench.results().tests.remove(0);
    assert_eq!(result.status, Status::Unavailable);
    assert!(reason(&result).contains("its image could not be built"), "{result:?}");
}

#[test]
fn a_forced_build_starts_from_nothing() {
    let bench = Bench::new();
    let definitions = definitions(&bench, SERVES, "cat /stamp >&2; exit 9", "");
    let dockerfile = bench.path().join("Dockerfile");
    let text = fs::read_to_string(&dockerfile).unwrap();
    fs::write(dockerfile, text.replace("ENTRYPOINT", "RUN date +%s%N > /stamp\nENTRYPOINT"))
        .unwrap();
    let bytes = ["--upload-bytes", "1", "--download-bytes", "1"];
    let stamp = |args: &[&str]| {
        bench.run(&definitions, &[&bytes, args].concat());
        reason(&bench.results().tests[0]).to_owned()
    };
    let first = stamp(&[]);
    assert_eq!(stamp(&[]), first);
    let anew = stamp(&["--force-image-rebuild"]);
    remove_images(&bench);
    assert_ne!(anew, first);
}

#[test]
fn a_run_that_is_taken_up_again_has_the_engine_it_had() {
    let bench = Bench::new();
    let definitions = definitions(&bench, SERVES, "sleep 2; exit 9", "");
    let mut child = bench.spawn(&definitions, &["--upload-bytes", "1", "--download-bytes", "1"]);
    let deadline = Instant::now() + Duration::from_secs(120);
    while !bench.path().join("cache").exists()
        || !bench.left().iter().any(|name| name.ends_with("-dialer"))
    {
        assert!(Instant::now() < deadline, "the cell did not begin");
        sleep(Duration::from_millis(50));
    }
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(bench.results().tests[0].status, Status::NotRun);

    let mut command = Command::new(env!("CARGO_BIN_EXE_perf-compose"));
    command.args(["--yes", "--resume", "last", "--cache-dir"]).arg(bench.path().join("cache"));
    let resumed = ran(command.stdin(Stdio::null()));
    let results = bench.results();
    remove_images(&bench);
    assert_eq!(resumed.status, 1, "{resumed:?}");
    assert_eq!(bench.runs().len(), 1);
    assert_eq!(results.metadata.engine, "docker");
    assert!(reason(&results.tests[0]).contains("ended with status 9"), "{results:?}");
    assert_eq!(bench.left(), Vec::<String>::new());
}
