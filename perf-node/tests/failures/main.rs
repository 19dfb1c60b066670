//! What goes wrong, and what the user gets: the status, the document's `failure:`, the last line on
//! stderr, and of the sections exactly those that were measured whole.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod bad_dialers;
mod bad_listeners;
mod configuration;
mod killed;
mod meeting;
mod refused;
mod stopped;
#[path = "../support/mod.rs"]
mod support;
mod surroundings;
