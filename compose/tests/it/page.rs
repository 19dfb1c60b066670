//! results.html in a real browser: that what is said to be there is there, that the page's own script
//! may run and does, and that the browser complains of nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use perf_compose::report::html;

use crate::bench::{Ran, finish};
use crate::fixture;

/// Chromium, on a fresh profile, with `args`.
fn chromium(args: &[&str], page: &Path) -> Ran {
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new("chromium");
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--enable-logging=stderr",
    ]);
    command.arg(format!("--user-data-dir={}", profile.path().display())).args(args);
    command.arg(format!("file://{}", page.display()));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child =
        command.spawn().unwrap_or_else(|error| panic!("chromium could not be started: {error}"));
    let ran = finish(child);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    ran
}

/// What the page said on the console, or the browser about the page.
fn console(ran: &Ran) -> Vec<&str> {
    ran.stderr.lines().filter(|line| line.contains("CONSOLE")).collect()
}

fn write(folder: &Path, name: &str, page: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, page).unwrap();
    path
}

/// `page` with `script` at its end, and without the policy, which would not let that run.
fn with_script(page: &str, script: &str) -> String {
    let start = page.find("<meta http-equiv").unwrap();
    let end = start + page[start..].find('>').unwrap() + 1;
    let page = format!("{}{}", &page[..start], &page[end..]);
    page.replace("</body>", &format!("<script>{script}</script></body>"))
}

/// The page's title once `script` has set it.
fn answer(folder: &Path, page: &str, script: &str, size: &str) -> String {
    let path = write(folder, "asked.html", &with_script(page, script));
    let ran = chromium(&["--dump-dom", size], &path);
    assert!(console(&ran).is_empty(), "{}", ran.stderr);
    let title = ran.stdout.split("<title>").nth(1).unwrap();
    title.split("</title>").next().unwrap().to_owned()
}

#[test]
#[ignore = "make full: needs chromium"]
fn a_browser_shows_it_without_complaint() {
    let folder = tempfile::tempdir().unwrap();
    let results = fixture::results();
    let page = html(&results);
    // Kept, so that a person can look at it as well.
    let path = write(Path::new(env!("CARGO_TARGET_TMPDIR")), "results.html", &page);
    let ran = chromium(&["--dump-dom"], &path);
    assert!(console(&ran).is_empty(), "{}", ran.stderr);
    let dom = &ran.stdout;
    let sections: usize = results.tests.iter().map(|test| test.sections().count()).sum();
    assert_eq!(dom.matches("class=\"strip\"").count(), sections);
    for expected in [
        "<h2 id=\"not-passed\">",
        "<h2 id=\"tcp\">",
        "<h2 id=\"quic\">",
        "<h2 id=\"nodes\">",
        "46 tests, ",
    ] {
        assert!(dom.contains(expected), "{expected}");
    }
    // Made by the page's script: its hash in the policy is right.
    assert!(dom.contains("<button type=\"button\">median</button>"));

    // Had there been something to complain of, it would have been seen.
    let smuggled =
        page.replace("</body>", "<script>document.title = 1</script><img src=\"x.png\"></body>");
    let ran = chromium(&["--dump-dom"], &write(folder.path(), "smuggled.html", &smuggled));
    assert_eq!(console(&ran).len(), 2, "{}", ran.stderr);
    assert!(!ran.stdout.contains("<title>1</title>"));
}

#[test]
#[ignore = "make full: needs chromium"]
fn numbers_can_be_sorted() {
    let folder = tempfile::tempdir().unwrap();
    let script = "
        const table = document.querySelector('table.numbers');
        const th = [...table.querySelectorAll('th')].find((th) => th.textContent === 'median');
        const order = () => {
            th.querySelector('button').click();
            const medians = [...table.tBodies[0].rows].map((row) => +row.querySelector('td.median').textContent);
            const rises = medians.every((value, i) => i === 0 || medians[i - 1] <= value);
            const falls = medians.every((value, i) => i === 0 || medians[i - 1] >= value);
            return `${th.getAttribute('aria-sort')} ${rises} ${falls} ${medians.length}`;
        };
        document.title = `${order()}, ${order()}`;";
    let title = answer(folder.path(), &html(&fixture::results()), script, "--window-size=1280,900");
    assert_eq!(title, "ascending true false 27, descending false true 27");
}

#[test]
#[ignore = "make full: needs chromium"]
fn it_fits_narrow_and_wide_screens() {
    let folder = tempfile::tempdir().unwrap();
    let script = "
        const width = document.documentElement.clientWidth;
        const strip = document.querySelector('svg.strip').getBoundingClientRect();
        document.title = `${document.documentElement.scrollWidth <= width} ${strip.width > 200 && strip.right <= width}`;";
    for size in ["--window-size=500,900", "--window-size=800,900", "--window-size=1600,900"] {
        let title = answer(folder.path(), &html(&fixture::results()), script, size);
        assert_eq!(title, "true true", "{size}");
    }
}
