//! In a swarm, as a program uses it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use futures::StreamExt;
use libp2p::swarm::{DialError, SwarmEvent, dial_opts::DialOpts};
use libp2p::{Multiaddr, PeerId, Swarm, SwarmBuilder, identify};
use libp2p_core::multiaddr::Protocol;
use libp2p_core::transport::PortUse;
use libp2p_webtransport_native::{Config, Transport, external_address};
use support::{IP4, identity, in_time};

fn swarm(seed: u8) -> Swarm<identify::Behaviour> {
    SwarmBuilder::with_existing_identity(identity(seed))
        .with_tokio()
        .with_other_transport(|key| Ok(Transport::new(Config::new(key))?))
        .unwrap()
        .with_behaviour(|key| {
            identify::Behaviour::new(identify::Config::new("/test/1".into(), key.public()))
        })
        .unwrap()
        .build()
}

/// A listener that goes on by itself.
async fn listener() -> (PeerId, Multiaddr) {
    let mut swarm = swarm(1);
    let peer = *swarm.local_peer_id();
    swarm.listen_on(IP4.parse().unwrap()).unwrap();
    let SwarmEvent::NewListenAddr { address, .. } = in_time(swarm.select_next_some()).await else {
        panic!("no address")
    };
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    (peer, address)
}

#[tokio::test]
async fn two_swarms_identify_each_other() {
    let (peer, address) = listener().await;
    let mut dialer = swarm(2);
    dialer.dial(address.with_p2p(peer).unwrap()).unwrap();
    loop {
        match in_time(dialer.select_next_some()).await {
            SwarmEvent::Behaviour(identify::Event::Received { peer_id, info, .. }) => {
                assert_eq!((peer_id, info.public_key.to_peer_id()), (peer, peer));
                return;
            }
            SwarmEvent::OutgoingConnectionError { error, .. } => panic!("{error}"),
            SwarmEvent::ConnectionClosed { cause, .. } => panic!("{cause:?}"),
            _ => {}
        }
    }
}

/// Who is there is not who was asked for: in the address, or beside it.
#[tokio::test]
async fn a_peer_id_that_is_another() {
    let (peer, address) = listener().await;
    let wrong = PeerId::random();
    let in_address = DialOpts::from(address.clone().with_p2p(wrong).unwrap());
    let beside = DialOpts::peer_id(wrong).addresses(vec![address]).build();
    for options in [in_address, beside] {
        let mut dialer = swarm(2);
        dialer.dial(options).unwrap();
        loop {
            match in_time(dialer.select_next_some()).await {
                SwarmEvent::OutgoingConnectionError {
                    error: DialError::WrongPeerId { obtained, .. },
                    ..
                } => {
                    assert_eq!(obtained, peer);
                    break;
                }
                SwarmEvent::OutgoingConnectionError { error, .. } => panic!("{error}"),
                SwarmEvent::ConnectionEstablished { .. } => panic!("it was taken"),
                _ => {}
            }
        }
    }
}

/// identify tells what cannot be dialed, whichever port the dial was from.
#[tokio::test]
async fn what_identify_was_told_becomes_an_address_to_dial() {
    let (peer, elsewhere) = listener().await;
    for port_use in [PortUse::Reuse, PortUse::New] {
        let mut swarm = swarm(2);
        swarm.listen_on(IP4.parse().unwrap()).unwrap();
        let event = in_time(swarm.select_next_some()).await;
        let SwarmEvent::NewListenAddr { address: ours, .. } = event else { panic!("{event:?}") };
        let dial = DialOpts::peer_id(peer).addresses(vec![elsewhere.clone()]);
        swarm
            .dial(match port_use {
                PortUse::Reuse => dial.build(),
                PortUse::New => dial.allocate_new_port().build(),
            })
            .unwrap();
        let candidate = loop {
            match in_time(swarm.select_next_some()).await {
                SwarmEvent::NewExternalAddrCandidate { address } => break address,
                SwarmEvent::OutgoingConnectionError { error, .. } => panic!("{error}"),
                _ => {}
            }
        };
        let parts: Vec<_> = candidate.iter().collect();
        let [Protocol::Ip4(_), Protocol::Udp(_), Protocol::QuicV1, Protocol::WebTransport] =
            parts[..]
        else {
            panic!("{candidate}")
        };
        // There is no NAT here: others see the node where it listens.
        assert_eq!(external_address(&ours, &candidate, port_use), Some(ours));
    }
}
