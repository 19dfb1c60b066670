//! Marks the moments at which a dial, its secure channel and its muxer were done.
//!
//! The wrappers stand around rust-libp2p's own transport and upgrades and are gone once a connection
//! is made: they hand its socket and streams on as they are.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use libp2p::{Multiaddr, Transport};

use crate::underneath::Underneath;

/// The moments of the latest dial through a transport, and what is underneath the connection.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    moments: Arc<Mutex<Moments>>,
    underneath: Arc<Mutex<Option<Underneath>>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    started: Option<Instant>,
    dialed: Option<Instant>,
    secured: Option<Instant>,
    muxed: Option<Instant>,
}

/// How long each phase of the latest dial took, from the end of the one before: negotiating an
/// upgrade counts towards it. What a lazy negotiation puts off is in no phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Until the transport was connected: for ws with its opening handshake (RFC 6455), for QUIC the
    /// whole handshake.
    pub dial: Option<Duration>,
    /// Until the secure channel stood.
    pub security: Option<Duration>,
    /// Until the muxer stood.
    pub muxer: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Mark {
    Started,
    Dialed,
    Secured,
    Muxed,
}

impl Marks {
    fn set(&self, mark: Mark) {
        let now = Some(Instant::now());
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        match mark {
            Mark::Started => *moments = Moments { started: now, ..Moments::default() },
            Mark::Dialed => moments.dialed = now,
            Mark::Secured => moments.secured = now,
            Mark::Muxed => moments.muxed = now,
        }
    }

    /// Keeps a handle on what a dialed connection stands on.
    pub(super) fn stand_on(&self, underneath: Underneath) {
        *self.underneath.lock().unwrap_or_else(PoisonError::into_inner) = Some(underneath);
    }

    /// Hands over what the latest connection stands on, once.
    pub(crate) fn take_underneath(&self) -> Option<Underneath> {
        self.underneath.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The phases of the latest dial that are over.
    pub fn timings(&self) -> Timings {
        let moments = *self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        let between = |from: Option<Instant>, to: Option<Instant>| Some(to?.duration_since(from?));
        Timings {
            dial: between(moments.started, moments.dialed),
            security: between(moments.dialed, moments.secured),
            muxer: between(moments.secured, moments.muxed),
        }
    }
}

/// A transport that marks when a dial begins and when it is done.
#[derive(Debug)]
pub(super) struct TimedDial<T> {
    inner: T,
    marks: Marks,
}

impl<T> TimedDial<T> {
    pub(super) fn new(inner: T, marks: &Marks) -> Self {
        Self { inner, marks: marks.clone() }
    }
}

impl<T> Transport for TimedDial<T>
where
    T: Transport + Unpin,
    T::Dial: Send + 'static,
{
    type Output = T::Output;
    type Error = T::Error;
    type ListenerUpgrade = T::ListenerUpgrade;
    type Dial = BoxFuture<'static, Result<T::Output, T::Error>>;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Self::Error>> {
        self.inner.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        self.marks.set(Mark::Started);
        let marks = self.marks.clone();
        let dial = self.inner.dial(address, options)?;
        Ok(dial.inspect_ok(move |_| marks.set(Mark::Dialed)).boxed())
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Pin::new(&mut self.inner).poll(cx)
    }
}

/// An upgrade that marks when it is done as the dialer's side.
#[derive(Clone, Debug)]
pub(super) struct Timed<U> {
    inner: U,
    marks: Marks,
    mark: Mark,
}

impl<U> Timed<U> {
    pub(super) fn new(inner: U, marks: &Marks, mark: Mark) -> Self {
        Self { inner, marks: marks.clone(), mark }
    }
}

impl<U: UpgradeInfo> UpgradeInfo for Timed<U> {
    type Info = U::Info;
    type InfoIter = U::InfoIter;

    fn protocol_info(&self) -> Self::InfoIter {
        self.inner.protocol_info()
    }
}

impl<U, C> InboundConnectionUpgrade<C> for Timed<U>
where
    U: InboundConnectionUpgrade<C>,
{
    type Output = U::Output;
    type Error = U::Error;
    type Future = U::Future;

    fn upgrade_inbound(self, socket: C, info: Self::Info) -> Self::Future {
        self.inner.upgrade_inbound(socket, info)
    }
}

impl<U, C> OutboundConnectionUpgrade<C> for Timed<U>
where
    U: OutboundConnectionUpgrade<C>,
    U::Future: Send + 'static,
{
    type Output = U::Output;
    type Error = U::Error;
    type Future = BoxFuture<'static, Result<U::Output, U::Error>>;

    fn upgrade_outbound(self, socket: C, info: Self::Info) -> Self::Future {
        let Self { inner, marks, mark } = self;
        inner.upgrade_outbound(socket, info).inspect_ok(move |_| marks.set(mark)).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_follow_one_another_and_a_new_dial_forgets_them() {
        let marks = Marks::default();
        for mark in [Mark::Started, Mark::Dialed, Mark::Secured] {
            marks.set(mark);
        }
        let timings = marks.timings();
        assert!(timings.dial.is_some() && timings.security.is_some() && timings.muxer.is_none());
        marks.set(Mark::Started);
        assert_eq!(marks.timings(), Timings::default());
    }
}
