//! A client's whole conversation without a socket: what `fuzz/` drives.
//!
//! Hidden and not part of the crate's interface; it is compiled always, so that it cannot rot.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use crate::Limits;
use crate::clients::Clients;
use crate::keyspace::Keyspace;
use crate::request::{ProtocolError, RequestDecoder};
use crate::session::{Session, Shared, Step};

/// The requests that bytes received in these `pieces` make, and what was wrong with what came after them.
pub fn requests<'p>(
    pieces: impl IntoIterator<Item = &'p [u8]>,
    limits: &Limits,
) -> (Vec<Vec<Bytes>>, Option<String>) {
    let (mut decoder, mut received) = (RequestDecoder::new(limits), BytesMut::new());
    let mut requests = Vec::new();
    for piece in pieces {
        received.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut received) {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => break,
                Err(error) => return (requests, Some(error.to_string())),
            }
        }
    }
    (requests, None)
}

/// Answers `input` as a server of its own does, until the client quits, blocks or breaks the protocol. Returns all
/// replies.
///
/// # Panics
///
/// Where the server breaks a promise of its own: a reply beyond the bound that was computed for it, one that cannot
/// be encoded, more memory used than is allowed.
pub fn converse(input: &[u8], limits: &Limits) -> Vec<u8> {
    let keyspace = Keyspace::new(limits.max_memory);
    let (clients, since) = (Clients::default(), Instant::now());
    let shared = Shared {
        keyspace: keyspace.clone(),
        clients: clients.clone(),
        limits: limits.clone(),
        port: 0,
        since,
    };
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut session = Session::new(shared, clients.register(nobody, nobody));
    let (mut decoder, mut received) = (RequestDecoder::new(limits), BytesMut::from(input));
    let mut replies = Vec::new();
    while let Ok::<_, ProtocolError>(Some(request)) = decoder.decode(&mut received) {
        let (reply, last) = match session.apply(&request) {
            Step::Reply(reply) => (reply, false),
            Step::Goodbye(reply) => (reply, true),
            Step::Wait(..) => break,
        };
        let bound = reply.size_bound();
        if bound > limits.max_reply {
            break;
        }
        match reply.encode(session.protocol()) {
            Ok(encoded) => {
                assert!(encoded.len() <= bound, "{} bytes, bound {bound}", encoded.len());
                replies.extend_from_slice(&encoded);
            }
            Err(error) => panic!("a reply could not be encoded: {error}"),
        }
        let used = keyspace.lock().used();
        assert!(used <= limits.max_memory, "{used} bytes in use");
        if last {
            break;
        }
    }
    replies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_ends_where_the_client_quits() {
        let replies = converse(b"SET a 1\r\nGET a\r\nQUIT\r\nPING\r\n", &Limits::default());
        assert_eq!(replies, b"+OK\r\n$1\r\n1\r\n+OK\r\n");
    }

    #[test]
    fn requests_are_those_received_and_what_stopped_them() {
        let (requests, error) = requests([b"PI".as_slice(), b"NG\r\n*x\r\n"], &Limits::default());
        assert_eq!(requests, [["PING"]]);
        assert_eq!(error.as_deref(), Some("ERR Protocol error: invalid multibulk length"));
    }
}
