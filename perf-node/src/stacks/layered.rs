//! Noise, TLS × yamux, mplex, over a transport that has neither.

use std::time::Duration;

use futures::{AsyncRead, AsyncWrite};
use harness_sdk::{Muxer, SecureChannel, Stack};
use libp2p::core::Negotiated;
use libp2p::core::upgrade::{
    InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo, Version,
};
use libp2p::identity::Keypair;
use libp2p::{PeerId, Transport, noise, tls, yamux};

use super::bounded_close::BoundedClose;
use super::timed::{Mark, Timed, TimedDial};
use super::{BoxedTransport, Marks, StackError};

/// For security and muxer upgrades together: what rust-libp2p's `SwarmBuilder` allows them.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// `base` under the secure channel and the muxer of `stack`.
pub(super) fn transport<T>(
    base: T,
    stack: &Stack,
    keypair: &Keypair,
    marks: &Marks,
) -> Result<BoxedTransport, StackError>
where
    T: Transport + Send + Unpin + 'static,
    T::Output: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    match stack.secure_channel {
        Some(SecureChannel::Tls) => {
            let tls =
                tls::Config::new(keypair).map_err(|error| StackError::Security(error.into()))?;
            Ok(muxed(base, stack, tls, marks))
        }
        _ => {
            let noise =
                noise::Config::new(keypair).map_err(|error| StackError::Security(error.into()))?;
            Ok(muxed(base, stack, noise, marks))
        }
    }
}

/// `base` under `security` and the stack's muxer, negotiated lazily: as `SwarmBuilder` does it.
fn muxed<T, S, C, E>(base: T, stack: &Stack, security: S, marks: &Marks) -> BoxedTransport
where
    T: Transport + Send + Unpin + 'static,
    T::Output: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
    S: UpgradeInfo + Clone + Send + 'static,
    S: InboundConnectionUpgrade<Negotiated<T::Output>, Output = (PeerId, C), Error = E>,
    S: OutboundConnectionUpgrade<Negotiated<T::Output>, Output = (PeerId, C), Error = E>,
    <S as InboundConnectionUpgrade<Negotiated<T::Output>>>::Future: Send,
    <S as OutboundConnectionUpgrade<Negotiated<T::Output>>>::Future: Send,
    S::InfoIter: Send,
    <S::InfoIter as IntoIterator>::IntoIter: Send,
    S::Info: Send,
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let secured = TimedDial::new(base, marks).upgrade(Version::V1Lazy).authenticate(Timed::new(
        security,
        marks,
        Mark::Secured,
    ));
    match stack.muxer {
        Some(Muxer::Mplex) => {
            let mplex = Timed::new(libp2p_mplex::Config::new(), marks, Mark::Muxed);
            secured.multiplex(mplex).timeout(UPGRADE_TIMEOUT).map(BoundedClose::boxed).boxed()
        }
        _ => {
            let yamux = Timed::new(yamux::Config::default(), marks, Mark::Muxed);
            secured.multiplex(yamux).timeout(UPGRADE_TIMEOUT).map(BoundedClose::boxed).boxed()
        }
    }
}
