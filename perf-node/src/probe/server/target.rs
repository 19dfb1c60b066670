//! The node under test, as the rules see it: a place to connect to, and streams to misuse.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use harness_sdk::{Config, Muxer, Transport, chain};
use libp2p::Stream;
use libp2p::core::upgrade::Version;
use perf_protocol::{ReadBuffer, encode_header};
use tokio::time::timeout;

use super::finding::Broken;
use crate::connection::PerfConnection;
use crate::node::PerfNode;
use crate::swarm::{Manner, OpenError};

/// Room for a whole frame of any muxer: after a read into it none of a frame is left over.
const READ_LEN: usize = 1 << 20;

/// Where a node listens.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) config: Config,
    pub(super) address: String,
    /// After how long without a byte the node was told to give a stream up.
    pub(super) stall: Option<Duration>,
    doing: Arc<Mutex<String>>,
}

/// One connection to it.
#[derive(Debug)]
pub(super) struct Link {
    connection: PerfConnection,
    doing: Arc<Mutex<String>>,
}

impl Target {
    pub(super) fn new(config: Config, address: String, stall: Option<Duration>) -> Self {
        Self { config, address, stall, doing: Arc::default() }
    }

    /// A connection whose streams wait until perf is agreed on.
    pub(super) async fn connect(&self) -> Result<Link, Broken> {
        self.connect_as(&Manner::default()).await
    }

    /// One whose streams do not wait: what is written goes out with the protocol's name.
    pub(super) async fn connect_lazily(&self) -> Result<Link, Broken> {
        self.connect_as(&Manner { negotiation: Version::V1Lazy, ..Manner::default() }).await
    }

    async fn connect_as(&self, manner: &Manner) -> Result<Link, Broken> {
        note(&self.doing, "connecting");
        let dialed = PerfNode::default().dial_as(&self.config, &self.address, manner).await;
        let connection = dialed.map_err(|error| Broken::Unconnected(chain(error.as_ref())))?;
        Ok(Link { connection, doing: Arc::clone(&self.doing) })
    }

    pub(super) fn is_mplex(&self) -> bool {
        self.config.stack.muxer == Some(Muxer::Mplex)
    }

    pub(super) fn is_quic(&self) -> bool {
        self.config.stack.transport == Transport::QuicV1
    }

    /// Whether the peer of a stream that is dropped unread learns of it: QUIC's STOP_SENDING.
    pub(super) fn tells_to_stop(&self) -> bool {
        matches!(self.config.stack.transport, Transport::QuicV1 | Transport::Webtransport)
    }

    /// What is going on, for a rule that does not come to an end.
    pub(super) fn doing(&self) -> String {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Link {
    /// Says what is going on.
    pub(super) fn note(&self, what: impl Into<String>) {
        note(&self.doing, what);
    }

    pub(super) async fn open(&self) -> Result<Stream, Broken> {
        match (self.connection.open().await, self.connection.ended()) {
            (Ok(stream), _) => Ok(stream),
            (Err(OpenError::Closed), Some(cause)) => {
                Err(format!("the node ended the connection: {cause}").into())
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    /// A stream with a header that asks for `bytes`, flushed and not closed.
    pub(super) async fn ask(&self, bytes: u64) -> Result<Stream, Broken> {
        self.note(format!("asking for {bytes} bytes"));
        let mut stream = self.open().await?;
        stream.write_all(&encode_header(bytes)).await?;
        stream.flush().await?;
        Ok(stream)
    }

    /// One exchange by the protocol, with exactly these counts of bytes.
    pub(super) async fn exchange(&self, up: u64, down: u64) -> Result<(), Broken> {
        let what = format!("{up} bytes up, {down} down");
        self.note(format!("exchanging {what}"));
        let mut stream = self.open().await?;
        let mut buffer = ReadBuffer::new();
        perf_protocol::request(&mut stream, up, down, &(), &mut buffer)
            .await
            .map_err(|error| Broken::during(&what, &error))?;
        // yamux ends the streams of a broken connection as if the node had ended them.
        match self.connection.confirm_alive().await {
            Ok(()) => Ok(()),
            Err(_) => Err(format!("{what}: the connection ended").into()),
        }
    }
}

fn note(doing: &Mutex<String>, what: impl Into<String>) {
    *doing.lock().unwrap_or_else(PoisonError::into_inner) = what.into();
}

/// What comes on a stream within `time`; `None`: nothing, not even its end.
pub(super) async fn heard(stream: &mut Stream, time: Duration) -> Option<Heard> {
    let mut byte = [0];
    match timeout(time, stream.read(&mut byte)).await {
        Err(_) => None,
        Ok(Ok(0)) => Some(Heard::End),
        Ok(Ok(_)) => Some(Heard::Byte),
        Ok(Err(_)) => Some(Heard::Reset),
    }
}

/// The first thing that came on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Byte,
    End,
    Reset,
}

/// Reads to the end, or to a reset: how many bytes came.
pub(super) async fn drain(stream: &mut Stream) -> u64 {
    let (mut block, mut received) = (vec![0; READ_LEN], 0);
    while let Ok(read @ 1..) = stream.read(&mut block).await {
        received += read as u64;
    }
    received
}

/// Reads at least `bytes`, then drops the stream, in one go.
///
/// libp2p-mplex reads nothing more of a connection once a stream was dropped whose buffer was full;
/// right after a read that left nothing of a frame it is not.
pub(super) async fn read_and_drop(mut stream: Stream, bytes: u64) -> Result<(), Broken> {
    let (mut block, mut received) = (vec![0; READ_LEN], 0);
    while received < bytes {
        match stream.read(&mut block).await? {
            0 => return Err(format!("the answer ended after {received} bytes").into()),
            read => received += read as u64,
        }
    }
    drop(stream);
    Ok(())
}

/// Reads an answer to its end, which has to come after exactly `expected` bytes.
pub(super) async fn answered(stream: &mut Stream, expected: u64) -> Result<(), Broken> {
    let (mut block, mut received) = (vec![0; READ_LEN], 0);
    loop {
        let read = stream.read(&mut block).await?;
        received += read as u64;
        if received > expected {
            return Err(format!("more than the {expected} bytes asked for").into());
        }
        if read == 0 {
            return match received == expected {
                true => Ok(()),
                false => Err(format!("{received} of the {expected} bytes asked for").into()),
            };
        }
    }
}

/// Runs `judging` and, beside it, keeps libp2p-mplex on the node's side moving: it sends the reset of
/// a stream no sooner than something else.
pub(super) async fn beside_exchanges<T>(
    link: &Link,
    judging: impl Future<Output = T>,
) -> Result<T, Broken> {
    let exchanging = async {
        loop {
            if let Err(broken) = link.exchange(1, 1).await {
                return broken;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    tokio::select! {
        judged = judging => Ok(judged),
        broken = exchanging => Err(broken),
    }
}
