//! Behind a relay that adds a known delay, a sample grows by as many round trips as an exchange has.
//!
//! A stream of stock rust-libp2p is negotiated with multistream-select V1: the dialer waits for the peer to agree
//! (one round trip), then sends its request and waits for the answer (one more). On every stack, for a latency sample
//! as for an upload of one byte: k = 2. Negotiated lazily, as go-libp2p's streams are, the request goes with the
//! proposal: k = 1, and the opening takes no round trip; no flag of the node's asks for that, so that such a dialer is
//! part of the test. The raw baselines negotiate nothing: the same.
//!
//! Behind a delay processes sleep between two messages, and find cold caches when they wake. Behind 1 ms that hardly
//! shows; behind 5 ms and 50 ms alike an exchange takes about as long again as the undelayed one, of processes that
//! never slept. On a slow machine that is more than 5% of two short round trips, so that the undelayed exchange is
//! the other measure of what a sample may be off by.

use std::fmt;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use futures::future::join_all;
use harness_sdk::Stack;
use harness_sdk::stats::box_plot;
use libp2p::Multiaddr;
use libp2p::core::upgrade::Version;
use libp2p::multiaddr::Protocol;
use perf_node::swarm::Manner;
use perf_protocol::ReadBuffer;
use tokio::time::timeout;

use super::relay::{Loss, Relay};
use super::support::{self, Dialer, Listening, all_stacks, is_over_tcp, raw_stacks, stacks};
use super::{ATTEMPTS, alone};

/// What is measured.
#[derive(Clone, Copy)]
enum Subject {
    /// The node, as a process.
    Node(Stack),
    /// A dialer in this process, whose streams are negotiated lazily.
    Lazy(Stack),
}

impl Subject {
    fn stack(&self) -> &Stack {
        let (Self::Node(stack) | Self::Lazy(stack)) = self;
        stack
    }

    /// Round trips in one exchange, opening its stream included, and those of the opening alone.
    fn round_trips(&self) -> (f64, f64) {
        match self {
            Self::Node(stack) if !raw_stacks().contains(stack) => (2.0, 1.0),
            _ => (1.0, 0.0),
        }
    }

    /// Round trips that the tolerance is a share of. What libp2p takes longer once its processes have slept does not
    /// halve with one round trip in place of two.
    fn judged_by(&self) -> f64 {
        if raw_stacks().contains(self.stack()) { 1.0 } else { 2.0 }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(stack) => stack.fmt(f),
            Self::Lazy(stack) => write!(f, "{stack}, lazily"),
        }
    }
}

/// How many undelayed exchanges more one may take, once its processes have slept.
const WAKING: f64 = 2.0;

/// One way, how many exchanges, and what the added part may be off by, as a share of it. Where [`WAKING`] is more it is
/// that, up to a quarter of a round trip.
#[derive(Clone, Copy)]
struct Case {
    delay: Duration,
    uploads: usize,
    /// With 21 or more the document has a median of the opening.
    latencies: usize,
    tolerance: f64,
}

const UNDELAYED: Case = Case { delay: Duration::ZERO, uploads: 51, latencies: 101, tolerance: 0.0 };
const SHORT: Case =
    Case { delay: Duration::from_millis(5), uploads: 21, latencies: 41, tolerance: 0.05 };
const LONG: Case =
    Case { delay: Duration::from_millis(50), uploads: 9, latencies: 21, tolerance: 0.02 };

