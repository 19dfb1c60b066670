//! QUIC for rust-libp2p, on UDP ports that it shares with other protocols.
//!
//! [`Transport`] is what libp2p calls quic-v1: QUIC version 1, TLS with ALPN `libp2p` and a certificate
//! on both sides that proves the peer's identity, and libp2p's streams straight on QUIC's. It listens
//! and dials on [`Ports`], where any other protocol that runs over QUIC can listen on the same UDP port
//! under an ALPN of its own, as go-libp2p's `quicreuse` has it: one port for quic-v1 and WebTransport is
//! one hole in a firewall, and one mapping of a NAT.
//!
//! For a transport that shares ports, see [`Protocol`], [`Ports::listen`] and [`Ports::dialer`]; quinn 0.11
//! and rustls 0.23 are part of that interface.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod address;
mod alpn;
mod arrival;
mod config;
mod connection;
mod error;
mod hello;
mod interfaces;
mod listener;
mod listening;
mod pending;
mod port;
mod ports;
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
pub use stream::{Stream, StreamReset};
pub use transport::Transport;
