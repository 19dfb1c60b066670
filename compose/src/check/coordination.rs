//! Rules about meeting through Redis: `redis-…` and `address-…`.

use std::time::Duration;

use futures::FutureExt;
use harness_sdk::config::{LISTENER_IP, REDIS_ADDR};
use nix::sys::signal::Signal;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::Error;
use super::address::Address;
use super::bench::Bench;
use super::experiment::{Experiment, Need};
use super::finding::{Finding, Seen, finding};
use super::node::{Ended, shortened};
use super::place::{Door, Entry, key};
use super::signals::ended_by;
use super::subject::Wire;
use super::variables::LEAST;

/// How long Redis is away.
const LATE: Duration = Duration::from_secs(3);
/// The 15 s of the contract, what the last try may take, and a start.
const WINDOW: Duration = Duration::from_secs(25);
/// Upstream's 30 tries of 500 ms take as long; the first ones are quicker.
const SHORTEST_WINDOW: Duration = Duration::from_secs(13);
/// What a published address is good for at once.
const BOUND: &str = "a connection once it is published";
/// Nobody has it: TEST-NET-1.
const NOBODY: &str = "/ip4/192.0.2.1/tcp/1";

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment::new(
        &[
            "redis-key",
            "redis-type",
            "redis-expiry",
            "address-concrete",
            "address-peer-id",
            "address-certhash",
            "address-bound-first",
            "stdout-listener",
            "signal-listener-sigterm",
        ],
        Need::Listener,
        |bench| listener(bench).boxed(),
    )
    .on_every_stack(),
    Experiment::new(&["address-listener-ip", "signal-listener-sigint"], Need::Listener, |bench| {
        concrete_ip(bench).boxed()
    }),
    Experiment::new(&["redis-late-listener"], Need::Listener, |bench| late_listener(bench).boxed())
        .waiting(),
    Experiment::new(&["redis-late-dialer"], Need::Peer, |bench| late_dialer(bench).boxed())
        .waiting(),
    Experiment::new(&["redis-stale-key"], Need::Peer, |bench| stale(bench).boxed()).waiting(),
    Experiment::new(&["redis-key-never"], Need::Nothing, |bench| never(bench).boxed()).waiting(),
    Experiment::new(&["redis-list"], Need::Peer, |bench| list(bench).boxed()),
];

/// One life of a listener, at a key where something else stood.
async fn listener(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let test_key = bench.test_key();
    let key = key(&test_key);
    bench.place.push(&key, NOBODY).await?;
    let mut node = bench.start(&bench.listener(&test_key))?;
    let entry = bench.place.published(&key, Some(NOBODY), bench.patience()).await?;
    let Some(text) = entry.value.clone().filter(|text| text != NOBODY) else {
        let how = if node.has_ended() {
            format!("the listener {}", node.ended(Duration::ZERO).await.how())
        } else {
            node.stop(Signal::SIGTERM).await;
            format!("after {} s there stood a {}", bench.patience().as_secs(), entry.kind)
        };
        return Ok(unpublished(&how));
    };
    let mut found = vec![
        finding("redis-key", format!("an address at {key}"), Seen::Right(text.clone())),
        finding("redis-type", "a string, where a list stood", kind(&entry)),
        expiry(&entry),
    ];
    found.extend(addressed(bench, &text).await);
    let ended = node.stop(Signal::SIGTERM).await;
    found.push(silent(&ended));
    found.push(ended_by("signal-listener-sigterm", &ended, 0, bench.second()));
    Ok(found)
}

/// Without an address there is nothing to say of the rest.
fn unpublished(how: &str) -> Vec<Finding> {
    let key = finding("redis-key", "an address", Seen::Wrong(how.to_owned()));
    let others = [
        "redis-type",
        "redis-expiry",
        "address-concrete",
        "stdout-listener",
        "signal-listener-sigterm",
    ];
    let because =
        |rule| finding(rule, "", Seen::Nothing("nothing was published: see redis-key".to_owned()));
    std::iter::once(key).chain(others.into_iter().map(because)).collect()
}