#[tokio::test(flavor = "multi_thread")]
async fn grows_by_as_many_round_trips_as_an_exchange_has() {
    every_one_does(all_stacks().map(Subject::Node)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grows_by_one_round_trip_where_streams_are_negotiated_lazily() {
    every_one_does(stacks().into_iter().map(Subject::Lazy)).await;
}

async fn every_one_does(subjects: impl Iterator<Item = Subject>) {
    let _alone = alone().await;
    let [short, long] = [SHORT, LONG].map(RoundTrip::of);
    let mut wrong = Vec::new();
    let mut undelayed = Vec::new();
    // One after the other: their processes would wait for one another.
    for subject in subjects {
        let medians = measure(&subject, UNDELAYED).await;
        println!("{subject}, undelayed: {medians}");
        wrong.extend(judge(&subject, SHORT, short, medians).await.err());
        undelayed.push((subject, medians));
    }
    // At once: they are idle nearly all the time.
    let long = undelayed.iter().map(|(subject, medians)| judge(subject, LONG, long, *medians));
    wrong.extend(join_all(long).await.into_iter().filter_map(Result::err));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Medians, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Medians {
    latency: f64,
    opening: f64,
    /// An upload of one byte, by the rate that the document has for it.
    upload: f64,
}

impl fmt::Display for Medians {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { latency, opening, upload } = self;
        write!(
            f,
            "latency {latency:.2} ms, opening {opening:.2} ms, upload of one byte {upload:.2} ms"
        )
    }
}

/// Measures behind the case's delay: what that adds has to be as many round trips as there are.
async fn judge(
    subject: &Subject,
    case: Case,
    [tcp, udp]: [RoundTrip; 2],
    undelayed: Medians,
) -> Result<(), String> {
    let round_trip = if is_over_tcp(subject.stack()) { tcp } else { udp };
    let (exchange, opening) = subject.round_trips();
    let mut seen = Vec::new();
    for _ in 0..ATTEMPTS {
        let delayed = measure(subject, case).await;
        let parts = [
            ("latency", delayed.latency - undelayed.latency, exchange),
            ("opening", delayed.opening - undelayed.opening, opening),
            ("upload of one byte", delayed.upload - undelayed.upload, exchange),
        ];
        let told: Vec<_> = parts
            .map(|(name, added, k)| {
                format!("{name} +{added:.2} ms, {:.3} of {k}", added / round_trip.0)
            })
            .into();
        let told = format!("{subject}, round trip {round_trip}: {}", told.join("; "));
        println!("{told}");
        // Half of a sample, the opening may be off by as many milliseconds as all of it.
        let share = case.tolerance * subject.judged_by() * round_trip.0;
        let allowed = share.max((WAKING * undelayed.latency).min(round_trip.0 / 4.0));
        let off = |(_, added, k): (_, f64, f64)| (added - k * round_trip.0).abs();
        if parts.into_iter().all(|part| off(part) <= allowed) {
            return Ok(());
        }
        seen.push(told);
    }
    Err(seen.join("\n"))
}

/// One connection through a relay that delays.
async fn measure(subject: &Subject, case: Case) -> Medians {
    let stack = subject.stack();
    let listener = Listening::start(stack, &[]).await;
    let (address, target) = parse(&listener.address);
    let relay = match is_over_tcp(stack) {
        true => Relay::tcp(target, case.delay),
        false => Relay::udp(target, case.delay, Loss::NONE),
    };
    let through = with_port(&address, relay.addr.port()).to_string();
    match subject {
        Subject::Node(stack) => node(stack, &through, case).await,
        Subject::Lazy(stack) => lazy(stack, &through, case).await,
    }
}

async fn node(stack: &Stack, address: &str, case: Case) -> Medians {
    let sections = [case.uploads, 0, case.latencies];
    let document =
        support::dial(stack, address).measuring(sections, 1).run().await.measured(sections);
    let phases = document.node.unwrap().phases_ms;
    let upload =
        document.upload.unwrap().samples.iter().map(|gbps| 8.0 / gbps / 1e6).collect::<Vec<_>>();
    Medians {
        latency: document.latency.unwrap().plot.median,
        opening: phases.stream_open.unwrap().p50.unwrap(),
        upload: box_plot(&upload).unwrap().median,
    }
}

async fn lazy(stack: &Stack, address: &str, case: Case) -> Medians {
    let manner = Manner { negotiation: Version::V1Lazy, ..Manner::default() };
    let dialer = Dialer::connect_as(stack, address, &manner).await;
    let mut uploads = Vec::new();
    for _ in 0..case.uploads {
        uploads.push(exchange(&dialer, 0).await.1);
    }
    let (mut openings, mut latencies) = (Vec::new(), Vec::new());
    for _ in 0..case.latencies {
        let (opening, whole) = exchange(&dialer, 1).await;
        openings.push(opening);
        latencies.push(whole);
    }
    let [latency, opening, upload] =
        [latencies, openings, uploads].map(|samples| box_plot(&samples).unwrap().median);
    Medians { latency, opening, upload }
}

/// A byte there, and `back` back: how long its stream took to open, and all of it, in milliseconds.
async fn exchange(dialer: &Dialer, back: u64) -> (f64, f64) {
    let start = Instant::now();
    let stream = dialer.open().await;
    let opening = ms(start.elapsed());
    let mut buffer = ReadBuffer::new();
    let exchanged = perf_protocol::request(stream, 1, back, &(), &mut buffer);
    timeout(support::LIMIT, exchanged).await.unwrap().unwrap();
    (opening, ms(start.elapsed()))
}

/// A listener's multiaddr, and its socket address.
pub(crate) fn parse(address: &str) -> (Multiaddr, SocketAddr) {
    let address: Multiaddr = address.parse().unwrap();
    let port = address.iter().find_map(|protocol| match protocol {
        Protocol::Tcp(port) | Protocol::Udp(port) => Some(port),
        _ => None,
    });
    (address, SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap())))
}

