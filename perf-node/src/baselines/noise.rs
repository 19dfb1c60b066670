//! raw-noise: the Noise channel of libp2p on TCP, without the negotiation before it.

use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::noise::{Config, Error};
use libp2p::{Multiaddr, PeerId};
use tokio::net::TcpStream;
use tokio_util::compat::TokioAsyncReadCompatExt;

use super::channel::Stream;

/// Why a dialer has no channel.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoiseError {
    #[error("the Noise handshake failed")]
    Handshake(#[from] Error),
    #[error("another peer answered there: {0}")]
    AnotherPeer(PeerId),
}

pub(super) fn config(keypair: &Keypair) -> Result<Config, Error> {
    Config::new(keypair)
}

/// Whom `address` promises.
pub(super) fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    address.iter().find_map(|protocol| match protocol {
        Protocol::P2p(peer) => Some(peer),
        _ => None,
    })
}

/// The channel to `expected`, or to whoever answers.
pub(super) async fn outbound(
    noise: Config,
    tcp: TcpStream,
    expected: Option<PeerId>,
) -> Result<Stream, NoiseError> {
    let (peer, channel) = noise.clone().upgrade_outbound(tcp.compat(), name(&noise)).await?;
    match expected {
        Some(expected) if expected != peer => Err(NoiseError::AnotherPeer(peer)),
        _ => Ok(Box::new(channel)),
    }
}

/// The channel of whoever dials, and who that is.
pub(super) async fn inbound(noise: Config, tcp: TcpStream) -> Result<(PeerId, Stream), Error> {
    let (peer, channel) = noise.clone().upgrade_inbound(tcp.compat(), name(&noise)).await?;
    Ok((peer, Box::new(channel)))
}

/// The name that negotiation would have agreed on.
fn name(noise: &Config) -> &'static str {
    noise.protocol_info().next().unwrap_or_default()
}
