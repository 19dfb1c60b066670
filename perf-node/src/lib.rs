//! Measures libp2p's perf protocol for real.
//!
//! The binary is a node of the test matrix (contract mode) and a tool by hand (`listen`, `dial`);
//! see the repository's `docs/contract.md`. As a library it is what the node's own tests, benches
//! and fixtures stand on:
//!
//! - [`stacks`]: from a [`Stack`](harness_sdk::Stack) to a libp2p transport that offers nothing else;
//! - [`swarm`]: /perf/1.0.0 as a `NetworkBehaviour`: streams opened for a dialer, answered for a listener;
//! - [`baselines`]: the exchange without libp2p, over TCP, TLS, Noise and QUIC alone;
//! - [`cipher`]: what they encrypt with, where that can be chosen;
//! - [`PerfNode`]: all of them behind harness-sdk's trait;
//! - [`probe`]: peers of every behaviour, for holding another node against the protocol.

mod any;
pub mod baselines;
mod buffers;
pub mod by_hand;
pub mod cipher;
pub mod cli;
mod connection;
pub mod doctor;
mod identity;
pub mod limits;
mod listener;
mod node;
pub mod probe;
mod quic_info;
mod resolve;
pub mod runtime;
pub mod stacks;
pub mod swarm;
mod tcp_info;
mod underneath;

pub use any::{AnyConnection, AnyListener};
pub use connection::PerfConnection;
pub use identity::DialerIdentity;
pub use listener::PerfListener;
pub use node::{PerfNode, bind};
