//! What share of the bytes on the wire is payload, for each stack: the formulas of docs/measuring.md.

use harness_sdk::{Muxer, SecureChannel, Stack, Transport};

use super::iperf::Direction;

/// An Ethernet header, as the token bucket counts it: neither preamble nor checksum.
const ETHERNET: f64 = 14.0;
const IP: f64 = 20.0;
const UDP: f64 = 8.0;

/// A TCP segment on a link of 1500 bytes: 20 bytes of header, and 12 of timestamps.
const MSS: f64 = 1500.0 - IP - 20.0 - 12.0;

/// What one TCP stream has of its link: iperf3's share.
pub(crate) const TCP: f64 = MSS / (ETHERNET + 1500.0);

/// What the stack has of its link, of what goes in a direction.
pub(crate) fn share(stack: &Stack, direction: Direction) -> f64 {
    let writes = match stack.transport {
        Transport::QuicV1 | Transport::Webtransport | Transport::RawQuic => return quic(),
        Transport::RawTcp => return TCP,
        Transport::RawTls => return TCP * TLS_BODY / (TLS_BODY + TLS_OVERHEAD),
        Transport::RawNoise => return TCP * NOISE_BODY / (NOISE_BODY + NOISE_OVERHEAD),
        _ => writes(stack),
    };
    let payload: f64 = writes.iter().map(|write| write.payload).sum();
    let framed = |write: &Write| match stack.transport {
        Transport::Ws => write.len + websocket(write.len, direction),
        _ => write.len,
    };
    TCP * payload / writes.iter().map(framed).sum::<f64>()
}

/// A WebSocket frame's header (RFC 6455, 5.2): two bytes, the length where it does not fit into those, and what a
/// client masks its payload with. libp2p-websocket makes a frame of each write.
fn websocket(len: f64, direction: Direction) -> f64 {
    let length = match len {
        ..126.0 => 0.0,
        ..65_536.0 => 2.0,
        _ => 8.0,
    };
    let mask = match direction {
        Direction::Up => 4.0,
        Direction::Down => 0.0,
    };
    2.0 + length + mask
}

/// rust-yamux: `split_send_size` of 16 KiB, and a header of 12 bytes.
const YAMUX_BODY: f64 = 16_384.0;
const YAMUX_HEADER: f64 = 12.0;

/// rust-libp2p's mplex: `split_send_size` of 8 KiB, and a header of two varints, one byte for the stream (as long as
/// there were fewer than sixteen) and two for the length.
const MPLEX_BODY: f64 = 8_192.0;
const MPLEX_HEADER: f64 = 3.0;

/// A Noise message of libp2p: two bytes of length before it, sixteen of tag behind it, up to 65535 - 1024 between.
const NOISE_OVERHEAD: f64 = 18.0;
const NOISE_BODY: f64 = 64_511.0;

/// A TLS 1.3 record: five bytes before it, one of type and sixteen of tag behind it, up to 16 KiB between.
const TLS_OVERHEAD: f64 = 22.0;
const TLS_BODY: f64 = 16_384.0;

/// What the secure channel hands to the transport at once.
struct Write {
    /// Bytes of it that are the exchange's.
    payload: f64,
    len: f64,
}

/// What it hands over again and again.
fn writes(stack: &Stack) -> Vec<Write> {
    let mplex = MPLEX_BODY / (MPLEX_BODY + MPLEX_HEADER);
    match (stack.secure_channel, stack.muxer) {
        // yamux flushes behind each frame: a Noise message is one frame.
        (Some(SecureChannel::Noise), Some(Muxer::Yamux)) => {
            vec![Write { payload: YAMUX_BODY, len: YAMUX_BODY + YAMUX_HEADER + NOISE_OVERHEAD }]
        }
        // yamux writes header and body apart, and rustls makes a record of each write.
        (Some(SecureChannel::Tls), Some(Muxer::Yamux)) => vec![
            Write { payload: 0.0, len: YAMUX_HEADER + TLS_OVERHEAD },
            Write { payload: YAMUX_BODY, len: YAMUX_BODY + TLS_OVERHEAD },
        ],
        // mplex writes 128 KiB of frames at once: the messages and records below are full. Noise's are written
        // two or more at once, rustls' one by one.
        (Some(SecureChannel::Noise), Some(Muxer::Mplex)) => vec![Write {
            payload: mplex * NOISE_BODY * 2.0,
            len: (NOISE_BODY + NOISE_OVERHEAD) * 2.0,
        }],
        (Some(SecureChannel::Tls), Some(Muxer::Mplex)) => {
            vec![Write { payload: mplex * TLS_BODY, len: TLS_BODY + TLS_OVERHEAD }]
        }
        _ => panic!("{stack}: no formula"),
    }
}

/// quinn's largest datagram, found by MTU discovery: its default `upper_bound`.
const DATAGRAM: f64 = 1_452.0;

/// A short header (one byte of flags, quinn's connection id of eight, a packet number of two) and a tag of sixteen.
const QUIC_PACKET: f64 = 1.0 + 8.0 + 2.0 + 16.0;

/// A STREAM frame that fills its packet: type, stream (below 64) and an offset of four bytes, and no length.
const QUIC_STREAM: f64 = 1.0 + 1.0 + 4.0;

/// A WebTransport stream is a QUIC stream, but for the few bytes that say so in its beginning.
fn quic() -> f64 {
    (DATAGRAM - QUIC_PACKET - QUIC_STREAM) / (ETHERNET + IP + UDP + DATAGRAM)
}
