//! The peer's bidirectional streams, told apart by how they begin.
//!
//! Each stream's beginning is read on its own, so one that stays silent holds up no other: go-libp2p
//! opens a stream, and writes to it only after it has heard on a later one.

use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::future::{AbortHandle, BoxFuture, FutureExt, abortable};
use futures::stream::FuturesUnordered;
use quinn::VarInt;
use tokio::sync::mpsc;

use super::unidirectional::read_exact;
use super::within;
use crate::config::Limits;
use crate::error::Error;
use crate::stream::Stream;
use crate::wire::code::Http3Code;
use crate::wire::stream::{BidiKind, read_bidi_kind, varint_length};

/// Streams whose beginning is known and that nobody has taken yet. While there are as many, no further
/// ones are looked at.
const WAITING: usize = 16;

/// A stream of the peer.
pub(crate) enum Arrival {
    /// It belongs to the session of this id.
    Session(u64, Stream),
    /// It is an HTTP/3 request.
    Request(Request),
}

/// A stream on which a request has begun.
pub(crate) struct Request {
    pub(crate) stream: Stream,
    /// What has been read of it.
    pub(crate) read: Vec<u8>,
    pub(crate) id: VarInt,
}

/// Where streams arrive.
pub(crate) struct Arrivals {
    /// Those that came before their time.
    kept: VecDeque<Arrival>,
    further: mpsc::Receiver<Arrival>,
}

impl Arrivals {
    /// Has these come again, before any other.
    pub(crate) fn keep(&mut self, early: Vec<Arrival>) {
        self.kept.extend(early);
    }

    /// The next one; pending for good once the connection has ended, which its driver tells.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Arrival> {
        if let Some(kept) = self.kept.pop_front() {
            return Poll::Ready(kept);
        }
        match self.further.poll_recv(cx) {
            Poll::Ready(Some(arrival)) => Poll::Ready(arrival),
            _ => Poll::Pending,
        }
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Arrival {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }
}

pub(super) fn channel() -> (mpsc::Sender<Arrival>, Arrivals) {
    let (sender, further) = mpsc::channel(WAITING);
    (sender, Arrivals { kept: VecDeque::new(), further })
}

/// Takes bidirectional streams until the connection ends.
pub(super) async fn accept(
    quic: quinn::Connection,
    arrivals: mpsc::Sender<Arrival>,
    limits: Limits,
) -> Result<(), Error> {
    let mut silent = Silent::new(limits.awaiting_prefix);
    loop {
        let arrival = tokio::select! {
            accepted = quic.accept_bi() => {
                let (send, recv) = accepted?;
                let opened = recv.id().index();
                let stream = Stream::inbound(send, recv);
                let mut beginning =
                    within(limits.prefix_timeout, begin(stream)).map(Option::flatten).boxed();
                // A stream comes with its prefix, as a rule: only one that does not takes a place.
                match futures::poll!(&mut beginning) {
                    Poll::Ready(done) => done,
                    Poll::Pending => {
                        silent.add(opened, beginning);
                        continue;
                    }
                }
            }
            arrival = silent.next(), if !silent.is_empty() => arrival,
        };
        // Neither one that was silent for too long, nor one that ended at once, is anybody's business.
        let Some(arrival) = arrival else { continue };
        if arrivals.send(arrival).await.is_err() {
            return Ok(());
        }
    }
}

type Beginning = BoxFuture<'static, Option<Arrival>>;

/// Streams that have not said yet what they are.
struct Silent {
    limit: usize,
    beginnings: FuturesUnordered<BoxFuture<'static, (u64, Option<Arrival>)>>,
    /// By the order in which the streams were opened.
    handles: BTreeMap<u64, AbortHandle>,
}

impl Silent {
    fn new(limit: usize) -> Self {
        Self { limit, beginnings: FuturesUnordered::new(), handles: BTreeMap::new() }
    }

    fn is_empty(&self) -> bool {
        self.beginnings.is_empty()
    }

    /// Waits for the `beginning` of the stream that was the `opened`th. Where there is no place for it, the
    /// oldest stream loses its own: the one that was silent for longest is the one that is missed least.
    fn add(&mut self, opened: u64, beginning: Beginning) {
        if self.handles.len() >= self.limit
            && let Some((_, oldest)) = self.handles.pop_first()
        {
            oldest.abort();
        }
        let (beginning, handle) = abortable(beginning);
        self.handles.insert(opened, handle);
        // One that was aborted is dropped, and with it its stream, which is thereby reset.
        let beginning = beginning.map(move |done| (opened, done.unwrap_or(None)));
        self.beginnings.push(beginning.boxed());
    }

    /// The next one that has said what it is, or that is gone; pending while there is none at all.
    async fn next(&mut self) -> Option<Arrival> {
        match self.beginnings.next().await {
            Some((opened, arrival)) => {
                self.handles.remove(&opened);
                arrival
            }
            None => None,
        }
    }
}

/// Reads how a stream begins. `None` where it ended first; whatever it was, it is then reset.
async fn begin(mut stream: Stream) -> Option<Arrival> {
    let mut read = Vec::with_capacity(16);
    loop {
        match read_bidi_kind(&mut &read[..]) {
            Some(BidiKind::WebTransport { session }) => {
                return Some(Arrival::Session(session, stream));
            }
            Some(BidiKind::Request) => {
                let id = stream.recv().id().into();
                return Some(Arrival::Request(Request { stream, read, id }));
            }
            None => {}
        }
        read_integer(&mut stream, &mut read).await.ok()?;
    }
}

/// Appends one variable-length integer, and not a byte of what follows.
async fn read_integer(
    stream: &mut Stream,
    read: &mut Vec<u8>,
) -> Result<(), Option<quinn::ConnectionError>> {
    let mut bytes = [0; 8];
    read_exact(stream.recv(), &mut bytes[..1]).await?;
    let length = varint_length(bytes[0]);
    read_exact(stream.recv(), &mut bytes[1..length]).await?;
    read.extend_from_slice(&bytes[..length]);
    Ok(())
}

impl Arrival {
    /// Refuses it: there is no place, or no session of its id.
    pub(crate) fn refuse(self) {
        match self {
            Self::Session(_, stream) => stream.refuse(Http3Code::BUFFERED_STREAM_REJECTED),
            Self::Request(request) => request.stream.refuse(Http3Code::REQUEST_REJECTED),
        }
    }
}
