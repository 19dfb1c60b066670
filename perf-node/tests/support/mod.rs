//! What the node's tests stand on: harness-sdk's, and libp2p peers of any behaviour.

#![allow(dead_code, unused_imports, reason = "each test binary uses its own part")]

#[path = "../../../harness-sdk/tests/support/mod.rs"]
mod processes;

pub(crate) mod nodes;
pub(crate) mod peer;
pub(crate) mod served;

pub(crate) use nodes::{
    Listening, all_stacks, beside_exchanges, dial, dialer, each_libp2p_stack, each_stack,
    each_stack_with_streams, has_streams, is_over_tcp, keys, listener, listening, node,
    probe_server, raw_stacks, stack, stacks,
};
pub(crate) use peer::{Dialer, Peer};
pub(crate) use processes::*;
pub(crate) use served::{Served, served};
