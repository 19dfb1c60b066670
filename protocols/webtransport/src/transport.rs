//! The transport: listens, dials, and says what happens.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::future::BoxFuture;
use futures::stream::SelectAll;
use futures::{FutureExt, StreamExt};
use libp2p_core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p_core::{Endpoint as Role, Multiaddr};
use libp2p_identity::PeerId;
use libp2p_quic_shared::{BoundSocket, OptionOutOfRange, Ports};
use rustls::crypto::CryptoProvider;
use tokio::time::timeout;

use crate::address::{self, Parsed};
use crate::certificate::{CertHash, Certificates, Failure};
use crate::cipher;
use crate::config::Config;
use crate::error::{ConnectError, Error};
use crate::listener::{Listener, Shared, Upgrade};
use crate::muxer::Connection;
use crate::session::{self, Setup};
use crate::tls;

/// WebTransport as a [`libp2p_core::Transport`].
///
/// Connections come authenticated and multiplexed: there is nothing to upgrade. It has to be used within a
/// tokio runtime.
pub struct Transport {
    config: Config,
    setup: Setup,
    provider: Arc<CryptoProvider>,
    quic: Arc<quinn::TransportConfig>,
    /// Made with the first listener.
    certificates: Option<Arc<Certificates>>,
    ports: Ports,
    listeners: SelectAll<Listener>,
    waker: Option<Waker>,
}

impl Transport {
    /// A transport that neither listens nor dials yet, on ports of its own.
    ///
    /// # Errors
    ///
    /// Where an option is out of its range, or the identity cannot sign.
    pub fn new(config: Config) -> Result<Self, Error> {
        // Before the ports are asked, whose names for some of these are others.
        config.check()?;
        let ports = config.ports()?;
        Self::on(config, &ports)
    }

    /// The same on `ports`, which others may listen on as well: with quic-v1 of `libp2p-quic-shared` both have one
    /// UDP port, told apart by ALPN.
    ///
    /// The ports' own configuration says what QUIC runs with, and how many handshakes there may be: the fields of
    /// `config` for that, from [`Config::handshake_timeout`] to [`Config::max_send_data`] and the two of
    /// pending sessions, are not used.
    ///
    /// # Errors
    ///
    /// As [`Self::new`], and where `ports` allow a peer less than the three streams that a session needs.
    pub fn on(config: Config, ports: &Ports) -> Result<Self, Error> {
        config.check()?;
        let quic = ports.config();
        let streams = quic.max_concurrent_streams;
        OptionOutOfRange::check("max_concurrent_streams", streams, 3..=u32::MAX)?;
        let noise = libp2p_noise::Config::new(&config.identity)?;
        Ok(Self {
            setup: Setup { noise, limits: config.limits(quic) },
            provider: cipher::provider(&config.cipher_suites),
            quic: quic.transport(tls::needs()),
            certificates: None,
            ports: ports.clone(),
            listeners: SelectAll::new(),
            waker: None,
            config,
        })
    }

    fn certificates(&mut self) -> Result<Arc<Certificates>, Error> {
        if let Some(certificates) = &self.certificates {
            return Ok(Arc::clone(certificates));
        }
        let secret = self.config.certificate_secret.ok_or(Error::NoCertificateSecret)?;
        let clock = Arc::clone(&self.config.clock);
        let certificates = Certificates::new(secret, self.config.clock_skew, clock)
            .map_err(|error| Error::Tls(error.into()))?;
        Ok(Arc::clone(self.certificates.insert(Arc::new(certificates))))
    }

    fn listen(&mut self, id: ListenerId, local: SocketAddr) -> Result<Listener, Error> {
        let certificates = self.certificates()?;
        let listening = self.ports.listen(local, tls::server(&self.provider, &certificates)?)?;
        let setup = self.setup.clone();
        let check_interval = self.config.certificate_check_interval;
        Ok(Listener::new(id, listening, Shared { setup, certificates }, check_interval))
    }
}

impl libp2p_core::Transport for Transport {
    type Output = (PeerId, Connection);
    type Error = Error;
    type ListenerUpgrade = Upgrade;
    type Dial = BoxFuture<'static, Result<Self::Output, Error>>;

