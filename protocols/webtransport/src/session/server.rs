//! The listener's side of the handshake, from the peer's first stream on.

use std::collections::VecDeque;

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
    let stream = first_stream(arrivals, early, connect.id().into_inner()).await;
    // Further streams wait in `arrivals`, whose number is bounded, until Noise is done.
    let (peer, noise) = noise.upgrade_inbound(stream, "/noise").await?;
    Ok(Established { peer, connect, noise })
}

/// The stream that a session is asked for on, and those that came before it. Other requests are answered.
async fn session(
    arrivals: &mut Arrivals,
    limits: Limits,
) -> Result<(RequestStream, VecDeque<Arrival>), Error> {
    let mut early = VecDeque::new();
    let mut answers = FuturesUnordered::new();
    loop {
        tokio::select! {
            arrival = arrivals.next() => match arrival {
                Arrival::Request(request) if answers.len() < EARLY => {
                    answers.push(answer(request, true, limits));
                }
                // A dialer may open it before it has our answer, and the request may arrive late.
                Arrival::Session(..) if early.len() < EARLY => early.push_back(arrival),
                arrival => arrival.refuse(),
            },
            Some(answered) = answers.next() => if let Some(stream) = answered? {
                return Ok((stream, early));
            },
        }
    }
}

/// The first stream of the session: Noise is on that one.
async fn first_stream(
    arrivals: &mut Arrivals,
    mut early: VecDeque<Arrival>,
    session: u64,
) -> Stream {
    loop {
        let arrival = match early.pop_front() {
            Some(arrival) => arrival,
            None => arrivals.next().await,
        };
        match arrival {
            Arrival::Session(id, stream) if id == session => {
                early.into_iter().for_each(Arrival::refuse);
                return stream;
            }
            arrival => arrival.refuse(),
        }
    }
}
