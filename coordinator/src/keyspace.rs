//! The store as connections share it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::store::Store;
use crate::waiters::{Popped, WaiterId};

/// A handle on the one [`Store`]. It is locked for one command at a time and never across an `await`.
#[derive(Clone, Debug)]
pub(crate) struct Keyspace(Arc<Mutex<Store>>);

impl Keyspace {
    pub(crate) fn new(max_memory: usize) -> Self {
        Self(Arc::new(Mutex::new(Store::new(max_memory))))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Store> {
        // A panic under the lock is a bug, and one connection's: the others go on.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues for the first element of any of `keys`. The caller holds the lock under which it found them all empty,
    /// so that nothing can be pushed in between.
    pub(crate) fn wait(&self, store: &mut Store, keys: &[Bytes]) -> Wait {
        let (id, delivered) = store.wait(keys);
        Wait { keyspace: self.clone(), id, delivered }
    }
}

/// One client's place in the queue. Dropped at a time-out, a disconnect or a shutdown, it leaves the queue, and an
/// element that was handed over at that very moment goes back to its list.
#[derive(Debug)]
pub(crate) struct Wait {
    keyspace: Keyspace,
    id: WaiterId,
    delivered: oneshot::Receiver<Popped>,
}

impl Wait {
    /// Waits for the element, for ever. Cancel safe.
    pub(crate) async fn popped(&mut self) -> Option<Popped> {
        (&mut self.delivered).await.ok()
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut store = self.keyspace.lock();
        store.stop_waiting(self.id);
        if let Ok(popped) = self.delivered.try_recv() {
            store.give_back(popped, Instant::now());
        }
    }
}
