//! From a stack's name to a libp2p transport that offers exactly that stack.
//!
//! One file a family. Profile `stock` is rust-libp2p as shipped: what its `SwarmBuilder` makes of
//! default options, and nothing of ours in the path of the bytes.

mod bounded_close;
mod layered;
mod quic;
mod tcp;
mod timed;
mod webtransport;
mod ws;

use std::net::IpAddr;

use harness_sdk::{Profile, Stack, Transport};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use crate::cipher::Cipher;

pub use timed::{Marks, Timings};

/// What a swarm is built on: authenticated, multiplexed connections.
pub type BoxedTransport = Boxed<(PeerId, StreamMuxerBox)>;

/// Why a stack cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// This node does not speak it; the reason is for the user.
    #[error("{0}")]
    Unsupported(String),
    /// The identity does not suit the secure channel.
    #[error("cannot set up the secure channel")]
    Security(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Whether [`transport`] can make `stack`; else the reason.
pub fn supported(stack: &Stack) -> Result<(), String> {
    if stack.profile != Profile::Stock {
        return Err(format!("profile {} is not built yet; stock is", stack.profile));
    }
    match stack.transport {
        Transport::Tcp | Transport::Ws | Transport::QuicV1 | Transport::Webtransport => Ok(()),
        Transport::WebrtcDirect => Err("webrtc-direct is broken in rust-libp2p 0.56".to_owned()),
        _ => Err(format!("{} is not a stack of libp2p", stack.transport)),
    }
}

/// The transport of `stack` for `keypair`, and the marks that it leaves of its latest dial. Webtransport offers and
/// accepts `cipher` alone, where there is one; stock libp2p leaves no choice.
pub fn transport(
    stack: &Stack,
    keypair: &Keypair,
    cipher: Option<Cipher>,
) -> Result<(BoxedTransport, Marks), StackError> {
    supported(stack).map_err(StackError::Unsupported)?;
    let marks = Marks::default();
    let transport = match stack.transport {
        Transport::QuicV1 => quic::transport(keypair, &marks),
        Transport::Webtransport => webtransport::transport(keypair, cipher, &marks)?,
        Transport::Ws => layered::transport(ws::transport(&marks), stack, keypair, &marks)?,
        _ => layered::transport(tcp::transport(&marks), stack, keypair, &marks)?,
    };
    Ok((transport, marks))
}

/// What to listen on for `stack`: `port` 0 lets the system choose.
pub fn listen_address(stack: &Stack, ip: IpAddr, port: u16) -> Multiaddr {
    let address = Multiaddr::from(ip);
    match stack.transport {
        Transport::QuicV1 => address.with(Protocol::Udp(port)).with(Protocol::QuicV1),
        Transport::Webtransport => {
            address.with(Protocol::Udp(port)).with(Protocol::QuicV1).with(Protocol::WebTransport)
        }
        Transport::Ws => address.with(Protocol::Tcp(port)).with(Protocol::Ws("/".into())),
        _ => address.with(Protocol::Tcp(port)),
    }
}

/// The transport that `address` names, where it names one this project knows.
pub fn transport_of(address: &Multiaddr) -> Option<Transport> {
    let has = |wanted: fn(&Protocol<'_>) -> bool| address.iter().any(|protocol| wanted(&protocol));
    if has(|p| matches!(p, Protocol::WebTransport)) {
        Some(Transport::Webtransport)
    } else if has(|p| matches!(p, Protocol::WebRTCDirect)) {
        Some(Transport::WebrtcDirect)
    } else if has(|p| matches!(p, Protocol::QuicV1)) {
        Some(Transport::QuicV1)
    } else if has(|p| matches!(p, Protocol::Ws(_) | Protocol::Wss(_))) {
        Some(Transport::Ws)
    } else if has(|p| matches!(p, Protocol::Tls | Protocol::Noise)) {
        // A baseline's, or one of a transport that is none of ours.
        None
    } else if has(|p| matches!(p, Protocol::Tcp(_))) {
        Some(Transport::Tcp)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_their_transport() {
        let cases = [
            ("/ip4/1.2.3.4/tcp/1", Some(Transport::Tcp)),
            ("/dns4/host/tcp/1/ws", Some(Transport::Ws)),
            ("/ip6/::1/udp/1/quic-v1", Some(Transport::QuicV1)),
            ("/ip4/1.2.3.4/udp/1/quic-v1/webtransport", Some(Transport::Webtransport)),
            ("/ip4/1.2.3.4/udp/1/webrtc-direct", Some(Transport::WebrtcDirect)),
            ("/ip4/1.2.3.4/tcp/1/tls", None),
            ("/ip4/1.2.3.4/udp/1", None),
        ];
        for (address, transport) in cases {
            assert_eq!(transport_of(&address.parse().unwrap()), transport, "{address}");
        }
    }
}
