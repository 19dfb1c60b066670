//! Binding each side of a test to processors of its own.

use std::io;
use std::sync::{Mutex, PoisonError};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::results::Sides;

/// The processors of each worker's two sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinning(pub Vec<Sides>);

/// There are not enough processors.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Each side of each test needs one of its own.
    #[error(
        "--pin needs {needed} cores, one for each side of each worker's test; this process may use {cores}"
    )]
    TooFew {
        /// How many there are.
        cores: usize,
        /// How many it takes.
        needed: usize,
    },
    /// The system does not say.
    #[error("--pin: the system does not say which cores this process may use")]
    Unknown(#[from] io::Error),
}

impl Pinning {
    /// Shares the processors that this process may use among `workers`.
    pub fn plan(workers: usize) -> Result<Self, Error> {
        let set = sched_getaffinity(Pid::from_raw(0)).map_err(io::Error::from)?;
        let mut cpus: Vec<_> =
            (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).collect();
        // Two threads of one core belong to one side: they would take each other's time.
        cpus.sort_by_key(|cpu| (core_of(*cpu), *cpu));
        Self::share(&cpus, workers)
    }

    fn share(cpus: &[usize], workers: usize) -> Result<Self, Error> {
        let each = cpus.len() / (2 * workers.max(1));
        if each == 0 {
            return Err(Error::TooFew { cores: cpus.len(), needed: 2 * workers });
        }
        let sides = cpus.chunks_exact(2 * each).take(workers).map(|cpus| {
            let (dialer, listener) = cpus.split_at(each);
            Sides { dialer: dialer.to_vec(), listener: listener.to_vec() }
        });
        Ok(Self(sides.collect()))
    }
}

/// The package and the core that a processor is of, where the system tells.
fn core_of(cpu: usize) -> (Option<usize>, Option<usize>) {
    let read = |name: &str| {
        let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/{name}");
        std::fs::read_to_string(path).ok()?.trim().parse().ok()
    };
    (read("physical_package_id"), read("core_id"))
}

/// Does `start` with this thread bound to `cpus`, which what it starts inherits.
pub(super) fn bound<T>(cpus: &[usize], start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let this = Pid::from_raw(0);
    let before = sched_getaffinity(this)?;
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(*cpu)?;
    }
    sched_setaffinity(this, &set)?;
    let started = start();
    sched_setaffinity(this, &before)?;
    started
}

/// Who uses which processors.
#[derive(Debug, Default)]
pub(super) struct Slots(Mutex<Vec<Sides>>);

impl Slots {
    pub(super) fn new(pinning: Pinning) -> Self {
        let mut free = pinning.0;
        free.reverse();
        Self(Mutex::new(free))
    }

    /// Processors for one test, given back when it is done; `None`: its sides run anywhere.
    pub(super) fn take(&self) -> Option<Slot<'_>> {
        let sides = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        Some(Slot { slots: self, sides })
    }
}

/// Processors that one test has to itself.
#[derive(Debug)]
pub(super) struct Slot<'a> {
    slots: &'a Slots,
    pub(super) sides: Sides,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let sides = Sides {
            dialer: std::mem::take(&mut self.sides.dialer),
            listener: std::mem::take(&mut self.sides.listener),
        };
        self.slots.0.lock().unwrap_or_else(PoisonError::into_inner).push(sides);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_shared_evenly_or_refused() {
        let sides = |dialer: &[usize], listener: &[usize]| Sides {
            dialer: dialer.to_vec(),
            listener: listener.to_vec(),
        };
        let share = |cpus: &[usize], workers| Pinning::share(cpus, workers).map(|all| all.0);
        assert_eq!(share(&[0, 1], 1).unwrap(), [sides(&[0], &[1])]);
        assert_eq!(share(&[0, 4, 1, 5, 2], 1).unwrap(), [sides(&[0, 4], &[1, 5])]);
        assert_eq!(share(&[0, 1, 2, 3, 4], 2).unwrap(), [sides(&[0], &[1]), sides(&[2], &[3])]);
        let error = share(&[0, 1, 2], 2).unwrap_err().to_string();
        assert!(error.starts_with("--pin needs 4 cores"), "{error}");
        assert!(error.ends_with("may use 3"), "{error}");
    }

    #[test]
    fn a_thread_is_bound_only_while_it_starts_something() {
        let this = Pid::from_raw(0);
        let before = sched_getaffinity(this).unwrap();
        let cpu = (0..CpuSet::count()).find(|cpu| before.is_set(*cpu).unwrap()).unwrap();
        let within = bound(&[cpu], || Ok(sched_getaffinity(this)?)).unwrap();
        let mut only = CpuSet::new();
        only.set(cpu).unwrap();
        assert_eq!(within, only);
        assert_eq!(sched_getaffinity(this).unwrap(), before);
    }

    #[test]
    fn slots_come_back() {
        let slots = Slots::new(Pinning::share(&[0, 1], 1).unwrap());
        let slot = slots.take().unwrap();
        assert!(slots.take().is_none());
        drop(slot);
        assert_eq!(slots.take().unwrap().sides.dialer, [0]);
    }
}
