//! libp2p's perf protocol, `/perf/1.0.0`: codec, client and server.

mod codec;
mod error;

pub use codec::{Decoded, HEADER_LEN, HeaderDecoder, encode_header};
pub use error::Error;

/// The name under which the protocol is negotiated with multistream-select.
pub const PROTOCOL_NAME: &str = "/perf/1.0.0";
