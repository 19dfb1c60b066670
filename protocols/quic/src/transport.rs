//! The transport: listens, dials, and says what happens.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures::future::BoxFuture;
use futures::stream::SelectAll;
use futures::{FutureExt, StreamExt};
use libp2p_core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p_core::{Endpoint as Role, Multiaddr};
use libp2p_identity::{Keypair, PeerId};
use tokio::time::timeout;

use crate::address;
use crate::connection::Connection;
use crate::error::{ConnectError, Error};
use crate::listener::{Listener, Upgrade};
use crate::ports::Ports;
use crate::tls;

/// quic-v1 as a [`libp2p_core::Transport`].
///
/// Connections come authenticated and multiplexed: there is nothing to upgrade. It has to be used within a
/// tokio runtime.
pub struct Transport {
    identity: Keypair,
    ports: Ports,
    client: quinn::ClientConfig,
    listeners: SelectAll<Listener>,
    waker: Option<Waker>,
}

impl Transport {
    /// A transport for a node of this identity, on these ports, that neither listens nor dials yet.
    ///
    /// # Errors
    ///
    /// Where the identity cannot sign.
    pub fn new(identity: &Keypair, ports: &Ports) -> Result<Self, Error> {
        Ok(Self {
            identity: identity.clone(),
            client: tls::client(identity, ports.config())?,
            ports: ports.clone(),
            listeners: SelectAll::new(),
            waker: None,
        })
    }
}

impl libp2p_core::Transport for Transport {
    type Output = (PeerId, Connection);
    type Error = Error;
    type ListenerUpgrade = Upgrade;
    type Dial = BoxFuture<'static, Result<Self::Output, Self::Error>>;

    /// Listens on `/ip4/…/udp/…/quic-v1` or the same with `/ip6`; on the unspecified IP, at all addresses
    /// that this machine has and gets. Where another protocol listens at that very address on the same
    /// [`Ports`], on its socket.
    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Error>> {
        let local =
            address::parse(&address).ok_or(TransportError::MultiaddrNotSupported(address))?;
        let protocol = tls::server(&self.identity).map_err(TransportError::Other)?;
        let listening =
            self.ports.listen(local, protocol).map_err(|e| TransportError::Other(e.into()))?;
        let connection_data = self.ports.config().max_connection_data;
        self.listeners.push(Listener::new(id, listening, connection_data));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        Ok(())
    }

    /// Takes no more dialers there. Connections that stand are not ended.
    fn remove_listener(&mut self, id: ListenerId) -> bool {
        match self.listeners.iter_mut().find(|listener| listener.id == id) {
            Some(listener) => {
                listener.close(Ok(()));
                true
            }
            None => false,
        }
    }

    /// Dials `/ip4/…/udp/…/quic-v1`, with `/ip6` as well, and `/p2p` (which the caller checks, as a swarm
    /// does). Hole punching is refused with [`Error::HolePunching`].
    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<Error>> {
        let remote = address::parse(&address)
            .filter(|remote| remote.port() != 0 && !remote.ip().is_unspecified())
            .ok_or(TransportError::MultiaddrNotSupported(address))?;
        if options.role != Role::Dialer {
            return Err(TransportError::Other(Error::HolePunching));
        }
        let socket = self
            .ports
            .dialer(remote, options.port_use)
            .map_err(|e| TransportError::Other(e.into()))?;
        let client = self.client.clone();
        let deadline = self.ports.config().handshake_timeout;
        Ok(async move {
            let handshake = async {
                // An IP as the server's name sends none (SNI), as go-libp2p does it.
                let name = remote.ip().to_string();
                let connecting =
                    socket.endpoint.connect_with(client, remote, &name).map_err(ConnectError)?;
                let quic = connecting.await?;
                Ok((tls::peer(&quic)?, Connection::new(quic)))
            };
            timeout(deadline, handshake).await.unwrap_or(Err(Error::HandshakeTimedOut))
        }
        .boxed())
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Upgrade, Error>> {
        if let Poll::Ready(Some(event)) = self.listeners.poll_next_unpin(cx) {
            return Poll::Ready(event);
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("ports", &self.ports).finish_non_exhaustive()
    }
}
