//! What quinn says of a QUIC connection.

use harness_sdk::QuicInfo;
use quinn::ConnectionStats;

/// The dialer's side of it.
pub(crate) fn quic_info(stats: &ConnectionStats) -> QuicInfo {
    let ConnectionStats { path, udp_tx, udp_rx, .. } = stats;
    QuicInfo {
        sent_packets: path.sent_packets,
        lost_packets: path.lost_packets,
        congestion_events: path.congestion_events,
        rtt_ms: path.rtt.as_secs_f64() * 1e3,
        cwnd_bytes: path.cwnd,
        mtu_bytes: path.current_mtu.into(),
        datagrams_per_send: udp_tx.datagrams as f64 / udp_tx.ios.max(1) as f64,
        sent_bytes: udp_tx.bytes,
        received_bytes: udp_rx.bytes,
    }
}