fn kind(entry: &Entry) -> Seen {
    match entry.kind.as_str() {
        "string" => Seen::Right("a string".to_owned()),
        other => Seen::Wrong(format!("a {other}")),
    }
}

fn expiry(entry: &Entry) -> Finding {
    let seen = match entry.life {
        3590..=3600 => Seen::Right(format!("{} s left", entry.life)),
        -1 => Seen::Wrong("it lives forever".to_owned()),
        life => Seen::Wrong(format!("{life} s left")),
    };
    finding("redis-expiry", "3600 s", seen)
}

fn silent(ended: &Ended) -> Finding {
    let out = ended.out();
    let seen = match out.lines().next() {
        None => Seen::Right("nothing".to_owned()),
        Some(line) => Seen::Wrong(format!("{} bytes, first: {}", out.len(), shortened(line))),
    };
    finding("stdout-listener", "nothing on stdout", seen)
}

async fn addressed(bench: &Bench<'_>, text: &str) -> Vec<Finding> {
    let expected = "a concrete IP and port";
    let address = match Address::parse(text) {
        Ok(address) => address,
        Err(problem) => {
            let seen = Seen::Wrong(format!("{text}, which {problem}"));
            return vec![finding("address-concrete", expected, seen)];
        }
    };
    let concrete = match address.useless(bench.place.redis.ip()) {
        Some(problem) => Seen::Wrong(format!("{text}, which {problem}")),
        None => Seen::Right(address.socket.to_string()),
    };
    let mut found = vec![finding("address-concrete", expected, concrete)];
    if bench.wire() != Wire::Baseline {
        let seen = match &address.peer_id {
            Some(id) => Seen::Right(id.clone()),
            None => Seen::Wrong(text.to_owned()),
        };
        found.push(finding("address-peer-id", "/p2p/<peer id> at the end", seen));
    }
    if bench.stack.transport == harness_sdk::Transport::Webtransport {
        let seen = format!("{} of them", address.certhashes);
        let seen = if address.certhashes == 2 { Seen::Right(seen) } else { Seen::Wrong(seen) };
        found.push(finding("address-certhash", "two /certhash/", seen));
    }
    if address.is_tcp {
        let connected = timeout(Duration::from_secs(2), TcpStream::connect(address.socket)).await;
        let seen = match connected {
            Ok(Ok(_)) => Seen::Right("a connection, at once".to_owned()),
            Ok(Err(error)) => Seen::Wrong(format!("{}: {error}", address.socket)),
            Err(_) => Seen::Wrong(format!("{}: no answer in 2 s", address.socket)),
        };
        found.push(finding("address-bound-first", BOUND, seen));
    } else {
        let seen = Seen::Nothing("over UDP nothing shows it before a handshake".to_owned());
        found.push(finding("address-bound-first", BOUND, seen));
    }
    found
}

async fn concrete_ip(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    const IP: &str = "127.0.0.1";
    let expected = format!("/ip4/{IP}/… with LISTENER_IP={IP}");
    let listening = bench.listening(|vars| vars.with(&LISTENER_IP, IP)).await?;
    let (node, address) = match listening {
        Ok(listening) => listening,
        Err(problem) => {
            let nothing = Seen::Nothing("it did not listen: see address-listener-ip".to_owned());
            return Ok(vec![
                finding("address-listener-ip", expected, Seen::Wrong(problem)),
                finding("signal-listener-sigint", "", nothing),
            ]);
        }
    };
    let seen = match address.starts_with(&format!("/ip4/{IP}/")) {
        true => Seen::Right(address),
        false => Seen::Wrong(address),
    };
    let ended = node.stop(Signal::SIGINT).await;
    Ok(vec![
        finding("address-listener-ip", expected, seen),
        ended_by("signal-listener-sigint", &ended, 0, bench.second()),
    ])
}

