//! A node to test with: a transport that a task polls, ours or libp2p's own, and connections that tasks
//! drive.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

pub mod stranger;

use std::future::{Future, poll_fn};
use std::io;
use std::task::{Poll, ready};
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p_core::multiaddr::Protocol;
use libp2p_core::muxing::{StreamMuxerBox, StreamMuxerExt, SubstreamBox};
use libp2p_core::transport::{
    Boxed, DialOpts, ListenerId, PortUse, TransportError, TransportEvent,
};
use libp2p_core::{Endpoint, Multiaddr, Transport as _};
use libp2p_identity::{Keypair, PeerId};
use libp2p_quic_shared::{Config, Ports, Transport};
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

pub const IP4: &str = "/ip4/127.0.0.1/udp/0/quic-v1";
pub const IP6: &str = "/ip6/::1/udp/0/quic-v1";

pub fn udp_port(address: &Multiaddr) -> u16 {
    let port = address.iter().find_map(|part| match part {
        Protocol::Udp(port) => Some(port),
        _ => None,
    });
    port.unwrap()
}

/// Whose transport a node has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    Ours,
    Stock,
}

/// Who dials, and who listens: where ours is either.
pub const PAIRS: [(Make, Make); 3] =
    [(Make::Ours, Make::Ours), (Make::Ours, Make::Stock), (Make::Stock, Make::Ours)];

type Stack = Boxed<(PeerId, StreamMuxerBox)>;

/// What happens to a listener, without the handshakes.
#[derive(Debug)]
pub enum Happened {
    New(Multiaddr),
    Expired(Multiaddr),
    Closed(io::Result<()>),
}

/// Who connected, and from where.
pub struct Accepted {
    pub result: io::Result<(PeerId, StreamMuxerBox)>,
    pub send_back: Multiaddr,
}

type Dialed = io::Result<(PeerId, StreamMuxerBox)>;

enum Order {
    Listen(Multiaddr, oneshot::Sender<io::Result<ListenerId>>),
    Remove(ListenerId),
    Dial(Multiaddr, DialOpts, oneshot::Sender<Dialed>),
}

