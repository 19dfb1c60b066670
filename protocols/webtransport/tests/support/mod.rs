//! A node to test with: a transport that a task polls, and connections that tasks drive.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

pub mod raw;

use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p_core::muxing::StreamMuxerExt;
use libp2p_core::transport::{DialOpts, ListenerId, PortUse, TransportError, TransportEvent};
use libp2p_core::{Endpoint, Multiaddr, Transport as _};
use libp2p_identity::{Keypair, PeerId};
use libp2p_webtransport_native::{Config, Connection, Error, Stream, Transport};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Longer than anything here takes on a machine that does a lot else.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Fails where `work` takes too long.
pub async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("it takes too long")
}

/// An identity that is always the same.
pub fn identity(seed: u8) -> Keypair {
    Keypair::ed25519_from_bytes([seed; 32]).unwrap()
}

pub const IP4: &str = "/ip4/127.0.0.1/udp/0/quic-v1/webtransport";
pub const IP6: &str = "/ip6/::1/udp/0/quic-v1/webtransport";

/// What happens to a listener, without the handshakes.
#[derive(Debug)]
pub enum Happened {
    New(Multiaddr),
    Expired(Multiaddr),
    Closed,
}

/// Who connected, and from where.
pub struct Accepted {
    pub result: Result<(PeerId, Connection), Error>,
    pub send_back: Multiaddr,
}

/// A transport that a task polls.
pub struct Node {
    pub peer: PeerId,
    orders: mpsc::UnboundedSender<Order>,
    pub happened: mpsc::UnboundedReceiver<Happened>,
    pub accepted: mpsc::UnboundedReceiver<Accepted>,
    task: JoinHandle<()>,
}

type Dialed = Result<(PeerId, Connection), Error>;

enum Order {
    Listen(Multiaddr, oneshot::Sender<Result<ListenerId, Error>>),
    Remove(ListenerId),
    Dial(Multiaddr, PortUse, oneshot::Sender<Dialed>),
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Node {
    /// A node with the default options.
    pub fn new(seed: u8) -> Self {
        Self::with(Config::new(&identity(seed)), seed)
    }

    pub fn with(config: Config, seed: u8) -> Self {
        let transport = Transport::new(config).unwrap();
        let (orders, inbox) = mpsc::unbounded_channel();
        let (happened_sender, happened) = mpsc::unbounded_channel();
        let (accepted_sender, accepted) = mpsc::unbounded_channel();
        let task = tokio::spawn(run(transport, inbox, happened_sender, accepted_sender));
        Self { peer: identity(seed).public().to_peer_id(), orders, happened, accepted, task }
    }

    /// Listens, and gives the first address.
    pub async fn listen(&mut self, address: &str) -> Multiaddr {
        self.try_listen(address).await.unwrap().1
    }

    pub async fn try_listen(&mut self, address: &str) -> Result<(ListenerId, Multiaddr), Error> {
        let (sender, id) = oneshot::channel();
        self.orders.send(Order::Listen(address.parse().unwrap(), sender)).ok().unwrap();
        let id = in_time(id).await.unwrap()?;
        match in_time(self.happened.recv()).await {
            Some(Happened::New(address)) => Ok((id, address)),
            other => panic!("{other:?}"),
        }
    }

    pub fn remove(&self, id: ListenerId) {
        self.orders.send(Order::Remove(id)).ok().unwrap();
    }

    pub async fn dial(&self, address: &Multiaddr) -> Dialed {
        self.dial_from(address, PortUse::Reuse).await
    }

    pub async fn dial_from(&self, address: &Multiaddr, port_use: PortUse) -> Dialed {
        let (sender, dialed) = oneshot::channel();
        self.orders.send(Order::Dial(address.clone(), port_use, sender)).ok().unwrap();
        in_time(dialed).await.unwrap()
    }

    /// The next dialer, once its handshake is done.
    pub async fn accept(&mut self) -> (PeerId, Connection) {
        in_time(self.accepted.recv()).await.unwrap().result.unwrap()
    }

    /// Echoes whatever whoever connects sends, from here on.
    pub fn echo(mut self) -> Self {
        let (_, never) = mpsc::unbounded_channel();
        let mut accepted = std::mem::replace(&mut self.accepted, never);
        tokio::spawn(async move {
            while let Some(Accepted { result, .. }) = accepted.recv().await {
                if let Ok((_, connection)) = result {
                    tokio::spawn(echo_all(Driven::new(connection)));
                }
            }
        });
        self
    }
}

async fn run(
    mut transport: Transport,
    mut orders: mpsc::UnboundedReceiver<Order>,
    happened: mpsc::UnboundedSender<Happened>,
    accepted: mpsc::UnboundedSender<Accepted>,
) {
    let options = |port_use| DialOpts { role: Endpoint::Dialer, port_use };
    loop {
        let event = tokio::select! {
            order = orders.recv() => {
                match order {
                    None => return,
                    Some(Order::Listen(address, sender)) => {
                        let id = ListenerId::next();
                        let listens = transport.listen_on(id, address).map(|()| id);
                        let _ = sender.send(listens.map_err(cause));
                    }
                    Some(Order::Remove(id)) => assert!(transport.remove_listener(id)),
                    Some(Order::Dial(address, port_use, sender)) => {
                        match transport.dial(address, options(port_use)) {
                            Ok(dial) => { tokio::spawn(async { sender.send(dial.await) }); }
                            Err(error) => { let _ = sender.send(Err(cause(error))); }
                        }
                    }
                }
                continue;
            }
            event = poll_fn(|cx| std::pin::Pin::new(&mut transport).poll(cx)) => event,
        };
        // Nobody may be interested any more.
        let _ = match event {
            TransportEvent::NewAddress { listen_addr, .. } => {
                happened.send(Happened::New(listen_addr))
            }
            TransportEvent::AddressExpired { listen_addr, .. } => {
                happened.send(Happened::Expired(listen_addr))
            }
            TransportEvent::ListenerClosed { reason, .. } => {
                reason.unwrap();
                happened.send(Happened::Closed)
            }
            TransportEvent::ListenerError { error, .. } => panic!("{error}"),
            TransportEvent::Incoming { upgrade, send_back_addr: send_back, .. } => {
                let accepted = accepted.clone();
                tokio::spawn(async move {
                    let _ = accepted.send(Accepted { result: upgrade.await, send_back });
                });
                Ok(())
            }
        };
    }
}

fn cause(error: TransportError<Error>) -> Error {
    match error {
        TransportError::Other(error) => error,
        error => panic!("{error:?}"),
    }
}

/// A connection that a task drives until it ends.
pub struct Driven {
    orders: mpsc::UnboundedSender<Work>,
    pub inbound: mpsc::UnboundedReceiver<Stream>,
    ended: Option<oneshot::Receiver<Error>>,
}

enum Work {
    Open(oneshot::Sender<Stream>),
    Close(u32, String),
}

impl Driven {
    pub fn new(connection: Connection) -> Self {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (inbound_sender, inbound) = mpsc::unbounded_channel();
        let (ended_sender, ended) = oneshot::channel();
        tokio::spawn(async move {
            let _ = ended_sender.send(drive(connection, inbox, inbound_sender).await);
        });
        Self { orders, inbound, ended: Some(ended) }
    }

