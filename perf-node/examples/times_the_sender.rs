//! A node that lies, for tests: it speaks libp2p and moves every byte, and stops an upload's clock when
//! its own side is closed, as most nodes of the older test images did. `perf-compose check` has to find
//! it out on every stack.

use std::process::ExitCode;
use std::time::Instant;

use futures::{AsyncReadExt, AsyncWriteExt};
use harness_sdk::{BoxError, Config, Connection, Details, Meter, Node, Stack};
use perf_node::swarm::Manner;
use perf_node::{AnyListener, PerfConnection, PerfNode, stacks};

fn main() -> ExitCode {
    harness_sdk::main(TimesTheSender::default())
}

#[derive(Default)]
struct TimesTheSender(PerfNode);

struct Timed(PerfConnection);

impl Node for TimesTheSender {
    type Listener = AnyListener;
    type Connection = Timed;

    fn name(&self) -> &str {
        "times-the-sender"
    }

    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    fn speaks(&self, stack: &Stack) -> Result<(), String> {
        stacks::supported(stack)
    }

    async fn listen(&self, config: &Config) -> Result<AnyListener, BoxError> {
        self.0.listen(config).await
    }

    async fn dial(&self, config: &Config, address: &str) -> Result<Timed, BoxError> {
        Ok(Timed(self.0.dial_as(config, address, &Manner::default()).await?))
    }
}

impl Connection for Timed {
    async fn upload(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
        let began = Instant::now();
        let mut stream = self.0.open().await?;
        stream.write_all(&0_u64.to_be_bytes()).await?;
        let block = [0; 16 * 1024];
        let mut left = bytes;
        while left > 0 {
            let chunk = &block[..block.len().min(usize::try_from(left)?)];
            let written = stream.write(chunk).await? as u64;
            meter.sent(written);
            left -= written;
        }
        stream.close().await?;
        // The lie: what waits in buffers is not delivered.
        meter.measured_elsewhere(bytes, began.elapsed());
        stream.read_to_end(&mut Vec::new()).await?;
        Ok(())
    }

    async fn download(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
        self.0.download(bytes, meter).await
    }

    async fn latency(&self, meter: &Meter) -> Result<(), BoxError> {
        self.0.latency(meter).await
    }

    fn details(&self) -> Details {
        Details { foreign_clock: Some("the sender's".to_owned()), ..self.0.details() }
    }

    async fn close(self) {
        self.0.close().await;
    }
}
