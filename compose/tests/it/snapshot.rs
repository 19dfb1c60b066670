//! A snapshot, taken apart somewhere else and run again there.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use perf_compose::results::{Results, Status};

use crate::bench::{Bench, Ran, SERVES, finish, prints_document};

fn unpack(archive: &Path, to: &Path) {
    let status = Command::new("tar").arg("xzf").arg(archive).arg("-C").arg(to).status().unwrap();
    assert!(status.success());
}

fn results(run: &Path) -> Results {
    serde_yaml::from_str(&fs::read_to_string(run.join("results.yaml")).unwrap()).unwrap()
}

fn re_run(snapshot: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new(snapshot.join("re-run.sh"));
    command.args(args).current_dir("/").stdin(Stdio::null());
    finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

#[test]
fn it_runs_the_same_tests_again() {
    let mut bench = Bench::with_node(SERVES, &prints_document());
    bench.add("other", "[quic-v1, https]", SERVES, &prints_document());
    fs::create_dir(bench.path("target")).unwrap();
    fs::write(bench.path("target/left"), "by a build").unwrap();
    // What the command line left out and what the defaults did must both be left out again.
    fs::write(bench.path("impls/test-selection.yaml"), "test-ignore: [https]\n").unwrap();
    let ran =
        bench.run(&["--snapshot", "--test-select", "node x|other x other", "--timeout", "77"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    let first = bench.results();
    let line = ran.stdout.lines().find_map(|line| line.strip_prefix("snapshot: ")).unwrap();
    let archive = bench.path("").join(line);

    let elsewhere = tempfile::tempdir().unwrap();
    unpack(&archive, elsewhere.path());
    let snapshot = elsewhere.path().join(&first.metadata.test_pass);
    let readme = fs::read_to_string(snapshot.join("README.md")).unwrap();
    assert!(readme.contains("3 passed") && !readme.contains('@'), "{readme}");
    assert!(readme.contains("Nothing that this machine had."), "{readme}");
    for there in ["run/results.html", "run/test-matrix.yaml", "run/journal.jsonl", "node.sh"] {
        assert!(snapshot.join(there).is_file(), "{there}");
    }
    for not_there in ["target", "cache"] {
        assert!(!snapshot.join(not_there).exists(), "{not_there}");
    }

    // Nothing of the first place is needed.
    drop(bench);
    let ran = re_run(&snapshot, &[]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    let runs: Vec<_> = fs::read_dir(snapshot.join("cache/test-runs")).unwrap().collect();
    assert_eq!(runs.len(), 1);
    let second = results(&runs[0].as_ref().unwrap().path());
    let names = |results: &Results| -> Vec<String> {
        results.tests.iter().map(|test| test.test.clone()).collect()
    };
    assert_eq!(names(&second), names(&first));
    assert_eq!(names(&first).len(), 3);
    assert!(second.tests.iter().all(|test| test.status == Status::Pass));
    assert_eq!(second.metadata.workload, first.metadata.workload);
    assert_eq!(second.metadata.timeout, first.metadata.timeout);
    assert_eq!(results(&snapshot.join("run")), first, "the snapshot's own run stays as it was");

    let ran = re_run(&snapshot, &["--list-tests"]);
    assert_eq!((ran.status, ran.stdout.lines().count()), (0, 3), "{}", ran.stdout);
}

#[test]
fn a_repository_gives_what_it_knows_and_outside_sources_are_told_of() {
    let mut bench = Bench::with_node(SERVES, &prints_document());
    bench.add_entry(
        "{id: far, transports: [quic-v1], source: {path: ../far}, process: {command: ./x}}",
    );
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        command.args(args).current_dir(bench.path("")).stdout(Stdio::null());
        assert!(command.status().unwrap().success(), "{args:?}");
    };
    git(&["init", "--quiet"]);
    fs::write(bench.path(".gitignore"), "cache\nsecret\n").unwrap();
    fs::write(bench.path("secret"), "x").unwrap();
    fs::write(bench.path("new"), "x").unwrap();
    let ran = bench.run(&["--snapshot"]);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("far: ../far is outside of the definitions' folder"),
        "{}",
        ran.stderr
    );
    let name = bench.results().metadata.test_pass;
    unpack(&bench.path(&format!("cache/snapshots/{name}.tar.gz")), &bench.path("cache"));
    let snapshot = bench.path(&format!("cache/{name}"));
    assert!(snapshot.join("new").exists() && !snapshot.join("secret").exists());
    let left: Vec<_> = fs::read_dir(bench.path("cache/snapshots")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}
