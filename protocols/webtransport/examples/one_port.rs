//! Listens for quic-v1 and WebTransport on one UDP port, and prints where, and what happens.
//! `cargo run --example one_port`; the other examples' dialer dials its second address.

use futures::StreamExt;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{SwarmBuilder, identify, identity};
use libp2p_quic_shared as quic;
use libp2p_webtransport_native as webtransport;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let identity = identity::Keypair::generate_ed25519();
    let ports = quic::Ports::new(quic::Config::new(&identity))?;
    let mut swarm = SwarmBuilder::with_existing_identity(identity)
        .with_tokio()
        .with_other_transport(|key| Ok(quic::Transport::new(key, &ports)?))?
        .with_other_transport(|key| {
            Ok(webtransport::Transport::on(webtransport::Config::new(key), &ports)?)
        })?
        .with_behaviour(|key| {
            identify::Behaviour::new(identify::Config::new("/example/1".into(), key.public()))
        })?
        .build();

    // The first gets a port from the system; the other listens there as well.
    let first = swarm.listen_on("/ip4/127.0.0.1/udp/0/quic-v1".parse()?)?;
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { listener_id, address } => {
                println!("{address}/p2p/{}", swarm.local_peer_id());
                if listener_id == first {
                    swarm.listen_on(address.with(Protocol::WebTransport))?;
                }
            }
            event => println!("{event:?}"),
        }
    }
}
