//! The perf node contract in a box.
//!
//! A *node* measures one stack (transport, secure channel, muxer) of one implementation against a
//! peer. Everything a test matrix expects of it is the same for every implementation: variables
//! to read and refuse, a Redis key through which listener and dialer meet, a plan of iterations,
//! statistics, one YAML document on stdout, an exit status that says who is to blame. That is this
//! crate. What differs is how bytes move; that is the [`Node`] trait, and all an implementer writes:
//!
//! ```no_run
//! # use harness_sdk::*;
//! # struct MyNode;
//! # struct MyListener; struct MyConnection;
//! # impl Listener for MyListener {
//! #   fn local_addr(&self) -> std::net::SocketAddr { panic!() }
//! #   fn address(&self, _: std::net::IpAddr) -> String { panic!() }
//! #   async fn serve(self, _: Shutdown) -> Result<(), BoxError> { panic!() }
//! # }
//! # impl Connection for MyConnection {
//! #   async fn upload(&self, _: u64, _: &Meter) -> Result<(), BoxError> { panic!() }
//! #   async fn download(&self, _: u64, _: &Meter) -> Result<(), BoxError> { panic!() }
//! #   async fn latency(&self, _: &Meter) -> Result<(), BoxError> { panic!() }
//! # }
//! # impl Node for MyNode {
//! #   type Listener = MyListener; type Connection = MyConnection;
//! #   fn name(&self) -> &str { "my-node" }
//! #   fn version(&self) -> &str { "0.1.0" }
//! #   fn speaks(&self, _: &Stack) -> Result<(), String> { Ok(()) }
//! #   async fn listen(&self, _: &Config) -> Result<MyListener, BoxError> { panic!() }
//! #   async fn dial(&self, _: &Config, _: &str) -> Result<MyConnection, BoxError> { panic!() }
//! # }
//! fn main() -> std::process::ExitCode {
//!     harness_sdk::main(MyNode)
//! }
//! ```
//!
//! `impls/template` in the repository is a complete node in under 100 lines, `docs/adding-an-implementation.md`
//! the way to one of your own, and `docs/contract.md` the contract itself, with every variable and
//! exit status.
//!
//! Nothing here knows libp2p: the https and iperf baselines (`impls/https`, `impls/iperf`) are
//! written with it as well.

pub mod address;
pub mod config;
pub mod coordination;
mod cost;
mod dial;
pub mod document;
mod failure;
mod handshakes;
mod life_cycle;
mod listen;
pub mod load;
mod logging;
mod meter;
mod node;
pub mod panics;
pub mod plan;
pub mod progress;
mod report;
pub mod route;
mod signals;
mod stack;
pub mod stall;
pub mod stats;
mod transfer;
mod transport_info;
mod under_load;
mod usage;
mod watched;

pub use config::{Config, Role, Settings};
pub use document::Document;
pub use failure::{BoxError, Class, Failure, Phase, chain};
pub use life_cycle::{
    Format, Outcome, dial_by_hand, exit, listen_by_hand, main, run, work_by_hand,
};
pub use meter::Meter;
pub use node::{Connection, Details, Listener, Node, Shutdown, ShutdownHandle};
pub use stack::{Muxer, Profile, SecureChannel, Stack, Transport};
pub use transport_info::{QuicInfo, SocketBuffers, TcpInfo, TransportInfo};
pub use watched::Watched;
