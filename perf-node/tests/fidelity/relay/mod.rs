//! A relay on loopback that delivers what it is given a known time later.
//!
//! Threads, not tasks: a task's timer is true to a millisecond, a thread's to less than a tenth of one, and that is
//! what the delay's error is made of. Memory is bounded by what a queue holds; TCP waits where it is full, UDP drops.

mod clock;
mod loss;
mod tcp;
mod udp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

pub(crate) use loss::Loss;

/// How often a thread that waits for input looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(100);

/// A relay to one target; gone when dropped.
pub(crate) struct Relay {
    /// What to connect to in place of the target.
    pub(crate) addr: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What a relay's threads have in common.
#[derive(Default)]
struct Shared {
    stopped: AtomicBool,
    passed: AtomicU64,
    lost: AtomicU64,
    overflowed: AtomicU64,
}

impl Shared {
    fn is_stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }
}

/// What a relay of datagrams has done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    /// Delivered.
    pub(crate) passed: u64,
    /// Dropped because its [`Loss`] said so.
    pub(crate) lost: u64,
    /// Dropped because the queue was full.
    pub(crate) overflowed: u64,
}

impl Relay {
    /// To a TCP listener, `delay` later either way.
    pub(crate) fn tcp(target: SocketAddr, delay: Duration) -> Self {
        Self::start(|shared| tcp::start(target, delay, shared))
    }

    /// To a UDP socket, for one client; `delay` later either way, and less what `loss` takes.
    pub(crate) fn udp(target: SocketAddr, delay: Duration, loss: Loss) -> Self {
        Self::start(|shared| udp::start(target, delay, loss, shared))
    }

    fn start(start: impl FnOnce(&Arc<Shared>) -> (SocketAddr, Vec<JoinHandle<()>>)) -> Self {
        let shared = Arc::default();
        let (addr, threads) = start(&shared);
        Self { addr, shared, threads }
    }

    pub(crate) fn counts(&self) -> Counts {
        let Shared { passed, lost, overflowed, .. } = &*self.shared;
        let [passed, lost, overflowed] =
            [passed, lost, overflowed].map(|count| count.load(Relaxed));
        Counts { passed, lost, overflowed }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "a thread of the relay panicked");
        }
    }
}
