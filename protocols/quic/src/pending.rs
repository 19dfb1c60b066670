//! How many handshakes are under way, in all and by address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places for handshakes on all ports.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    counts: Arc<Mutex<Counts>>,
    max: usize,
    max_per_address: usize,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// What becomes of a dialer.
#[derive(Debug)]
pub(crate) enum Admission {
    /// Its handshake may go on for as long as it holds this.
    Granted(Place),
    /// It may come again once it has proved that its address is its own.
    ProveAddress,
    /// There is no place.
    Refused,
}

/// A handshake's place, which is free again once this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    pending: Pending,
    address: IpAddr,
}

impl Pending {
    pub(crate) fn new(max: usize, max_per_address: usize) -> Self {
        Self { counts: Arc::default(), max, max_per_address }
    }

    /// A place for a dialer from `ip`, which `is_proved` to be its own.
    pub(crate) fn admit(&self, ip: IpAddr, is_proved: bool) -> Admission {
        let address = subscriber(ip);
        let mut counts = self.lock();
        let here = counts.by_address.get(&address).copied().unwrap_or(0);
        // Whoever can send from addresses of others could take their places: asked when it gets busy.
        let is_busy = counts.all >= self.max / 2 || here >= self.max_per_address / 2;
        if is_busy && !is_proved {
            return Admission::ProveAddress;
        }
        if counts.all >= self.max || here >= self.max_per_address {
            return Admission::Refused;
        }
        counts.all += 1;
        counts.by_address.insert(address, here + 1);
        Admission::Granted(Place { pending: self.clone(), address })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.pending.lock();
        counts.all -= 1;
        let here = counts.by_address.get(&self.address).copied().unwrap_or(0);
        if here > 1 {
            counts.by_address.insert(self.address, here - 1);
        } else {
            counts.by_address.remove(&self.address);
        }
    }
}

/// What one subscriber has: an address of IPv4, a /64 of IPv6.
fn subscriber(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn places_are_bounded_by_address_and_in_all() {
        let pending = Pending::new(3, 2);
        let admit = |address| match pending.admit(ip(address), true) {
            Admission::Granted(place) => Some(place),
            _ => None,
        };
        let first = admit("10.0.0.1").unwrap();
        let _second = admit("10.0.0.1").unwrap();
        assert!(admit("10.0.0.1").is_none());
        let _third = admit("10.0.0.2").unwrap();
        assert!(admit("10.0.0.3").is_none());
        drop(first);
        assert!(admit("10.0.0.3").is_some());
        assert!(admit("10.0.0.1").is_some());
    }

    #[test]
    fn places_that_are_free_again_leave_nothing() {
        let pending = Pending::new(3, 2);
        drop(pending.admit(ip("10.0.0.1"), true));
        let counts = pending.lock();
        assert_eq!((counts.all, counts.by_address.len()), (0, 0));
    }

    #[test]
    fn an_address_has_to_be_proved_when_it_gets_busy() {
        let pending = Pending::new(4, 2);
        let _first = pending.admit(ip("10.0.0.1"), false);
        assert!(matches!(pending.admit(ip("10.0.0.1"), false), Admission::ProveAddress));
        assert!(matches!(pending.admit(ip("10.0.0.2"), false), Admission::Granted(_)));
    }

    #[test]
    fn a_subscriber_of_ipv6_has_a_64() {
        assert_eq!(subscriber(ip("2001:db8::1")), subscriber(ip("2001:db8::ffff:1")));
        assert_ne!(subscriber(ip("2001:db8::1")), subscriber(ip("2001:db8:0:1::1")));
        assert_eq!(subscriber(ip("::ffff:10.0.0.1")), ip("10.0.0.1"));
    }
}
