//! What the layers below libp2p cost: the same exchange over TCP, TLS, Noise and QUIC alone.
//!
//! | transport | on it | an exchange | address |
//! |---|---|---|---|
//! | `raw-tcp` | nothing | raw/1 | `/ip4/…/tcp/…` |
//! | `raw-tls` | TLS 1.3 by rustls and ring | raw/1 | `/ip4/…/tcp/…/tls` |
//! | `raw-noise` | libp2p's Noise channel, without negotiation or muxer | raw/1 | `/ip4/…/tcp/…/noise/p2p/…` |
//! | `raw-quic` | quinn with its defaults | /perf/1.0.0 on a QUIC stream of its own | `/ip4/…/udp/…/quic` |
//!
//! The first three have a connection and no streams: requests follow one another on it, framed as
//! `exchange.rs` has it, and a second one at once is refused. The certificates of TLS and QUIC are made at start,
//! and no dialer verifies one; its document says so.

mod address;
mod certificate;
mod channel;
mod exchange;
#[doc(hidden)]
pub mod fuzzing;
mod listener;
mod noise;
mod quic;
mod quic_stream;
mod socket;
mod tcp;
mod tls;

use std::time::Duration;

use harness_sdk::{BoxError, Config, Transport};
use libp2p::Multiaddr;

use crate::cipher::Cipher;
use crate::identity::DialerIdentity;
use crate::limits::Gate;

pub use address::{example, is_raw, suits};
pub use channel::ChannelConnection;
pub use listener::ChannelListener;
pub use quic::{QuicConnection, QuicListener};

/// For a dialer's handshake with a listener.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);

/// A connection without a request is closed after this long, as with libp2p.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);

/// How a stream agrees on its protocol: there is but one.
const NO_NEGOTIATION: &str = "none";

/// What a listener bound by [`bind`] is.
pub(crate) enum Bound {
    Channel(ChannelListener),
    Quic(QuicListener),
}

/// What a dialer has of [`dial`].
pub(crate) enum Dialed {
    Channel(ChannelConnection),
    Quic(QuicConnection),
}

/// Binds what `config` says, and serves whom the `gate` lets in. With a `cipher`, TLS and QUIC accept no other.
pub(crate) async fn bind(
    config: &Config,
    cipher: Option<Cipher>,
    gate: Gate,
) -> Result<Bound, BoxError> {
    // Made now, not in the first sample.
    perf_protocol::block();
    Ok(match config.stack.transport {
        Transport::RawQuic => Bound::Quic(QuicListener::bind(config, cipher, gate)?),
        _ => Bound::Channel(ChannelListener::bind(config, cipher, gate)?),
    })
}

/// Connects to one address, with raw-noise as who `identity` is. With a `cipher`, TLS and QUIC offer that
/// one, else the default.
pub(crate) async fn dial(
    config: &Config,
    address: Multiaddr,
    cipher: Option<Cipher>,
    identity: &DialerIdentity,
) -> Result<Dialed, BoxError> {
    // Made now, not in the first sample.
    perf_protocol::block();
    Ok(match config.stack.transport {
        Transport::RawQuic => {
            Dialed::Quic(QuicConnection::connect(&address, cipher.unwrap_or_default()).await?)
        }
        _ => Dialed::Channel(ChannelConnection::connect(config, &address, cipher, identity).await?),
    })
}
