//! The trait an implementer fills in.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::sync::watch;

use crate::config::{Config, Invalid, Settings, Variable};
use crate::{BoxError, Meter, Stack, TransportInfo};

/// An implementation under test: how it listens and how it dials.
///
/// Errors are classified by where they come from: one out of [`listen`](Node::listen) is blamed on
/// the environment, out of [`dial`](Node::dial) on the connection, out of a request on the
/// transfer. Return a [`Failure`](crate::Failure) to say otherwise.
pub trait Node: Send + Sync + 'static {
    /// What [`listen`](Node::listen) gives.
    type Listener: Listener;
    /// What [`dial`](Node::dial) gives.
    type Connection: Connection;

    /// The node's name, for the document.
    fn name(&self) -> &str;

    /// The node's version, for the document.
    fn version(&self) -> &str;

    /// Whether the node can measure `stack`; the error is the reason why not, for the user.
    /// The process then ends with status 127 before anything else is tried.
    fn speaks(&self, stack: &Stack) -> Result<(), String>;

    /// How many streams at once a connection of `stack` carries; `None`: as many as are opened. By hand
    /// a load that needs more is refused, with status 2, before anything is dialed.
    fn streams_at_once(&self, _stack: &Stack) -> Option<usize> {
        None
    }

    /// Variables of the node's own, beside the contract's, for [`configure`](Self::configure) to
    /// read. Give them names that begin with `PERF_`.
    fn variables(&self) -> &'static [&'static Variable] {
        &[]
    }

    /// Takes what the node's own [`variables`](Self::variables) say, in both roles and before
    /// anything else is done ([`Settings::read`]). An error ends the process with status 2; it
    /// names the variable, the value and what is accepted.
    fn configure(&mut self, _settings: &Settings) -> Result<(), Invalid> {
        Ok(())
    }

    /// Binds `config.ip` and `config.port` (0: any free one). Must not return before the socket
    /// accepts: the address is published next.
    fn listen(
        &self,
        config: &Config,
    ) -> impl Future<Output = Result<Self::Listener, BoxError>> + Send;

    /// Connects to a published address, with exactly `config.stack`: nothing else may be offered.
    /// Dropping the future gives the attempt up.
    fn dial(
        &self,
        config: &Config,
        address: &str,
    ) -> impl Future<Output = Result<Self::Connection, BoxError>> + Send;
}

/// A bound listener.
pub trait Listener: Send {
    /// What it is bound to, the port as the system gave it.
    fn local_addr(&self) -> SocketAddr;

    /// The address to hand to a dialer that reaches this machine as `ip`: a multiaddr.
    fn address(&self, ip: IpAddr) -> String;

    /// Answers dialers, run after run, until `shutdown`. Nothing a peer does ends it: an error
    /// is the listener's own end.
    fn serve(self, shutdown: Shutdown) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// A connection to a listener, over which requests are made.
///
/// Each request stands on a fresh stream; by hand several may run at once. It must tell its [`Meter`] every byte as it moves, and
/// return only when the peer's end of stream was read: that is the only receipt there is. The time
/// is taken by the SDK, around the call. Dropping a request's future gives it up (reset its stream).
pub trait Connection: Send + Sync {
    /// Sends exactly `bytes` and waits until the peer has read them all.
    fn upload(
        &self,
        bytes: u64,
        meter: &Meter,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Asks for `bytes` and reads them to the end of the stream: exactly as many.
    fn download(
        &self,
        bytes: u64,
        meter: &Meter,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// One byte each way on a fresh stream, to the end of the stream.
    fn latency(&self, meter: &Meter) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// What connecting cost and what was negotiated, for the document.
    fn details(&self) -> Details {
        Details::default()
    }

    /// What the transport did so far, as the kernel or a library counts it: asked once, when everything
    /// has been measured or something broke. `None`: the node cannot find out.
    fn transport(&self) -> Option<TransportInfo> {
        None
    }

    /// Tells the peer that this was all. Given little time, and whether it is used or not does not
    /// change the outcome.
    fn close(self) -> impl Future<Output = ()> + Send
    where
        Self: Sized,
    {
        async {}
    }
}

/// What a connection tells about itself.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// Phases of connecting in order: `dial`, `security`, `muxer`, or one `handshake`.
    pub phases: Vec<(&'static str, Duration)>,
    /// How streams agree on their protocol: `v1`, `lazy`, or `none` where there is but one.
    pub negotiation: Option<&'static str>,
    /// What else was negotiated that belongs to the stack, as `name: value` in `node.stack`: a
    /// version of HTTP, a cipher.
    pub stack: Vec<(&'static str, String)>,
    /// Who timed and counted where that was not the SDK, with the version: see
    /// [`Meter::measured_elsewhere`]. Printed as `clock` under `node:`.
    pub foreign_clock: Option<String>,
    /// Anything else worth recording, as `name: value` under `node:`.
    pub extra: Vec<(&'static str, String)>,
}

/// Tells a listener when to stop serving.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// A shutdown and the handle that triggers it; dropping the handle triggers it as well.
    pub fn new() -> (ShutdownHandle, Self) {
        let (sender, receiver) = watch::channel(false);
        (ShutdownHandle(sender), Self(receiver))
    }

    /// Waits until it is time to stop.
    pub async fn requested(&mut self) {
        // An error means that the handle is gone: time to stop as well.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// Triggers a [`Shutdown`].
#[derive(Debug)]
pub struct ShutdownHandle(watch::Sender<bool>);

impl ShutdownHandle {
    /// Asks every holder of the [`Shutdown`] to stop.
    pub fn request(&self) {
        self.0.send_replace(true);
    }
}
