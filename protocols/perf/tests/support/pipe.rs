//! An in-memory duplex stream of bounded capacity, for one thread.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{self, Read as _},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use futures::{AsyncRead, AsyncWrite};

/// Two ends; what is written to one is read from the other. Each direction holds `capacity` bytes.
pub(crate) fn duplex(capacity: usize) -> (End, End) {
    assert!(capacity > 0, "nothing would ever move");
    let there = Rc::new(RefCell::new(Direction::new(capacity)));
    let back = Rc::new(RefCell::new(Direction::new(capacity)));
    (
        End { incoming: back.clone(), outgoing: there.clone() },
        End { incoming: there, outgoing: back },
    )
}

/// One end. Dropped before it was closed, it resets: the peer's reads fail, its unread bytes are
/// lost.
pub(crate) struct End {
    incoming: Rc<RefCell<Direction>>,
    outgoing: Rc<RefCell<Direction>>,
}

struct Direction {
    bytes: VecDeque<u8>,
    capacity: usize,
    state: State,
    /// Nobody will read what is written.
    deserted: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum State {
    Open,
    Closed,
    Reset,
}

impl Direction {
    fn new(capacity: usize) -> Self {
        Self {
            bytes: VecDeque::with_capacity(capacity),
            capacity,
            state: State::Open,
            deserted: false,
            reader: None,
            writer: None,
        }
    }

    fn wake(waker: &mut Option<Waker>) {
        if let Some(waker) = waker.take() {
            waker.wake();
        }
    }
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut incoming = self.incoming.borrow_mut();
        if incoming.state == State::Reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if incoming.bytes.is_empty() && incoming.state == State::Open {
            incoming.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let read = incoming.bytes.read(buffer);
        Direction::wake(&mut incoming.writer);
        Poll::Ready(read)
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut outgoing = self.outgoing.borrow_mut();
        if outgoing.deserted || outgoing.state != State::Open {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = outgoing.capacity - outgoing.bytes.len();
        if room == 0 {
            outgoing.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let written = room.min(bytes.len());
        outgoing.bytes.extend(&bytes[..written]);
        Direction::wake(&mut outgoing.reader);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut outgoing = self.outgoing.borrow_mut();
        if outgoing.deserted {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        outgoing.state = State::Closed;
        Direction::wake(&mut outgoing.reader);
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut outgoing = self.outgoing.borrow_mut();
        if outgoing.state == State::Open {
            outgoing.state = State::Reset;
            outgoing.bytes.clear();
        }
        Direction::wake(&mut outgoing.reader);
        let mut incoming = self.incoming.borrow_mut();
        incoming.deserted = true;
        Direction::wake(&mut incoming.writer);
    }
}
