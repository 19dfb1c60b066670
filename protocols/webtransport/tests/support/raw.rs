//! Peers that are not ours: QUIC and HTTP/3 by hand.

use std::net::SocketAddr;
use std::sync::Arc;

use libp2p_core::Multiaddr;
use libp2p_core::multiaddr::Protocol;
use tokio::net::UdpSocket;

/// Where an address points.
pub fn socket(address: &Multiaddr) -> SocketAddr {
    let mut parts = address.iter();
    match (parts.next(), parts.next()) {
        (Some(Protocol::Ip4(ip)), Some(Protocol::Udp(port))) => (ip, port).into(),
        (Some(Protocol::Ip6(ip)), Some(Protocol::Udp(port))) => (ip, port).into(),
        other => panic!("{other:?}"),
    }
}

/// `address` with another port.
pub fn at_port(address: &Multiaddr, port: u16) -> Multiaddr {
    address
        .iter()
        .map(|part| match part {
            Protocol::Udp(_) => Protocol::Udp(port),
            part => part,
        })
        .collect()
}

/// A way to `address` that loses every `nth` datagram, in either direction. It takes one dialer.
pub async fn lossy_relay(address: &Multiaddr, nth: usize) -> Multiaddr {
    let front = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let back = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    back.connect(socket(address)).await.unwrap();
    let port = front.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut there, mut here) = ([0; 2048], [0; 2048]);
        let mut dialer = None;
        let mut count = 0;
        loop {
            tokio::select! {
                Ok((length, from)) = front.recv_from(&mut there) => {
                    dialer = Some(from);
                    count += 1;
                    if count % nth != 0 {
                        let _ = back.send(&there[..length]).await;
                    }
                }
                Ok(length) = back.recv(&mut here) => {
                    count += 1;
                    if let (Some(dialer), true) = (dialer, count % nth != 0) {
                        let _ = front.send_to(&here[..length], dialer).await;
                    }
                }
            }
        }
    });
    at_port(address, port)
}
