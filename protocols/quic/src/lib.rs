#![doc = include_str!("../README.md")]
//!
//! ## How it is put together
//!
//! [`Transport`] is quic-v1: QUIC version 1, TLS with ALPN `libp2p` and a certificate on both sides that
//! proves the peer's identity, and libp2p's streams straight on QUIC's. For a transport of your own that shares
//! ports, see [`Protocol`], [`Ports::listen`] and [`Ports::dialer`]; quinn 0.11 and rustls 0.23 are part of
//! that interface.

mod address;
mod alpn;
mod arrival;
mod config;
mod connection;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod hello;
mod interfaces;
mod listener;
mod listening;
mod pending;
mod port;
mod ports;
mod socket;
mod stream;
mod tls;
mod transport;

pub use arrival::Arrival;
pub use config::{Config, Needs};
pub use connection::Connection;
pub use error::{ConnectError, ConnectionError, Error, OptionOutOfRange};
pub use listener::Upgrade;
pub use listening::{Listening, PortEvent};
pub use port::Protocol;
pub use ports::Ports;
pub use socket::{BoundSocket, SocketBuffers};
pub use stream::{Stream, StreamReset};
pub use transport::Transport;