/// The same peer behind another port.
pub(crate) fn with_port(address: &Multiaddr, port: u16) -> Multiaddr {
    let protocols = address.iter().map(|protocol| match protocol {
        Protocol::Tcp(_) => Protocol::Tcp(port),
        Protocol::Udp(_) => Protocol::Udp(port),
        other => other,
    });
    protocols.collect()
}

/// What a relay adds to a byte there and back, in milliseconds: its two delays, and its own error, which is measured
/// before anything of ours is, with nothing above the sockets.
#[derive(Clone, Copy, Debug)]
struct RoundTrip(f64);

impl RoundTrip {
    /// Over TCP and over UDP. The error may be half of what samples are judged by.
    fn of(case: Case) -> [Self; 2] {
        let asked = 2.0 * ms(case.delay);
        let kinds: [(&str, Pings); 2] = [("TCP", tcp_round_trips), ("UDP", udp_round_trips)];
        kinds.map(|(kind, round_trips)| {
            let median = |delay| box_plot(&round_trips(delay)).unwrap().median;
            let mut seen = Vec::new();
            for _ in 0..2 * ATTEMPTS {
                let added = median(case.delay) - median(Duration::ZERO);
                let off = added / asked - 1.0;
                println!("a {kind} relay that adds {asked} ms adds {added:.3} ms ({:+.2}%)", off * 1e2);
                if off.abs() <= case.tolerance / 2.0 {
                    return Self(added);
                }
                seen.push(added);
            }
            panic!("a {kind} relay that adds {asked} ms adds {seen:?}: this machine's timers do not serve")
        })
    }
}

impl fmt::Display for RoundTrip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ms", self.0)
    }
}

/// How long a byte takes there and back through a relay of a delay, in milliseconds, each time.
type Pings = fn(Duration) -> Vec<f64>;

const PINGS: usize = 15;

fn tcp_round_trips(delay: Duration) -> Vec<f64> {
    let echo = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let relay = Relay::tcp(echo.local_addr().unwrap(), delay);
    let mut near = TcpStream::connect(relay.addr).unwrap();
    let (mut far, _) = echo.accept().unwrap();
    for stream in [&near, &far] {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(support::LIMIT)).unwrap();
    }
    let echoing = std::thread::spawn(move || {
        let mut byte = [0];
        while far.read(&mut byte).unwrap() > 0 {
            far.write_all(&byte).unwrap();
        }
    });
    let times = round_trips(|| {
        near.write_all(&[1]).unwrap();
        near.read_exact(&mut [0]).unwrap();
    });
    drop(near);
    echoing.join().unwrap();
    times
}

fn udp_round_trips(delay: Duration) -> Vec<f64> {
    let [near, far] = [0, 1].map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    for socket in [&near, &far] {
        socket.set_read_timeout(Some(support::LIMIT)).unwrap();
    }
    let relay = Relay::udp(far.local_addr().unwrap(), delay, Loss::NONE);
    let echoing = std::thread::spawn(move || {
        for _ in 0..PINGS {
            let (_, peer) = far.recv_from(&mut [0]).unwrap();
            far.send_to(&[1], peer).unwrap();
        }
    });
    let times = round_trips(|| {
        near.send_to(&[1], relay.addr).unwrap();
        near.recv(&mut [0]).unwrap();
    });
    echoing.join().unwrap();
    times
}

/// How long `ping` takes, in milliseconds.
fn round_trips(mut ping: impl FnMut()) -> Vec<f64> {
    let timed = |_| {
        let start = Instant::now();
        ping();
        ms(start.elapsed())
    };
    (0..PINGS).map(timed).collect()
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
