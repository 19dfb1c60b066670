//! One server for several TLS configurations: the ClientHello's ALPN says which.
//!
//! rustls asks a server's configuration whether it wants a client certificate before it knows the
//! protocol, so that one configuration could not serve quic-v1, which requires one, and HTTP/3, which
//! must not ask. Here each protocol has a configuration of its own, complete and unaware of the others, and
//! a connection's TLS session begins once its ClientHello is there, which may take two datagrams.

use std::any::Any;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use quinn::crypto::rustls::QuicServerConfig;
use quinn_proto::crypto::{
    ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey, ServerConfig, Session,
    UnsupportedVersion,
};
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{ConnectionId, Side, TransportError, TransportErrorCode};

use crate::hello::{self, Hello};

/// A TLS alert, as RFC 8446 numbers them.
const NO_APPLICATION_PROTOCOL: u8 = 120;

/// A protocol, and its TLS configuration, whose only ALPN it is.
#[derive(Clone)]
struct Entry {
    alpn: Vec<u8>,
    tls: Arc<QuicServerConfig>,
}

/// The protocols of a port, each with its TLS configuration.
pub(crate) struct ByAlpn {
    entries: RwLock<Vec<Entry>>,
    /// For what no configuration has a say in: the keys of the first packets, which follow from the version.
    any: Arc<QuicServerConfig>,
}

impl ByAlpn {
    /// No protocol yet; `any` configuration will do.
    pub(crate) fn new(any: Arc<QuicServerConfig>) -> Self {
        Self { entries: RwLock::default(), any }
    }

    /// False where there is one of that name.
    pub(crate) fn add(&self, alpn: &[u8], tls: Arc<QuicServerConfig>) -> bool {
        let mut entries = self.write();
        let is_free = entries.iter().all(|entry| entry.alpn != alpn);
        if is_free {
            entries.push(Entry { alpn: alpn.to_vec(), tls });
        }
        is_free
    }

    pub(crate) fn remove(&self, alpn: &[u8]) {
        self.write().retain(|entry| entry.alpn != alpn);
    }

    /// The configuration for the first of `offers` that there is one for. For none there is any: rustls
    /// then says what is wrong.
    fn choose(&self, offers: &[Vec<u8>]) -> Option<Arc<QuicServerConfig>> {
        let entries = self.read();
        let offered = |alpn: &Vec<u8>| entries.iter().find(|entry| entry.alpn == *alpn);
        let chosen = offers.iter().find_map(offered).or(entries.first());
        chosen.map(|entry| Arc::clone(&entry.tls))
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<Entry>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServerConfig for ByAlpn {
    fn initial_keys(
        &self,
        version: u32,
        dst_cid: &ConnectionId,
    ) -> Result<Keys, UnsupportedVersion> {
        self.any.initial_keys(version, dst_cid)
    }

    fn retry_tag(&self, version: u32, orig_dst_cid: &ConnectionId, packet: &[u8]) -> [u8; 16] {
        self.any.retry_tag(version, orig_dst_cid, packet)
    }

    fn start_session(
        self: Arc<Self>,
        version: u32,
        params: &TransportParameters,
    ) -> Box<dyn Session> {
        let unchosen = Arc::clone(&self.any).start_session(version, params);
        Box::new(Choosing {
            protocols: self,
            version,
            params: *params,
            hello: Vec::new(),
            session: unchosen,
            is_chosen: false,
        })
    }
}

/// A session that waits for the ClientHello, then is that of the protocol chosen.
struct Choosing {
    protocols: Arc<ByAlpn>,
    version: u32,
    params: TransportParameters,
    /// What came of the ClientHello, until it is whole.
    hello: Vec<u8>,
    /// Untouched before the choice, and so as quinn wants it: one that waits for its first byte.
    session: Box<dyn Session>,
    is_chosen: bool,
}

impl Choosing {
    fn choose(&self) -> Result<Option<Arc<QuicServerConfig>>, TransportError> {
        let offers = match hello::read(&self.hello) {
            Hello::Incomplete => return Ok(None),
            Hello::Offers(offers) => offers,
            Hello::Malformed => Vec::new(),
            Hello::TooLong => {
                return Err(error(TransportErrorCode::CRYPTO_BUFFER_EXCEEDED, "too long a hello"));
            }
        };
        match self.protocols.choose(&offers) {
            Some(tls) => Ok(Some(tls)),
            None => {
                let code = TransportErrorCode::crypto(NO_APPLICATION_PROTOCOL);
                Err(error(code, "nothing is listened for any more"))
            }
        }
    }
}

fn error(code: TransportErrorCode, reason: &str) -> TransportError {
    TransportError { code, frame: None, reason: reason.to_owned() }
}

impl Session for Choosing {
    fn read_handshake(&mut self, bytes: &[u8]) -> Result<bool, TransportError> {
        if self.is_chosen {
            return self.session.read_handshake(bytes);
        }
        self.hello.extend_from_slice(bytes);
        let Some(tls) = self.choose()? else { return Ok(false) };
        self.session = tls.start_session(self.version, &self.params);
        self.is_chosen = true;
        self.session.read_handshake(&std::mem::take(&mut self.hello))
    }

    fn initial_keys(&self, dst_cid: &ConnectionId, side: Side) -> Keys {
        self.session.initial_keys(dst_cid, side)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        self.session.handshake_data()
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        self.session.peer_identity()
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        self.session.early_crypto()
    }

    fn early_data_accepted(&self) -> Option<bool> {
        self.session.early_data_accepted()
    }

    fn is_handshaking(&self) -> bool {
        self.session.is_handshaking()
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        self.session.transport_parameters()
    }

    fn write_handshake(&mut self, out: &mut Vec<u8>) -> Option<Keys> {
        self.session.write_handshake(out)
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        self.session.next_1rtt_keys()
    }

    fn is_valid_retry(&self, orig_dst_cid: &ConnectionId, header: &[u8], payload: &[u8]) -> bool {
        self.session.is_valid_retry(orig_dst_cid, header, payload)
    }

    fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        self.session.export_keying_material(output, label, context)
    }
}
