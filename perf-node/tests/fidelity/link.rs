//! A link of a known rate: two namespaces, a veth pair, a token bucket at either end.

use std::io::Write;

use nix::unistd::Uid;

use super::namespaces::{self, Namespace, run};

/// The dialer's and the listener's address. 198.18.0.0/15 is for measurements (RFC 2544).
const ADDRESSES: [&str; 2] = ["198.18.0.1", "198.18.0.2"];

/// The name of both ends.
const DEVICE: &str = "link0";

/// How fast a link is, and how deep its buckets are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// What the bucket lets through, Ethernet header included.
    pub(crate) bits_per_second: f64,
    /// What may pass at once after a pause, in bytes: at least the bandwidth-delay product (the round trip of an
    /// idle veth pair is below 0.2 ms, so 2.5 kB and 25 kB), and what the timers of a virtual machine need.
    pub(crate) burst: u32,
    /// What may wait, in bytes: more than any socket may have under way, so that nothing is dropped here.
    pub(crate) limit: u32,
}

pub(crate) const MBIT_100: Rate = Rate { bits_per_second: 100e6, burst: 16 << 10, limit: 8 << 20 };
pub(crate) const GBIT_1: Rate = Rate { bits_per_second: 1e9, burst: 256 << 10, limit: 16 << 20 };

/// Two ends that see nothing but each other.
pub(crate) struct Link {
    /// Where dialers run.
    pub(crate) near: End,
    /// Where listeners run.
    pub(crate) far: End,
}

/// One end, with what it sends shaped.
pub(crate) struct End {
    pub(crate) namespace: Namespace,
    pub(crate) ip: &'static str,
}

/// What the kernel counted at one end since it was made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    /// Bytes sent, Ethernet headers included, as the token bucket counts them.
    pub(crate) bytes: u64,
    /// Packets that found the bucket's queue full.
    pub(crate) dropped: u64,
    /// TCP segments sent again.
    pub(crate) retransmitted: u64,
    /// Datagrams that found a socket's receive buffer full.
    pub(crate) overflowed: u64,
}

impl Link {
    /// A link of `rate`; `None`, and a line on stderr that no test harness holds back, where this process may not
    /// make one. In CI, which has root, that is a failure.
    pub(crate) fn new(test: &str, rate: Rate) -> Option<Self> {
        let made = match Uid::effective().is_root() {
            true => {
                namespaces::sweep();
                Namespace::add().and_then(|near| Namespace::add().map(|far| [near, far]))
            }
            false => Err("it needs root".to_owned()),
        };
        match made {
            Ok(ends) => Some(Self::join(ends, rate)),
            Err(reason) => {
                let line = not_run(test, &reason, is_ci());
                std::io::stderr().write_all(line.as_bytes()).unwrap();
                None
            }
        }
    }

    fn join([near, far]: [Namespace; 2], rate: Rate) -> Self {
        let peer = ["type", "veth", "peer", "name", DEVICE, "netns", &far.name];
        run("ip", &[&["link", "add", DEVICE, "netns", &near.name][..], &peer].concat());
        let [near, far] = [(near, ADDRESSES[0]), (far, ADDRESSES[1])].map(|(namespace, ip)| {
            namespace.run("ip", &["address", "add", &format!("{ip}/30"), "dev", DEVICE]);
            namespace.run("ip", &["link", "set", DEVICE, "up"]);
            // What the host has chosen may probe (BBR does), each at another moment; Reno is in every kernel.
            namespace.run("sysctl", &["-qw", "net.ipv4.tcp_congestion_control=reno"]);
            let Rate { bits_per_second, burst, limit } = rate;
            let [rate, burst, limit] =
                [format!("{bits_per_second}bit"), burst.to_string(), limit.to_string()];
            let bucket = ["tbf", "rate", &rate, "burst", &burst, "limit", &limit];
            namespace.run("tc", &[&["qdisc", "add", "dev", DEVICE, "root"][..], &bucket].concat());
            End { namespace, ip }
        });
        Self { near, far }
    }
}

/// Whether the environment has CI set, as CI services have it.
fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty())
}

/// What is said of a test that needs a link and has none. In CI nobody would read it.
fn not_run(test: &str, reason: &str, is_ci: bool) -> String {
    let line = format!("{test}: NOT RUN, no network namespace can be made: {reason}\n");
    assert!(!is_ci, "{line}In CI it has to run.");
    line
}

#[test]
fn who_may_make_no_link_is_told_so() {
    assert!(not_run("a_test", "it needs root", false).starts_with("a_test: NOT RUN"));
}

#[test]
#[should_panic(expected = "it needs root")]
fn in_ci_a_link_that_cannot_be_made_is_a_failure() {
    not_run("a_test", "it needs root", true);
}

impl End {
    pub(crate) fn counters(&self) -> Counters {
        let bucket = self.namespace.run("tc", &["-s", "-j", "qdisc", "show", "dev", DEVICE]);
        let bucket: serde_json::Value = serde_json::from_str(&bucket).unwrap();
        let snmp = self.namespace.run("cat", &["/proc/net/snmp"]);
        Counters {
            bytes: bucket[0]["bytes"].as_u64().unwrap(),
            dropped: bucket[0]["drops"].as_u64().unwrap(),
            retransmitted: snmp_value(&snmp, "Tcp", "RetransSegs"),
            overflowed: snmp_value(&snmp, "Udp", "RcvbufErrors"),
        }
    }
}

/// A value of /proc/net/snmp: a line of names, then one of numbers, for each protocol.
fn snmp_value(snmp: &str, protocol: &str, name: &str) -> u64 {
    let mut lines = snmp.lines().filter_map(|line| line.strip_prefix(protocol)?.strip_prefix(':'));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    pairs.find(|(known, _)| *known == name).unwrap().1.parse().unwrap()
}

impl Counters {
    /// What came in addition, since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            bytes: self.bytes - earlier.bytes,
            dropped: self.dropped - earlier.dropped,
            retransmitted: self.retransmitted - earlier.retransmitted,
            overflowed: self.overflowed - earlier.overflowed,
        }
    }

    /// Packets that the link dropped, or that TCP took to be lost.
    pub(crate) fn lost(self) -> u64 {
        self.dropped + self.retransmitted
    }
}
