//! A WebTransport session: one HTTP/3 connection, one extended CONNECT, one Noise handshake.
//!
//! Nothing here is spawned. Whatever goes on beside the streams (SETTINGS, the prefixes of new
//! streams, capsules) is a future in the [`Driver`], which runs when the connection is polled and
//! ends when it is dropped.

mod arrivals;
mod client;
mod connect;
mod driver;
mod request;
mod server;
mod unidirectional;

use std::time::Duration;

use libp2p_core::multihash::Multihash;
use libp2p_identity::PeerId;
use quinn::VarInt;
use tokio::sync::oneshot;
use tokio::time::timeout;

pub(crate) use arrivals::{Arrival, Arrivals};
pub(crate) use connect::Close;
pub(crate) use driver::Driver;
pub(crate) use request::answer;

use crate::config::Limits;
use crate::error::Error;
use crate::stream::Stream;
use request::RequestStream;

/// What a session is made with.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) noise: libp2p_noise::Config,
    pub(crate) limits: Limits,
}

/// A session whose peer is known.
pub(crate) struct Session {
    pub(crate) peer: PeerId,
    pub(crate) quic: quinn::Connection,
    pub(crate) driver: Driver,
    pub(crate) arrivals: Arrivals,
    /// The id of the stream it was asked for on.
    pub(crate) id: VarInt,
    /// Ends it.
    pub(crate) close: oneshot::Sender<Close>,
    /// The stream of the Noise handshake. Peers need not end it; dropping it would reset it.
    pub(crate) noise: libp2p_noise::Output<Stream>,
}

/// A session whose handshakes are done, before it is put together.
struct Established {
    peer: PeerId,
    /// The stream it was asked for on. Its end is the session's.
    connect: RequestStream,
    noise: libp2p_noise::Output<Stream>,
}

/// Accepts the session that the peer of `quic` asks for, vouching for `certhashes`.
pub(crate) async fn accept(
    quic: quinn::Connection,
    setup: Setup,
    certhashes: impl IntoIterator<Item = Multihash<64>>,
) -> Result<Session, Error> {
    let noise = setup.noise.with_webtransport_certhashes(certhashes.into_iter().collect());
    let (mut driver, mut inputs) = Driver::start(&quic, setup.limits).await?;
    let handshake = server::handshake(&mut inputs.arrivals, noise, setup.limits);
    let established = driver.run_beside(handshake).await?;
    // Until here a stranger could fill it.
    quic.set_receive_window(setup.limits.connection_data.into());
    Ok(assemble(quic, driver, inputs.arrivals, established, setup.limits))
}

/// Asks the peer of `quic` for a session, which has to vouch for `certhashes`.
pub(crate) async fn request(
    quic: quinn::Connection,
    setup: Setup,
    certhashes: impl IntoIterator<Item = Multihash<64>>,
) -> Result<Session, Error> {
    let noise = setup.noise.with_webtransport_certhashes(certhashes.into_iter().collect());
    let (mut driver, inputs) = Driver::start(&quic, setup.limits).await?;
    let handshake = client::handshake(&quic, inputs.settings, noise, setup.limits);
    let established = driver.run_beside(handshake).await?;
    Ok(assemble(quic, driver, inputs.arrivals, established, setup.limits))
}

fn assemble(
    quic: quinn::Connection,
    mut driver: Driver,
    arrivals: Arrivals,
    established: Established,
    limits: Limits,
) -> Session {
    let Established { peer, connect, noise } = established;
    let id = connect.id();
    let (close, closed) = oneshot::channel();
    driver.set_session(connect::watch(connect, closed, limits));
    Session { peer, quic, driver, arrivals, id, close, noise }
}

/// What `work` comes to; `None` where it takes longer than `limit`, if there is one.
async fn within<T>(limit: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    match limit {
        Some(limit) => timeout(limit, work).await.ok(),
        None => Some(work.await),
    }
}
