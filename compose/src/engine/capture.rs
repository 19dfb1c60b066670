//! A process's stdout, read while it runs, within bounds.

use std::convert::Infallible;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::ChildStdout;
use tokio::time::timeout;

use super::Captured;

/// Reads a pipe to its end; keeps at most `limit` bytes of it and drops the rest, so that whoever
/// writes is never blocked by a reader that has had enough.
#[derive(Debug)]
pub(crate) struct Capture {
    pipe: Option<ChildStdout>,
    captured: Captured,
    limit: usize,
}

impl Capture {
    pub(crate) fn new(pipe: Option<ChildStdout>, limit: usize) -> Self {
        Self { pipe, captured: Captured::default(), limit }
    }

    /// Reads for as long as it is polled; never done. Cancel-safe.
    pub(crate) async fn forever(&mut self) -> Infallible {
        self.drain().await;
        std::future::pending().await
    }

    /// What was read so far.
    pub(crate) fn so_far(&self) -> &[u8] {
        &self.captured.bytes
    }

    /// What was read, once the pipe is closed, or after `grace` where a process that left the
    /// group still holds it.
    pub(crate) async fn finish(mut self, grace: Duration) -> Captured {
        if timeout(grace, self.drain()).await.is_err() {
            let reason = "a process that outlived its group still holds it open";
            self.captured.incomplete.get_or_insert_with(|| reason.to_owned());
        }
        self.captured
    }

    async fn drain(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        let mut buffer = Vec::with_capacity(CHUNK);
        loop {
            // `read_buf` is cancel-safe: what it took from the pipe is in the buffer, and is
            // moved on before the next await.
            buffer.clear();
            match pipe.read_buf(&mut buffer).await {
                Ok(0) => break,
                Ok(_) => self.captured.append(&buffer, self.limit),
                Err(error) => {
                    self.captured.incomplete = Some(error.to_string());
                    break;
                }
            }
        }
        self.pipe = None;
    }
}

const CHUNK: usize = 64 << 10;

impl Captured {
    fn append(&mut self, bytes: &[u8], limit: usize) {
        let room = limit.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room {
            self.incomplete = Some(format!("there is more than {} MiB of it", limit >> 20));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_limit_is_dropped_and_said() {
        let mut captured = Captured::default();
        captured.append(b"abc", 4);
        assert_eq!(captured.incomplete, None);
        captured.append(b"def", 4);
        captured.append(b"ghi", 4);
        assert_eq!(captured.bytes, b"abcd");
        assert!(captured.incomplete.is_some());
    }
}
