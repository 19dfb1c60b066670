//! What the kernel says of a TCP socket.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use harness_sdk::{SocketBuffers, TransportInfo};
use nix::sys::socket::{getsockopt, sockopt};

/// A socket that is also somebody else's: another descriptor of it, for questions alone. The connection ends
/// when both are closed.
#[derive(Debug)]
pub(crate) struct TcpSocket(OwnedFd);

impl TcpSocket {
    /// # Errors
    ///
    /// The process may have no further descriptor.
    pub(crate) fn of(socket: &impl AsFd) -> io::Result<Self> {
        Ok(Self(socket.as_fd().try_clone_to_owned()?))
    }

    /// What it did so far; what the system does not tell is left out.
    pub(crate) fn info(&self) -> TransportInfo {
        TransportInfo {
            tcp: kernel::tcp_info(&self.0),
            socket: buffers(&self.0),
            ..TransportInfo::default()
        }
    }
}

/// The buffers of a socket of any kind.
pub(crate) fn buffers(socket: &impl AsFd) -> Option<SocketBuffers> {
    Some(SocketBuffers {
        send_buffer_bytes: getsockopt(socket, sockopt::SndBuf).ok()? as u64,
        receive_buffer_bytes: getsockopt(socket, sockopt::RcvBuf).ok()? as u64,
    })
}

#[cfg(target_os = "linux")]
mod kernel {
    //! Linux's `struct tcp_info` (include/uapi/linux/tcp.h), which only ever grows at its end.

    use std::os::fd::OwnedFd;

    use harness_sdk::TcpInfo;
    use nix::sys::socket::getsockopt;
    use nix::sys::socket::sockopt::GetStruct;
    use nix::sys::utsname::uname;
    use nix::{getsockopt_impl, libc};

    /// The first kernel whose struct reaches as far as ours.
    const SINCE: (u32, u32) = (4, 19);

    /// Up to what 4.19 has. The kernel fills as much as it is given room for.
    #[repr(C)]
    #[derive(Clone, Copy, Debug)]
    struct Raw {
        /// State, options, window scales, flags.
        bytes: [u8; 8],
        /// rto, ato, snd_mss, rcv_mss, unacked, sacked, lost, retrans, fackets, last_data_sent, last_ack_sent,
        /// last_data_recv, last_ack_recv, pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss,
        /// reordering, rcv_rtt, rcv_space, total_retrans.
        words: [u32; 24],
        pacing_rate: u64,
        max_pacing_rate: u64,
        bytes_acked: u64,
        bytes_received: u64,
        segs_out: u32,
        segs_in: u32,
        notsent_bytes: u32,
        min_rtt: u32,
        data_segs_in: u32,
        data_segs_out: u32,
        delivery_rate: u64,
        busy_time: u64,
        rwnd_limited: u64,
        sndbuf_limited: u64,
        delivered: u32,
        delivered_ce: u32,
        bytes_sent: u64,
        bytes_retrans: u64,
    }

    const SND_MSS: usize = 2;
    const RTT: usize = 15;
    const SND_CWND: usize = 18;
    const TOTAL_RETRANS: usize = 23;

    #[derive(Clone, Copy, Debug)]
    struct Option;

    getsockopt_impl!(Option, libc::IPPROTO_TCP, libc::TCP_INFO, Raw, GetStruct<Raw>);

    pub(super) fn tcp_info(socket: &OwnedFd) -> std::option::Option<TcpInfo> {
        if !is_new_enough() {
            return None;
        }
        let raw = getsockopt(socket, Option).ok()?;
        let [mss, rtt, cwnd, retransmits] =
            [SND_MSS, RTT, SND_CWND, TOTAL_RETRANS].map(|at| raw.words[at]);
        let milliseconds = |microseconds: u64| microseconds as f64 / 1e3;
        let gbps = |bytes_per_second: u64| bytes_per_second as f64 * 8.0 / 1e9;
        Some(TcpInfo {
            retransmits: retransmits.into(),
            retransmitted_bytes: raw.bytes_retrans,
            rtt_ms: milliseconds(rtt.into()),
            min_rtt_ms: milliseconds(raw.min_rtt.into()),
            cwnd_bytes: u64::from(cwnd) * u64::from(mss),
            mss_bytes: mss.into(),
            // All ones: nothing is paced.
            pacing_gbps: (raw.pacing_rate != u64::MAX).then(|| gbps(raw.pacing_rate)),
            busy_ms: milliseconds(raw.busy_time),
            receiver_limited_ms: milliseconds(raw.rwnd_limited),
            send_buffer_limited_ms: milliseconds(raw.sndbuf_limited),
            sent_bytes: raw.bytes_sent,
            received_bytes: raw.bytes_received,
        })
    }

    /// An older kernel would leave a part of the struct as it was.
    fn is_new_enough() -> bool {
        let Ok(name) = uname() else { return false };
        let release = name.release().to_string_lossy().into_owned();
        let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= SINCE,
            _ => false,
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    use std::os::fd::OwnedFd;

    use harness_sdk::TcpInfo;

    pub(super) fn tcp_info(_: &OwnedFd) -> Option<TcpInfo> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_socket_tells_what_it_did() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        near.write_all(&[1; 100]).unwrap();
        far.read_exact(&mut [0; 100]).unwrap();
        far.write_all(&[1; 7]).unwrap();
        near.read_exact(&mut [0; 7]).unwrap();
        let TransportInfo { tcp, socket, .. } = TcpSocket::of(&near).unwrap().info();
        let buffers = socket.unwrap();
        assert!(buffers.send_buffer_bytes > 1000 && buffers.receive_buffer_bytes > 1000);
        if cfg!(target_os = "linux") {
            let tcp = tcp.unwrap();
            assert_eq!((tcp.retransmits, tcp.retransmitted_bytes), (0, 0), "{tcp:?}");
            assert_eq!((tcp.sent_bytes, tcp.received_bytes), (100, 7), "{tcp:?}");
            assert!(tcp.rtt_ms > 0.0 && tcp.rtt_ms < 1000.0, "{tcp:?}");
            assert!(tcp.min_rtt_ms <= tcp.rtt_ms + 1.0, "{tcp:?}");
            // Ten segments to begin with, of loopback's 65483 bytes or fewer.
            assert!((500..=65_535).contains(&tcp.mss_bytes), "{tcp:?}");
            assert!(tcp.cwnd_bytes >= tcp.mss_bytes, "{tcp:?}");
        }
    }
}
