//! A small in-process server of the Redis protocol, on loopback: where dialer and listener meet on a machine
//! without Redis.
//!
//! Nodes coordinate over Redis (`SET key multiaddr EX 3600` by the listener, `GET` by the dialer), and they may be
//! written in any language, with any client library. A runner that starts them as plain processes embeds this server
//! instead of asking for an installed one.

mod command;
mod inline;
mod integer;
mod keyspace;
mod limits;
mod reply;
mod request;
mod store;
mod waiters;

pub use limits::Limits;
