//! The listener's side of the handshake, from the peer's first stream on.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use libp2p_core::upgrade::InboundConnectionUpgrade;

use super::request::{RequestStream, answer};
use super::{Arrival, Arrivals, Established};
use crate::config::Limits;
use crate::error::Error;
use crate::stream::Stream;

/// Requests answered at once before there is a session, and streams kept that came before it.
const EARLY: usize = 8;

/// Waits for a session to be asked for and then for Noise on its first stream.
pub(super) async fn handshake(
    arrivals: &mut Arrivals,
    noise: libp2p_noise::Config,
    limits: Limits,
) -> Result<Established, Error> {
    let (connect, early) = session(arrivals, limits).await?;
    // Further streams wait in `arrivals`, whose number is bounded, until Noise is done.
    arrivals.keep(early);
    let stream = first_stream(arrivals, connect.id().into_inner()).await;
    let (peer, noise) = noise.upgrade_inbound(stream, "/noise").await?;
    Ok(Established { peer, connect, noise })
}

/// The stream that a session is asked for on, and those that came before it, in the order in which they were opened.
/// Other requests are answered.
async fn session(
    arrivals: &mut Arrivals,
    limits: Limits,
) -> Result<(RequestStream, Vec<Arrival>), Error> {
    let mut early = BTreeMap::new();
    let mut answers = FuturesUnordered::new();
    loop {
        tokio::select! {
            arrival = arrivals.next() => match arrival {
                Arrival::Request(request) if answers.len() < EARLY => {
                    answers.push(answer(request, true, limits));
                }
                // A dialer may open it before it has our answer, and the request may arrive late.
                Arrival::Session(id, stream) if early.len() < EARLY => {
                    early.insert(stream.index(), Arrival::Session(id, stream));
                }
                arrival => arrival.refuse(),
            },
            Some(answered) = answers.next() => if let Some(stream) = answered? {
                return Ok((stream, early.into_values().collect()));
            },
        }
    }
}

/// The first stream of the session: Noise is on that one.
async fn first_stream(arrivals: &mut Arrivals, session: u64) -> Stream {
    loop {
        match arrivals.next().await {
            Arrival::Session(id, stream) if id == session => return stream,
            arrival => arrival.refuse(),
        }
    }
}