    /// Listens on `/ip4/…/udp/…/quic-v1/webtransport` or the same with `/ip6`; on the unspecified IP, at all
    /// addresses that this machine has and gets. The addresses that are reported carry the hashes of the
    /// current certificate and the next; they are replaced when that becomes the current one.
    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Error>> {
        let parsed = address::parse(&address).filter(|parsed| parsed.certhashes.is_empty());
        let parsed = parsed.ok_or(TransportError::MultiaddrNotSupported(address))?;
        let listener = self.listen(id, parsed.socket).map_err(TransportError::Other)?;
        self.listeners.push(listener);
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

    /// Dials `/ip4/…/udp/…/quic-v1/webtransport/certhash/…`, with `/ip6` as well, more hashes, and `/p2p` (which
    /// the caller checks, as a swarm does). Hole punching is not supported.
    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<Error>> {
        let dialable = |parsed: &Parsed| {
            parsed.socket.port() != 0
                && !parsed.socket.ip().is_unspecified()
                && options.role == Role::Dialer
        };
        let Parsed { socket, certhashes } = address::parse(&address)
            .filter(dialable)
            .ok_or(TransportError::MultiaddrNotSupported(address))?;
        if certhashes.is_empty() {
            return Err(TransportError::Other(Error::NoCerthash));
        }
        let known: Option<Vec<_>> = certhashes.iter().map(CertHash::from_multihash).collect();
        let known = known.ok_or(TransportError::Other(Error::UnsupportedCerthash))?;
        let BoundSocket { endpoint, buffers } = self
            .ports
            .dialer(socket, options.port_use)
            .map_err(|error| TransportError::Other(error.into()))?;
        let (client, failure) = tls::client(&self.provider, known, &self.config.clock, &self.quic)
            .map_err(TransportError::Other)?;
        let setup = self.setup.clone();
        let deadline = self.ports.config().handshake_timeout;
        Ok(async move {
            let limits = setup.limits;
            let handshake = async {
                let quic = connect(&endpoint, client, socket, &failure).await?;
                session::request(quic, setup, certhashes).await
            };
            let session =
                timeout(deadline, handshake).await.unwrap_or(Err(Error::HandshakeTimedOut))?;
            Ok((session.peer, Connection::new(session, limits, buffers)))
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

/// UDP and TLS.
async fn connect(
    endpoint: &quinn::Endpoint,
    client: quinn::ClientConfig,
    remote: SocketAddr,
    failure: &Failure,
) -> Result<quinn::Connection, Error> {
    // An IP as the server's name sends none (SNI), as go-libp2p does it.
    let name = remote.ip().to_string();
    let connecting = endpoint.connect_with(client, remote, &name).map_err(ConnectError)?;
    connecting.await.map_err(|error| match failure.take() {
        Some(refused) => refused.into(),
        None => error.into(),
    })
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("config", &self.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use libp2p_core::transport::PortUse;
    use libp2p_identity::Keypair;

    use super::*;

    /// Longer than a handshake may take: what ends by then has not waited for that.
    const PATIENCE: Duration = Duration::from_secs(30);

    fn transport(seed: u8) -> Transport {
        let identity = Keypair::ed25519_from_bytes([seed; 32]).unwrap();
        Transport::new(Config::new(&identity)).unwrap()
    }

    async fn next(transport: &mut Transport) -> TransportEvent<Upgrade, Error> {
        let next = poll_fn(|cx| libp2p_core::Transport::poll(Pin::new(&mut *transport), cx));
        timeout(PATIENCE, next).await.expect("nothing happens")
    }

    async fn listen(transport: &mut Transport) -> (ListenerId, Multiaddr) {
        use libp2p_core::Transport as _;
        let any = "/ip4/127.0.0.1/udp/0/quic-v1/webtransport".parse().unwrap();
        transport.listen_on(ListenerId::next(), any).unwrap();
        match next(transport).await {
            TransportEvent::NewAddress { listener_id, listen_addr } => (listener_id, listen_addr),
            other => panic!("{other:?}"),
        }
    }

    type Dial = BoxFuture<'static, Result<(PeerId, Connection), Error>>;

    fn dial(transport: &mut Transport, address: &Multiaddr) -> Dial {
        use libp2p_core::Transport as _;
        let options = DialOpts { role: Role::Dialer, port_use: PortUse::Reuse };
        transport.dial(address.clone(), options).unwrap()
    }

    /// Both ends of a connection, the dialer's first.
    async fn establish(dial: Dial, listener: &mut Transport) -> [Connection; 2] {
        let accepted = async {
            match next(listener).await {
                TransportEvent::Incoming { upgrade, .. } => upgrade.await,
                other => panic!("{other:?}"),
            }
        };
        let (dialed, accepted) = tokio::join!(timeout(PATIENCE, dial), accepted);
        [dialed.unwrap(), accepted].map(|end| end.unwrap().1)
    }

    /// What is dialed from: where it listens, if it does.
    fn socket(transport: &Transport) -> BoundSocket {
        transport.ports.dialer("127.0.0.1:1".parse().unwrap(), PortUse::Reuse).unwrap()
    }

    fn endpoint(transport: &Transport) -> quinn::Endpoint {
        socket(transport).endpoint
    }

    #[tokio::test]
    async fn either_end_tells_what_its_socket_was_granted() {
        let (mut listener, mut dialer) = (transport(1), transport(2));
        let (_, address) = listen(&mut listener).await;
        let ends = establish(dial(&mut dialer, &address), &mut listener).await;
        for (end, side) in ends.iter().zip([&dialer, &listener]) {
            let granted = end.path().buffers().unwrap();
            assert!(granted.send > 1000 && granted.receive > 1000, "{granted:?}");
            assert_eq!(Some(granted), socket(side).buffers);
        }
    }

    #[tokio::test]
    async fn a_listener_whose_socket_is_gone_says_so() {
        let mut listener = transport(1);
        listen(&mut listener).await;
        endpoint(&listener).close(0_u32.into(), b"");
        let expired = next(&mut listener).await;
        assert!(matches!(expired, TransportEvent::AddressExpired { .. }), "{expired:?}");
        let closed = next(&mut listener).await;
        assert!(
            matches!(closed, TransportEvent::ListenerClosed { reason: Err(Error::Io(_)), .. }),
            "{closed:?}"
        );
    }

    #[tokio::test]
    async fn a_socket_that_is_gone_is_not_dialed_from_again() {
        let (mut listener, mut dialer) = (transport(1), transport(2));
        let (_, address) = listen(&mut listener).await;
        // What makes the socket.
        drop(dial(&mut dialer, &address));
        endpoint(&dialer).close(0_u32.into(), b"");
        let dialed = dial(&mut dialer, &address);
        establish(dialed, &mut listener).await;
        // That one is kept.
        let port = |dialer: &Transport| endpoint(dialer).local_addr().unwrap();
        let before = port(&dialer);
        drop(dial(&mut dialer, &address));
        assert_eq!(port(&dialer), before);
    }

    #[tokio::test]
    async fn who_waits_at_a_listener_that_goes_is_refused() {
        use libp2p_core::Transport as _;
        for is_removed in [true, false] {
            let (mut listener, mut dialer) = (transport(1), transport(2));
            let (id, address) = listen(&mut listener).await;
            let dialed = tokio::spawn(dial(&mut dialer, &address));
            // It arrives, and nobody looks.
            tokio::time::sleep(Duration::from_millis(500)).await;
            if is_removed {
                assert!(listener.remove_listener(id));
            } else {
                drop(listener);
            }
            let error = timeout(PATIENCE, dialed).await.unwrap().unwrap().map(|_| ()).unwrap_err();
            // Its QUIC handshake may be done by then, or not.
            assert!(matches!(error, Error::Connection(_) | Error::Closed { .. }), "{error}");
        }
    }

    #[test]
    fn options_are_checked() {
        let mut config = Config::new(&Keypair::ed25519_from_bytes([1; 32]).unwrap());
        config.max_pending_sessions = 0;
        let error = Transport::new(config).unwrap_err();
        assert!(
            matches!(&error, Error::OptionOutOfRange(it) if it.option == "max_pending_sessions"),
            "{error}"
        );
    }
}