    pub async fn open(&self) -> Stream {
        let (sender, stream) = oneshot::channel();
        self.orders.send(Work::Open(sender)).ok().unwrap();
        in_time(stream).await.unwrap()
    }

    pub async fn next(&mut self) -> Stream {
        in_time(self.inbound.recv()).await.expect("the connection ended")
    }

    pub fn close(&self, code: u32, reason: &str) {
        self.orders.send(Work::Close(code, reason.to_owned())).ok().unwrap();
    }

    /// Why it ended, once it has.
    pub async fn ended(&mut self) -> Error {
        in_time(self.ended.take().unwrap()).await.unwrap()
    }
}

/// Ends with the connection, and where nobody holds its other side any more.
async fn drive(
    mut connection: Connection,
    mut orders: mpsc::UnboundedReceiver<Work>,
    inbound: mpsc::UnboundedSender<Stream>,
) -> Error {
    let mut opening: Option<oneshot::Sender<Stream>> = None;
    let ended = poll_fn(|cx| {
        if let Poll::Ready(result) = connection.poll_unpin(cx) {
            return Poll::Ready(Err(result.unwrap_err()));
        }
        while let Poll::Ready(result) = connection.poll_inbound_unpin(cx) {
            match result {
                // Nobody may be interested any more.
                Ok(stream) => drop(inbound.send(stream)),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        loop {
            if opening.is_none() {
                match std::task::ready!(orders.poll_recv(cx)) {
                    Some(Work::Open(sender)) => opening = Some(sender),
                    Some(Work::Close(code, reason)) => return Poll::Ready(Ok((code, reason))),
                    None => return Poll::Ready(Ok((0, String::new()))),
                }
            }
            match std::task::ready!(connection.poll_outbound_unpin(cx)) {
                Ok(stream) => drop(opening.take().unwrap().send(stream)),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    });
    let ended = ended.await;
    if let Ok((code, reason)) = &ended {
        connection.close_with(*code, reason);
    }
    // A swarm closes what has ended by itself, too.
    in_time(poll_fn(|cx| connection.poll_close_unpin(cx))).await.unwrap();
    match ended {
        Ok(_) => Error::LocallyClosed,
        Err(error) => error,
    }
}

/// Echoes every stream until the connection ends.
pub async fn echo_all(mut connection: Driven) {
    while let Some(stream) = connection.inbound.recv().await {
        tokio::spawn(echo(stream));
    }
}

/// Sends back what comes.
pub async fn echo(stream: Stream) {
    let (mut reader, mut writer) = stream.split();
    if futures::io::copy(&mut reader, &mut writer).await.is_ok() {
        let _ = writer.close().await;
    }
}

/// Bytes that nothing can compress or mix up.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Sends `length` bytes to an echo and compares what comes back.
pub async fn exchange(stream: Stream, seed: u64, length: usize) {
    let bytes = noise(seed, length);
    let (mut reader, mut writer) = stream.split();
    let write = async {
        writer.write_all(&bytes).await.unwrap();
        writer.close().await.unwrap();
    };
    let mut echoed = Vec::with_capacity(length);
    let read = async { reader.read_to_end(&mut echoed).await.unwrap() };
    in_time(async { tokio::join!(write, read) }).await;
    assert!(echoed == bytes, "{} of {length} bytes came back, or others", echoed.len());
}

/// Two nodes that are connected, the dialer first.
pub async fn connected() -> (Node, Driven, Node, Driven) {
    let mut listener = Node::new(1);
    let address = listener.listen(IP4).await;
    let dialer = Node::new(2);
    let (dialed, accepted) = tokio::join!(dialer.dial(&address), async { listener.accept().await });
    (dialer, Driven::new(dialed.unwrap().1), listener, Driven::new(accepted.1))
}

/// For those who listen to streams alone.
pub async fn read_all(stream: &mut Stream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    in_time(stream.read_to_end(&mut bytes)).await.map(|_| bytes)
}

/// What this process has in memory, in bytes.
pub fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
