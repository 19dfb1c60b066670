//! A small in-process server of the Redis protocol, on loopback: where dialer and listener meet on a machine
//! without Redis.
//!
//! Nodes coordinate over Redis (`SET key multiaddr EX 3600` by the listener, `GET` by the dialer), and they may be
//! written in any language, with any client library. A runner that starts them as plain processes embeds this server
//! instead of asking for an installed one:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), perf_coordinator::Error> {
//! use perf_coordinator::{Coordinator, Limits};
//!
//! let coordinator = Coordinator::start(Limits::default()).await?;
//! println!("REDIS_ADDR={}", coordinator.addr());
//! // … start listener and dialer …
//! coordinator.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! What it is: strings and lists with expiry, in one database, for clients that speak RESP2 or RESP3; every answer it
//! gives is compared byte for byte with that of a real Redis 7.0 in `tests/commands.rs`. What it is not: persistent,
//! replicated, scriptable, or reachable from another machine.
//!
//! | file | holds |
//! |---|---|
//! | `request.rs`, `inline.rs`, `integer.rs` | bytes to one request, within limits |
//! | `command/` | one request to a typed command, or the error Redis gives |
//! | `store.rs`, `waiters.rs`, `keyspace.rs` | values, expiry and memory; who waits in BLPOP; both behind one lock |
//! | `execute.rs`, `session.rs`, `clients.rs`, `info.rs` | a command applied to the store, to a connection, to the server |
//! | `reply.rs` | one reply to RESP2 or RESP3 |
//! | `connection.rs`, `server.rs` | the sockets |
//! | `fuzzing.rs` | the same without them, for `fuzz/` |

mod clients;
mod command;
mod connection;
mod execute;
#[doc(hidden)]
pub mod fuzzing;
mod info;
mod inline;
mod integer;
mod keyspace;
mod limits;
mod reply;
mod request;
mod server;
mod session;
mod store;
mod waiters;

pub use limits::Limits;
pub use server::{Coordinator, Error, serve};
