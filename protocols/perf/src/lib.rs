//! libp2p's perf protocol, `/perf/1.0.0`: codec, client and server.
//!
//! One exchange takes one stream ([libp2p/specs, `perf/perf.md`][spec]):
//!
//! 1. the client sends a header, a big-endian `u64`: how many bytes it wants back;
//! 2. the client sends its upload, of any length, and closes its writing side;
//! 3. the server, once it has read to the end, sends exactly the bytes asked for and closes.
//!
//! Nothing in the protocol acknowledges an upload. The server's own end of stream is the only
//! receipt: [`request`] returns no sooner than it has read that, so that whoever times `request`
//! times delivery.
//!
//! [`request`] and [`serve`] run over any [`AsyncRead`] + [`AsyncWrite`] and hold no socket, clock
//! or runtime: their caller opens streams, measures, and ends an exchange that stalls by dropping
//! its future. They yield only where the stream does. [`HeaderDecoder`] and [`Payload`] are the
//! same protocol without the I/O.
//!
//! ```
//! # use futures::{AsyncRead, AsyncWrite, io::Cursor};
//! use perf_protocol::{ReadBuffer, encode_header, serve};
//!
//! # futures::executor::block_on(async {
//! // A client that wants three bytes and uploads two, then what the server writes behind them.
//! let mut wire = Cursor::new(Vec::from(encode_header(3)));
//! wire.get_mut().extend([7, 7]);
//! let served = serve(&mut wire, &(), &mut ReadBuffer::new()).await?;
//!
//! assert_eq!((served.received, served.sent), (2, 3));
//! assert_eq!(wire.get_ref().len(), 8 + 2 + 3);
//! # Ok::<(), perf_protocol::Error>(())
//! # }).unwrap();
//! ```
//!
//! [spec]: https://github.com/libp2p/specs/blob/master/perf/perf.md
//! [`AsyncRead`]: futures::AsyncRead
//! [`AsyncWrite`]: futures::AsyncWrite

mod block;
mod buffer;
mod client;
mod codec;
mod error;
mod payload;
mod progress;
#[cfg(test)]
mod recorder;
mod server;
mod write;

pub use block::{BLOCK_LEN, WRITE_LEN, block};
pub use buffer::{READ_BUFFER_LEN, ReadBuffer};
pub use client::request;
pub use codec::{Decoded, HEADER_LEN, HeaderDecoder, encode_header};
pub use error::Error;
pub use payload::Payload;
pub use progress::Progress;
pub use server::{Served, serve};

/// The name under which the protocol is negotiated with multistream-select.
pub const PROTOCOL_NAME: &str = "/perf/1.0.0";
