//! libp2p's perf protocol, `/perf/1.0.0`: codec, client and server.

mod block;
mod codec;
mod error;
mod payload;

pub use block::{BLOCK_LEN, WRITE_LEN, block};
pub use codec::{Decoded, HEADER_LEN, HeaderDecoder, encode_header};
pub use error::Error;
pub use payload::Payload;

/// The name under which the protocol is negotiated with multistream-select.
pub const PROTOCOL_NAME: &str = "/perf/1.0.0";
