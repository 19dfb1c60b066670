//! Clients blocked in `BLPOP`, in the order in which they came.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use tokio::sync::oneshot;

/// A list's key and the element taken off it.
pub(crate) type Popped = (Bytes, Bytes);

/// Names one wait of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WaiterId(u64);

/// Who waits for which key. A client may wait for several and is served once.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    next_id: u64,
    by_key: HashMap<Bytes, VecDeque<WaiterId>>,
    by_id: HashMap<WaiterId, Waiter>,
}

#[derive(Debug)]
struct Waiter {
    keys: Vec<Bytes>,
    deliver: oneshot::Sender<Popped>,
}

impl Waiters {
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Queues a client behind those who wait for the same keys.
    pub(crate) fn add(&mut self, keys: &[Bytes]) -> (WaiterId, oneshot::Receiver<Popped>) {
        let id = WaiterId(self.next_id);
        self.next_id += 1;
        for key in keys {
            let queue = self.by_key.entry(Bytes::copy_from_slice(key)).or_default();
            // A key may be named twice in one command.
            if queue.back() != Some(&id) {
                queue.push_back(id);
            }
        }
        let (deliver, delivered) = oneshot::channel();
        self.by_id.insert(id, Waiter { keys: keys.to_vec(), deliver });
        (id, delivered)
    }

    /// Forgets a client; nothing happens if it has been served.
    pub(crate) fn remove(&mut self, id: WaiterId) {
        self.take(id);
    }

    /// Hands `element` to the client that has waited longest for `key`; it comes back where nobody waits.
    pub(crate) fn deliver(&mut self, key: &[u8], mut element: Bytes) -> Option<Bytes> {
        while let Some(id) = self.by_key.get(key).and_then(|queue| queue.front().copied()) {
            let Some(waiter) = self.take(id) else {
                return Some(element);
            };
            match waiter.deliver.send((Bytes::copy_from_slice(key), element)) {
                Ok(()) => return None,
                Err((_, refused)) => element = refused,
            }
        }
        Some(element)
    }

    fn take(&mut self, id: WaiterId) -> Option<Waiter> {
        let waiter = self.by_id.remove(&id)?;
        for key in &waiter.keys {
            if let Some(queue) = self.by_key.get_mut(key) {
                queue.retain(|queued| *queued != id);
                if queue.is_empty() {
                    self.by_key.remove(key);
                }
            }
        }
        Some(waiter)
    }
}