async fn late_listener(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let door = Door::closed(bench.place).await?;
    let test_key = bench.test_key();
    let vars = bench.listener(&test_key).with(&REDIS_ADDR, door.addr);
    let mut node = bench.start(&vars)?;
    sleep(LATE).await;
    let open = door.open().await?;
    let entry = bench.place.published(&key(&test_key), None, WINDOW - LATE).await?;
    let seen = match entry.value {
        Some(address) => Seen::Right(format!("it published {address}")),
        None if node.has_ended() => {
            Seen::Wrong(format!("it {}", node.ended(Duration::ZERO).await.how()))
        }
        None => Seen::Wrong("nothing was published".to_owned()),
    };
    drop(open);
    Ok(vec![finding("redis-late-listener", "an address once Redis is up", seen)])
}

async fn late_dialer(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let expected = "it measures once Redis is up";
    let peer = match bench.peer().await? {
        Ok(peer) => peer,
        Err(problem) => {
            return Ok(vec![finding("redis-late-dialer", expected, Seen::Wrong(problem))]);
        }
    };
    let door = Door::closed(bench.place).await?;
    let test_key = bench.test_key();
    bench.place.set(&key(&test_key), peer.address()).await?;
    let vars = bench.dialer(&test_key, LEAST).with(&REDIS_ADDR, door.addr);
    let node = bench.start(&vars)?;
    let opening = async {
        sleep(LATE).await;
        door.open().await
    };
    let (ended, open) = tokio::join!(node.ended(WINDOW), opening);
    drop(open?);
    peer.finish().await?;
    Ok(vec![finding("redis-late-dialer", expected, measured(&ended))])
}

/// Right where a dialer ended well.
fn measured(ended: &Ended) -> Seen {
    match ended.status() {
        Some(0) => Seen::Right(format!("so it did, in {:.1} s", ended.after.as_secs_f64())),
        _ => Seen::Wrong(format!("it {}", ended.how())),
    }
}

async fn stale(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let expected = "it measures against the address that came later";
    let peers = (bench.peer().await?, bench.peer().await?);
    let (dead, alive) = match peers {
        (Ok(dead), Ok(alive)) => (dead, alive),
        (Err(problem), _) | (_, Err(problem)) => {
            return Ok(vec![finding("redis-stale-key", expected, Seen::Wrong(problem))]);
        }
    };
    let stale = dead.address().to_owned();
    dead.finish().await?;
    let test_key = bench.test_key();
    bench.place.set(&key(&test_key), &stale).await?;
    let node = bench.start(&bench.dialer(&test_key, LEAST))?;
    let changing = async {
        sleep(LATE).await;
        bench.place.set(&key(&test_key), alive.address()).await
    };
    let (ended, changed) = tokio::join!(node.ended(WINDOW), changing);
    changed?;
    alive.finish().await?;
    Ok(vec![finding("redis-stale-key", expected, measured(&ended))])
}

async fn never(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let ended = bench.run(&bench.dialer(&bench.test_key(), LEAST), WINDOW).await?;
    let seen = format!("after {:.1} s it {}", ended.after.as_secs_f64(), ended.how());
    let seen = match ended.status() {
        Some(0) => Seen::Wrong(seen),
        Some(_) if ended.after < SHORTEST_WINDOW => Seen::Wrong(seen),
        Some(3) => {
            Seen::Right(format!("after {:.1} s it {}", ended.after.as_secs_f64(), ended.end()))
        }
        Some(_) => Seen::Odd(seen),
        None => Seen::Wrong(seen),
    };
    Ok(vec![finding("redis-key-never", "status 3 after 15 s", seen)])
}

async fn list(bench: &Bench<'_>) -> Result<Vec<Finding>, Error> {
    let expected = "it measures against the list's first address";
    let peer = match bench.peer().await? {
        Ok(peer) => peer,
        Err(problem) => return Ok(vec![finding("redis-list", expected, Seen::Wrong(problem))]),
    };
    let test_key = bench.test_key();
    bench.place.push(&key(&test_key), peer.address()).await?;
    let ended = bench.run(&bench.dialer(&test_key, LEAST), WINDOW).await?;
    peer.finish().await?;
    Ok(vec![finding("redis-list", expected, measured(&ended))])
}
