#![doc = include_str!("../README.md")]
//!
//! ## How a connection is made
//!
//! A connection is QUIC, TLS 1.3 with a self-signed certificate that the dialer knows by its hash, a
//! small part of HTTP/3, one extended CONNECT, and a Noise handshake on the session's first stream
//! that proves who the peer is and that the certificate is its own. Streams of the session are then
//! libp2p's streams, and nothing but QUIC stands between them and the network.
//!
//! It has UDP ports of its own, or shares those of quic-v1 and others: [`Transport::on`].

mod address;
mod certificate;
mod cipher;
mod clock;
mod config;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod listener;
mod muxer;
mod session;
mod stream;
mod tls;
mod transport;
// For this crate's own tests and fuzz targets: not part of the API.
#[doc(hidden)]
pub mod wire;

pub use address::external_address;
pub use certificate::CertificateError;
pub use cipher::CipherSuite;
pub use clock::{Clock, SystemClock};
pub use config::Config;
pub use error::{ConnectError, ConnectionError, Error, Violation};
pub use muxer::{Connection, Path};
pub use stream::{Stream, StreamReset};
pub use transport::Transport;
