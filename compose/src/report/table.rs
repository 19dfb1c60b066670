//! The table that a run ends with on a terminal.

use comfy_table::{CellAlignment, ContentLineStyle, LineStyle, Table, TableStyle};

use super::group::failures;
use super::{status_of, summary_line, tests_of, warnings, why, with_spread};
use crate::results::Results;

/// Columns apart by white space, one line below the header.
const STYLE: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::none())
    .header_separator(LineStyle::none().fill('─').junction('─'))
    .content_lines(ContentLineStyle::none());

/// Every test with its medians and quartiles; below, what did not pass and why. No colours, so
/// that it is the same in a file.
pub fn table(results: &Results) -> String {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_header(["test", "status", "upload Gbps", "download Gbps", "latency ms", "time"]);
    for test in &results.tests {
        table.add_row([
            test.test.clone(),
            status_of(test),
            with_spread(test.upload.as_ref()),
            with_spread(test.download.as_ref()),
            with_spread(test.latency.as_ref()),
            test.duration.to_string(),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut out = format!("{}\n", table.trim_fmt());
    out.push_str("median [first quartile–third quartile]\n");
    for test in failures(&results.tests) {
        out.push_str(&format!(
            "\n{}: {}\n  {}\n",
            test.test,
            status_of(test),
            why(test).replace('\n', "\n  ")
        ));
    }
    for warning in warnings(&results.metadata) {
        out.push_str(&format!("\nwarning: {warning}\n"));
    }
    let (summary, took) = (&results.summary, results.metadata.duration);
    out.push_str(&format!("\n{} in {took}: {}\n", tests_of(summary.total), summary_line(summary)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn medians_come_with_their_spread_and_failures_with_their_reason() {
        let text = table(&sample::results());
        assert!(text.contains("6.50 [6.00–6.60]"), "{text}");
        assert!(text.contains("\na x b (tcp, noise, yamux): fail\n  transfer: stalled"), "{text}");
        assert!(text.contains("\nwarning: the machine was not quiet: it was busy\n"), "{text}");
        assert!(text.ends_with("\n3 tests in 896s: 2 passed, 1 failed\n"), "{text}");
    }
}
