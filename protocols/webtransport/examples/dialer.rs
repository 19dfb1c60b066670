//! Dials the address it is given, and prints what happens: `cargo run --example dialer -- ADDRESS`

use futures::StreamExt;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, SwarmBuilder, identify};
use libp2p_webtransport_native::{Config, Transport};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address: Multiaddr = std::env::args().nth(1).ok_or("give an address")?.parse()?;
    let mut swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_other_transport(|key| Ok(Transport::new(Config::new(key))?))?
        .with_behaviour(|key| {
            identify::Behaviour::new(identify::Config::new("/example/1".into(), key.public()))
        })?
        .build();
    swarm.dial(address)?;
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::OutgoingConnectionError { error, .. } => return Err(error.into()),
            event => println!("{event:?}"),
        }
    }
}