/// A transport that a task polls.
pub struct Node {
    pub peer: PeerId,
    orders: mpsc::UnboundedSender<Order>,
    pub happened: mpsc::UnboundedReceiver<Happened>,
    pub accepted: mpsc::UnboundedReceiver<Accepted>,
    task: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Node {
    /// A node with the default options.
    pub fn new(make: Make, seed: u8) -> Self {
        match make {
            Make::Ours => Self::with(seed, |_| ()),
            Make::Stock => {
                let config = libp2p_quic::Config::new(&identity(seed));
                let transport = libp2p_quic::tokio::Transport::new(config);
                Self::of(
                    transport.map(|(peer, it), _| (peer, StreamMuxerBox::new(it))).boxed(),
                    seed,
                )
            }
        }
    }

    /// One of ours with other options.
    pub fn with(seed: u8, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(&identity(seed));
        change(&mut config);
        Self::on(&Ports::new(config).unwrap(), seed)
    }

    /// One of ours on these ports.
    pub fn on(ports: &Ports, seed: u8) -> Self {
        let transport = Transport::new(&identity(seed), ports).unwrap();
        Self::of(transport.map(|(peer, it), _| (peer, StreamMuxerBox::new(it))).boxed(), seed)
    }

    fn of(stack: Stack, seed: u8) -> Self {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (happened_sender, happened) = mpsc::unbounded_channel();
        let (accepted_sender, accepted) = mpsc::unbounded_channel();
        let task = tokio::spawn(run(stack, inbox, happened_sender, accepted_sender));
        Self { peer: identity(seed).public().to_peer_id(), orders, happened, accepted, task }
    }

    /// Listens, and gives the first address.
    pub async fn listen(&mut self, address: &str) -> Multiaddr {
        self.try_listen(address).await.unwrap().1
    }

    pub async fn try_listen(&mut self, address: &str) -> io::Result<(ListenerId, Multiaddr)> {
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
        self.dial_as(address, Endpoint::Dialer, PortUse::Reuse).await
    }

    pub async fn dial_as(&self, address: &Multiaddr, role: Endpoint, port_use: PortUse) -> Dialed {
        let (sender, dialed) = oneshot::channel();
        let options = DialOpts { role, port_use };
        self.orders.send(Order::Dial(address.clone(), options, sender)).ok().unwrap();
        in_time(dialed).await.unwrap()
    }

    /// The next dialer, once its handshake is done.
    pub async fn accept(&mut self) -> (PeerId, StreamMuxerBox) {
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
    mut stack: Stack,
    mut orders: mpsc::UnboundedReceiver<Order>,
    happened: mpsc::UnboundedSender<Happened>,
    accepted: mpsc::UnboundedSender<Accepted>,
) {
    loop {
        let event = tokio::select! {
            order = orders.recv() => match order {
                Some(order) => {
                    obey(&mut stack, order);
                    continue;
                }
                None => return,
            },
            event = poll_fn(|cx| std::pin::Pin::new(&mut stack).poll(cx)) => event,
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
                happened.send(Happened::Closed(reason))
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

fn obey(stack: &mut Stack, order: Order) {
    let plain = |error| match error {
        TransportError::Other(error) => error,
        error => panic!("{error}"),
    };
    match order {
        Order::Listen(address, sender) => {
            let id = ListenerId::next();
            let _ = sender.send(stack.listen_on(id, address).map(|()| id).map_err(plain));
        }
        Order::Remove(id) => assert!(stack.remove_listener(id)),
        Order::Dial(address, options, sender) => match stack.dial(address, options) {
            Ok(dial) => drop(tokio::spawn(async { sender.send(dial.await) })),
            Err(error) => drop(sender.send(Err(plain(error)))),
        },
    }
}

/// A connection that a task drives until it ends.
pub struct Driven {
    orders: mpsc::UnboundedSender<oneshot::Sender<SubstreamBox>>,
    pub inbound: mpsc::UnboundedReceiver<SubstreamBox>,
    ended: Option<oneshot::Receiver<Option<io::Error>>>,
}

impl Driven {
    pub fn new(connection: StreamMuxerBox) -> Self {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (inbound_sender, inbound) = mpsc::unbounded_channel();
        let (ended_sender, ended) = oneshot::channel();
        tokio::spawn(async move {
            let _ = ended_sender.send(drive(connection, inbox, inbound_sender).await);
        });
        Self { orders, inbound, ended: Some(ended) }
    }

    pub async fn open(&self) -> SubstreamBox {
        let (sender, stream) = oneshot::channel();
        self.orders.send(sender).ok().unwrap();
        in_time(stream).await.unwrap()
    }

    pub async fn next(&mut self) -> SubstreamBox {
        in_time(self.inbound.recv()).await.expect("the connection ended")
    }

    /// Why it ended, once its peer has ended it.
    pub async fn ended(&mut self) -> io::Error {
        in_time(self.ended.take().unwrap()).await.unwrap().expect("it was ended here")
    }
}

/// Ends with the connection, and closes it where nobody holds its other side any more: then without an error.
async fn drive(
    mut connection: StreamMuxerBox,
    mut orders: mpsc::UnboundedReceiver<oneshot::Sender<SubstreamBox>>,
    inbound: mpsc::UnboundedSender<SubstreamBox>,
) -> Option<io::Error> {
    let mut opening: Option<oneshot::Sender<SubstreamBox>> = None;
    let ended = poll_fn(|cx| {
        while let Poll::Ready(result) = connection.poll_inbound_unpin(cx) {
            match result {
                // Nobody may be interested any more.
                Ok(stream) => drop(inbound.send(stream)),
                Err(error) => return Poll::Ready(Some(error)),
            }
        }
        loop {
            if opening.is_none() {
                match ready!(orders.poll_recv(cx)) {
                    Some(sender) => opening = Some(sender),
                    None => return Poll::Ready(None),
                }
            }
            match ready!(connection.poll_outbound_unpin(cx)) {
                Ok(stream) => drop(opening.take().unwrap().send(stream)),
                Err(error) => return Poll::Ready(Some(error)),
            }
        }
    });
    let ended = ended.await;
    if ended.is_none() {
        poll_fn(|cx| connection.poll_close_unpin(cx)).await.unwrap();
    }
    ended
}

/// Echoes every stream until the connection ends.
pub async fn echo_all(mut connection: Driven) {
    while let Some(stream) = connection.inbound.recv().await {
        tokio::spawn(async move {
            let (mut reader, mut writer) = stream.split();
            if futures::io::copy(&mut reader, &mut writer).await.is_ok() {
                let _ = writer.close().await;
            }
        });
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
pub async fn exchange(stream: SubstreamBox, seed: u64, length: usize) {
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
pub struct Pair {
    pub dialer: Node,
    pub dialed: Driven,
    pub listener: Node,
    pub accepted: Driven,
}

pub async fn connected((dialing, listening): (Make, Make)) -> Pair {
    let mut listener = Node::new(listening, 1);
    let address = listener.listen(IP4).await;
    let dialer = Node::new(dialing, 2);
    let (dialed, accepted) = tokio::join!(dialer.dial(&address), async { listener.accept().await });
    let (dialed, accepted) = (Driven::new(dialed.unwrap().1), Driven::new(accepted.1));
    Pair { dialer, dialed, listener, accepted }
}

/// For those who listen to streams alone.
pub async fn read_all(stream: &mut SubstreamBox) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    in_time(stream.read_to_end(&mut bytes)).await.map(|_| bytes)
}
