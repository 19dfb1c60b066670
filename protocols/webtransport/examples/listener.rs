//! Listens for browsers and go-libp2p, and prints where, and what happens: `cargo run --example listener`

use futures::StreamExt;
use libp2p::swarm::SwarmEvent;
use libp2p::{SwarmBuilder, identify};
use libp2p_webtransport_native::{Config, Transport};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_other_transport(|key| Ok(Transport::new(Config::new(key))?))?
        .with_behaviour(|key| {
            identify::Behaviour::new(identify::Config::new("/example/1".into(), key.public()))
        })?
        .build();
    swarm.listen_on("/ip4/0.0.0.0/udp/0/quic-v1/webtransport".parse()?)?;
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { address, .. } => {
                println!("{address}/p2p/{}", swarm.local_peer_id());
            }
            event => println!("{event:?}"),
        }
    }
}
