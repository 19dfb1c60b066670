//! What a dialer's transport did while it was measured, as the kernel or the QUIC library counts it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::document::{round, significant};

/// `transport:` under `node:`. What a node cannot find out is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TransportInfo {
    /// Of a connection over TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<TcpInfo>,
    /// Of a connection over QUIC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quic: Option<QuicInfo>,
    /// Of the dialer's socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<SocketBuffers>,
}

/// What Linux's TCP_INFO says of the dialer's side (tcp(7), include/uapi/linux/tcp.h): of what it sent, so
/// of uploads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TcpInfo {
    /// Segments sent again.
    pub retransmits: u64,
    /// Bytes sent again.
    pub retransmitted_bytes: u64,
    /// Smoothed round-trip time, in ms, at the end.
    pub rtt_ms: f64,
    /// The shortest of the last minutes, in ms.
    pub min_rtt_ms: f64,
    /// Congestion window at the end, in bytes: segments × `mss_bytes`.
    pub cwnd_bytes: u64,
    /// Largest segment, in bytes.
    pub mss_bytes: u64,
    /// What the sender was paced to at the end, in Gbps; absent where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pacing_gbps: Option<f64>,
    /// How long there was something to send, in ms.
    pub busy_ms: f64,
    /// For how much of that the receiver's window was closed, in ms.
    pub receiver_limited_ms: f64,
    /// For how much of that the send buffer was too small, in ms.
    pub send_buffer_limited_ms: f64,
    /// TCP payload sent, what was sent again included, in bytes.
    pub sent_bytes: u64,
    /// TCP payload received, in bytes, each once.
    pub received_bytes: u64,
}

/// What a QUIC library counts of the dialer's side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QuicInfo {
    /// Packets sent.
    pub sent_packets: u64,
    /// Of those, packets that count as lost.
    pub lost_packets: u64,
    /// Times that the congestion window was cut.
    pub congestion_events: u64,
    /// Smoothed round-trip time, in ms, at the end.
    pub rtt_ms: f64,
    /// Congestion window at the end, in bytes.
    pub cwnd_bytes: u64,
    /// Largest datagram that the path was found to take, in bytes of UDP payload.
    pub mtu_bytes: u64,
    /// Datagrams for each call that sent some: above 1 with segmentation offload (GSO).
    pub datagrams_per_send: f64,
    /// UDP payload sent, in bytes.
    pub sent_bytes: u64,
    /// UDP payload received, in bytes.
    pub received_bytes: u64,
}

/// A socket's buffers as the system granted them: on Linux twice what holds payload, and of TCP what they
/// had grown to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketBuffers {
    /// SO_SNDBUF, in bytes.
    pub send_buffer_bytes: u64,
    /// SO_RCVBUF, in bytes.
    pub receive_buffer_bytes: u64,
}

impl TransportInfo {
    /// Rounded to what documents print.
    #[must_use]
    pub(crate) fn rounded(mut self) -> Self {
        if let Some(tcp) = &mut self.tcp {
            let numbers = [
                &mut tcp.rtt_ms,
                &mut tcp.min_rtt_ms,
                &mut tcp.busy_ms,
                &mut tcp.receiver_limited_ms,
            ];
            for number in numbers.into_iter().chain([&mut tcp.send_buffer_limited_ms]) {
                *number = round(*number);
            }
            tcp.pacing_gbps = tcp.pacing_gbps.map(round);
        }
        if let Some(quic) = &mut self.quic {
            quic.rtt_ms = round(quic.rtt_ms);
            quic.datagrams_per_send = round(quic.datagrams_per_send);
        }
        self
    }

    /// As a YAML flow mapping.
    pub(crate) fn to_flow(self) -> String {
        // Numbers and mappings of them: nothing that cannot be a JSON value.
        flow(&serde_json::to_value(self).unwrap_or_default())
    }
}

fn flow(value: &Value) -> String {
    match value {
        Value::Object(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|(key, value)| format!("{key}: {}", flow(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Number(number) if number.is_f64() => {
            significant(number.as_f64().unwrap_or_default())
        }
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_mapping_reads_back() {
        let info = TransportInfo {
            tcp: Some(TcpInfo {
                retransmits: 3,
                rtt_ms: 0.052,
                cwnd_bytes: 65_483,
                ..TcpInfo::default()
            }),
            quic: None,
            socket: Some(SocketBuffers {
                send_buffer_bytes: 16_384,
                receive_buffer_bytes: 131_072,
            }),
        };
        let text = info.to_flow();
        assert!(
            text.starts_with("{tcp: {retransmits: 3, retransmitted_bytes: 0, rtt_ms: 0.052, "),
            "{text}"
        );
        assert!(
            text.ends_with("socket: {send_buffer_bytes: 16384, receive_buffer_bytes: 131072}}"),
            "{text}"
        );
        assert_eq!(serde_yaml::from_str::<TransportInfo>(&text).unwrap(), info);
        assert_eq!(TransportInfo::default().to_flow(), "{}");
    }
}
