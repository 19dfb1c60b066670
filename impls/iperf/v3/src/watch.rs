//! Whether an iperf3 that says nothing until its end is moving bytes.

use std::time::Duration;

use harness_sdk::Meter;

/// How often the kernel is asked.
const INTERVAL: Duration = Duration::from_millis(200);

/// Tells `meter` what the process `id` reads and writes, by the kernel's accounts, for the SDK to see
/// a stall by. Control messages and the report are in it; it is no measurement. Never returns.
pub(crate) async fn watch(id: u32, meter: &Meter) {
    let path = format!("/proc/{id}/io");
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Ok(text) = tokio::fs::read_to_string(&path).await else {
            // Gone, or a system without it: there the SDK sees no movement, and takes it for a stall.
            return std::future::pending().await;
        };
        let (read, written) = (field(&text, "rchar:"), field(&text, "wchar:"));
        meter.received(read.saturating_sub(meter.bytes_received()));
        meter.sent(written.saturating_sub(meter.bytes_sent()));
    }
}

/// A line of proc_pid_io(5).
fn field(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_accounts_are_read() {
        let text = "rchar: 12\nwchar: 345\nsyscr: 6\n";
        assert_eq!((field(text, "rchar:"), field(text, "wchar:")), (12, 345));
        assert_eq!(field("", "rchar:"), 0);
    }
}
