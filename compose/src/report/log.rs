//! A cell's own log: how it ended and what the dialer printed; the sides' stderr lies beside it.

use crate::engine::{CellOutcome, SideOutcome};
use crate::report::why;
use crate::results::TestResult;

/// The log, as bytes: the dialer's stdout is kept as it was, whatever it was.
pub fn cell_log(result: &TestResult, outcome: &CellOutcome) -> Vec<u8> {
    let mut head = format!("{}: {}\n", result.test, result.status);
    if result.class.is_some() {
        head.push_str(&format!("{}\n", why(result)));
    }
    head.push_str(&format!("took {}\n", result.duration));
    for (name, side) in [("dialer", &outcome.dialer), ("listener", &outcome.listener)] {
        let SideOutcome { exit, stopped, ended_after, last_line: _ } = side;
        let when = ended_after.as_secs_f64();
        let by = if *stopped { ", asked to" } else { "" };
        head.push_str(&format!("the {name} {exit} after {when:.3} s{by}\n"));
    }
    head.push_str("--- stdout of the dialer ---\n");
    let mut log = head.into_bytes();
    log.extend_from_slice(&outcome.stdout.bytes);
    log
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::mock::outcome;
    use crate::report::sample;

    #[test]
    fn a_log_tells_how_it_ended_and_what_was_printed() {
        let results = sample::results();
        let log =
            String::from_utf8(cell_log(&results.tests[1], &outcome(5, "upload: x\n"))).unwrap();
        assert!(log.starts_with("a x b (tcp, noise, yamux): fail\ntransfer: stalled"), "{log}");
        assert!(log.contains("the dialer ended with status 5 after 0.020 s\n"), "{log}");
        assert!(
            log.contains("the listener ended with status 0 after 0.020 s, asked to\n"),
            "{log}"
        );
        assert!(log.ends_with("--- stdout of the dialer ---\nupload: x\n"), "{log}");
    }
}
