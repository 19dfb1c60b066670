//! The keyspace: strings and lists with expiry, under a memory cap. No clock, no sockets: every method that may meet
//! an expired key is given the time.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::waiters::{Popped, WaiterId, Waiters};

/// Bytes counted for a key besides its name and value: its slot in the table and its allocations.
const ENTRY_OVERHEAD: usize = 128;

/// Bytes counted for an element of a list besides its value.
const ELEMENT_OVERHEAD: usize = 64;

/// A command that is well-formed and cannot be carried out. Displays as what Redis says; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("WRONGTYPE Operation against a key holding the wrong kind of value")]
    WrongType,
    #[error("OOM command not allowed when used memory > 'maxmemory'.")]
    OutOfMemory,
}

/// What `TYPE` tells of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    String,
    List,
}

/// An end of a list: the left one is index 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Left,
    Right,
}

/// What `TTL` tells of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ttl {
    NoKey,
    NoExpiry,
    Left(Duration),
}

/// When a write is to happen at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Condition {
    #[default]
    Always,
    /// `NX`
    Absent,
    /// `XX`
    Present,
}

/// What becomes of a key's expiry when it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Expiry {
    #[default]
    None,
    Keep,
    At(Instant),
}

#[derive(Debug)]
enum Value {
    String(Bytes),
    List(VecDeque<Bytes>),
}

impl Value {
    /// In bytes.
    fn cost(&self) -> usize {
        match self {
            Self::String(value) => value.len(),
            Self::List(list) => list.iter().map(element_cost).sum(),
        }
    }
}

fn element_cost(element: &Bytes) -> usize {
    element.len() + ELEMENT_OVERHEAD
}

#[derive(Debug)]
struct Entry {
    value: Value,
    expires: Option<Instant>,
}

/// All keys, and the clients that wait for lists.
#[derive(Debug)]
pub(crate) struct Store {
    entries: HashMap<Bytes, Entry>,
    waiters: Waiters,
    used: usize,
    max_memory: usize,
}

impl Store {
    /// An empty store that accounts for at most `max_memory` bytes.
    pub(crate) fn new(max_memory: usize) -> Self {
        Self { entries: HashMap::new(), waiters: Waiters::default(), used: 0, max_memory }
    }

    /// Bytes accounted for.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    pub(crate) fn max_memory(&self) -> usize {
        self.max_memory
    }

    /// Keys held: expired ones are counted until something drops them.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Keys held that have an expiry.
    pub(crate) fn len_expiring(&self) -> usize {
        self.entries.values().filter(|entry| entry.expires.is_some()).count()
    }

    /// Clients that wait for a list.
    pub(crate) fn waiting(&self) -> usize {
        self.waiters.len()
    }

    /// Drops every key whose time has come.
    pub(crate) fn sweep(&mut self, now: Instant) {
        let used = &mut self.used;
        self.entries.retain(|key, entry| {
            let live = !is_due(entry, now);
            if !live {
                *used -= cost(key, &entry.value);
            }
            live
        });
        self.entries.shrink_to(self.entries.len() * 2);
    }

    /// The string at `key`.
    pub(crate) fn get(&mut self, key: &[u8], now: Instant) -> Result<Option<Bytes>, StoreError> {
        match self.live(key, now).map(|entry| &entry.value) {
            None => Ok(None),
            Some(Value::String(value)) => Ok(Some(value.clone())),
            Some(Value::List(_)) => Err(StoreError::WrongType),
        }
    }

    /// Puts a string at `key`, whatever was there; false where `condition` forbids it.
    pub(crate) fn set(
        &mut self,
        key: &[u8],
        value: &[u8],
        condition: Condition,
        expiry: Expiry,
        now: Instant,
    ) -> Result<bool, StoreError> {
        self.drop_if_due(key, now);
        let old = self.entries.get(key);
        let wanted = match condition {
            Condition::Always => true,
            Condition::Absent => old.is_none(),
            Condition::Present => old.is_some(),
        };
        if !wanted {
            return Ok(false);
        }
        let expires = match expiry {
            Expiry::None => None,
            Expiry::Keep => old.and_then(|entry| entry.expires),
            Expiry::At(at) => Some(at),
        };
        let freed = old.map_or(0, |entry| cost(key, &entry.value));
        // Copied: what is given is a view of a connection's receive buffer and would keep all of that alive.
        let value = Value::String(Bytes::copy_from_slice(value));
        let needed = cost(key, &value);
        self.reserve(needed, freed)?;
        self.entries.insert(Bytes::copy_from_slice(key), Entry { value, expires });
        Ok(true)
    }

    /// Drops `key`; false where there is none.
    pub(crate) fn remove(&mut self, key: &[u8], now: Instant) -> bool {
        self.drop_if_due(key, now);
        self.discard(key)
    }

    pub(crate) fn kind(&self, key: &[u8], now: Instant) -> Option<Kind> {
        self.live(key, now).map(|entry| match entry.value {
            Value::String(_) => Kind::String,
            Value::List(_) => Kind::List,
        })
    }

    /// Makes `key` expire at `at`, at once if that has passed; false where there is no such key.
    pub(crate) fn expire(&mut self, key: &[u8], at: Instant, now: Instant) -> bool {
        self.drop_if_due(key, now);
        let Some(entry) = self.entries.get_mut(key) else {
            return false;
        };
        entry.expires = Some(at);
        self.drop_if_due(key, now);
        true
    }

    pub(crate) fn ttl(&self, key: &[u8], now: Instant) -> Ttl {
        match self.live(key, now).map(|entry| entry.expires) {
            None => Ttl::NoKey,
            Some(None) => Ttl::NoExpiry,
            Some(Some(at)) => Ttl::Left(at.saturating_duration_since(now)),
        }
    }

    /// Appends to the list at `key`, one after the other, then hands elements to those who wait for them. Returns
    /// the length before any was handed out, as Redis does.
    pub(crate) fn push(
        &mut self,
        key: &[u8],
        values: &[Bytes],
        end: End,
        now: Instant,
    ) -> Result<usize, StoreError> {
        self.drop_if_due(key, now);
        let entry_cost = match self.entries.get(key).map(|entry| &entry.value) {
            Some(Value::String(_)) => return Err(StoreError::WrongType),
            Some(Value::List(_)) => 0,
            None => key.len() + ENTRY_OVERHEAD,
        };
        self.reserve(entry_cost + values.iter().map(element_cost).sum::<usize>(), 0)?;
        let list = self.list_or_new(key)?;
        for value in values {
            let value = Bytes::copy_from_slice(value);
            match end {
                End::Left => list.push_front(value),
                End::Right => list.push_back(value),
            }
        }
        let length = list.len();
        self.serve_waiters(key);
        Ok(length)
    }

    /// Takes up to `count` elements off the list at `key`; `None` where there is no list. A list that is empty is gone.
    pub(crate) fn pop(
        &mut self,
        key: &[u8],
        end: End,
        count: usize,
        now: Instant,
    ) -> Result<Option<Vec<Bytes>>, StoreError> {
        self.drop_if_due(key, now);
        let list = match self.entries.get_mut(key).map(|entry| &mut entry.value) {
            None => return Ok(None),
            Some(Value::String(_)) => return Err(StoreError::WrongType),
            Some(Value::List(list)) => list,
        };
        let count = count.min(list.len());
        let popped: Vec<Bytes> = match end {
            End::Left => list.drain(..count).collect(),
            End::Right => list.drain(list.len() - count..).rev().collect(),
        };
        // What a drained list keeps allocated is not accounted for, so it may not keep much.
        if list.capacity() > 2 * list.len() + 16 {
            list.shrink_to(list.len() + 8);
        }
        let emptied = list.is_empty();
        self.used -= popped.iter().map(element_cost).sum::<usize>();
        if emptied {
            self.discard(key);
        }
        Ok(Some(popped))
    }

    /// The element of the list at `key`; negative positions count from the right, -1 being the last.
    pub(crate) fn index(
        &self,
        key: &[u8],
        position: i64,
        now: Instant,
    ) -> Result<Option<Bytes>, StoreError> {
        let Some(list) = self.list(key, now)? else {
            return Ok(None);
        };
        Ok(from_left(position, list.len()).and_then(|at| list.get(at).cloned()))
    }

    /// The elements from `start` to `stop`, both included and both as in [`index`](Self::index); out-of-range
    /// positions are cut to the list.
    pub(crate) fn range(
        &self,
        key: &[u8],
        start: i64,
        stop: i64,
        now: Instant,
    ) -> Result<Vec<Bytes>, StoreError> {
        let Some(list) = self.list(key, now)? else {
            return Ok(Vec::new());
        };
        let start = from_left(start, list.len()).unwrap_or(0);
        let Some(stop) = from_left(stop, list.len()) else {
            return Ok(Vec::new());
        };
        Ok(list.iter().take(stop.saturating_add(1)).skip(start).cloned().collect())
    }

    /// Queues a client that waits for the first element of any of `keys`.
    pub(crate) fn wait(&mut self, keys: &[Bytes]) -> (WaiterId, oneshot::Receiver<Popped>) {
        self.waiters.add(keys)
    }

    /// Forgets a client that waits no more.
    pub(crate) fn stop_waiting(&mut self, id: WaiterId) {
        self.waiters.remove(id);
    }

    /// Puts an element back that was handed to a client which had left. It goes where it was, to whoever is next; it
    /// is lost if meanwhile the key holds a string.
    pub(crate) fn give_back(&mut self, (key, element): Popped, now: Instant) {
        self.drop_if_due(&key, now);
        let new_key = !self.entries.contains_key(&key);
        let cost = element_cost(&element);
        let Ok(list) = self.list_or_new(&key) else {
            return;
        };
        list.push_front(element);
        // Not refused for memory: it had been accounted for until a moment ago.
        self.used += cost + if new_key { key.len() + ENTRY_OVERHEAD } else { 0 };
        self.serve_waiters(&key);
    }

    /// Hands elements of the list at `key`, from the left, to those who wait for it, longest first.
    fn serve_waiters(&mut self, key: &[u8]) {
        while let Some(Entry { value: Value::List(list), .. }) = self.entries.get_mut(key) {
            let Some(element) = list.pop_front() else {
                self.discard(key);
                return;
            };
            let cost = element_cost(&element);
            if let Some(element) = self.waiters.deliver(key, element) {
                list.push_front(element);
                return;
            }
            self.used -= cost;
        }
    }

    /// The list at `key`, made if absent. What a new one costs is for the caller to account.
    fn list_or_new(&mut self, key: &[u8]) -> Result<&mut VecDeque<Bytes>, StoreError> {
        if !self.entries.contains_key(key) {
            let empty = Entry { value: Value::List(VecDeque::new()), expires: None };
            self.entries.insert(Bytes::copy_from_slice(key), empty);
        }
        match self.entries.get_mut(key).map(|entry| &mut entry.value) {
            Some(Value::List(list)) => Ok(list),
            _ => Err(StoreError::WrongType),
        }
    }

    fn list(&self, key: &[u8], now: Instant) -> Result<Option<&VecDeque<Bytes>>, StoreError> {
        match self.live(key, now).map(|entry| &entry.value) {
            None => Ok(None),
            Some(Value::List(list)) => Ok(Some(list)),
            Some(Value::String(_)) => Err(StoreError::WrongType),
        }
    }

    fn live(&self, key: &[u8], now: Instant) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| !is_due(entry, now))
    }

    fn drop_if_due(&mut self, key: &[u8], now: Instant) {
        if self.entries.get(key).is_some_and(|entry| is_due(entry, now)) {
            self.discard(key);
        }
    }

    /// Drops `key`, expired or not.
    fn discard(&mut self, key: &[u8]) -> bool {
        let Some(entry) = self.entries.remove(key) else {
            return false;
        };
        self.used -= cost(key, &entry.value);
        true
    }

    /// Accounts for `needed` more bytes and `freed` less, or refuses.
    fn reserve(&mut self, needed: usize, freed: usize) -> Result<(), StoreError> {
        let used = (self.used - freed).saturating_add(needed);
        if used > self.max_memory {
            return Err(StoreError::OutOfMemory);
        }
        self.used = used;
        Ok(())
    }
}

/// In bytes.
fn cost(key: &[u8], value: &Value) -> usize {
    key.len() + ENTRY_OVERHEAD + value.cost()
}

fn is_due(entry: &Entry, now: Instant) -> bool {
    entry.expires.is_some_and(|at| at <= now)
}

/// A position that may count from the right, as an offset from the left; `None` where it lies left of the list.
fn from_left(position: i64, length: usize) -> Option<usize> {
    match usize::try_from(position) {
        Ok(position) => Some(position),
        Err(_) => {
            length.checked_sub(usize::try_from(position.unsigned_abs()).unwrap_or(usize::MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn store() -> (Store, Instant) {
        (Store::new(1 << 20), Instant::now())
    }

    fn put(store: &mut Store, key: &str, expiry: Expiry, now: Instant) {
        assert_eq!(store.set(key.as_bytes(), b"value", Condition::Always, expiry, now), Ok(true));
    }

    fn words(words: &[&'static str]) -> Vec<Bytes> {
        words.iter().map(|word| Bytes::from_static(word.as_bytes())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_there_until_its_time_has_come() {
        let mut store = Store::new(1 << 20);
        let now = Instant::now();
        put(&mut store, "a", Expiry::At(now + 10 * SECOND), now);
        assert_eq!(store.ttl(b"a", Instant::now()), Ttl::Left(10 * SECOND));
        tokio::time::advance(10 * SECOND - Duration::from_millis(1)).await;
        assert_eq!(store.ttl(b"a", Instant::now()), Ttl::Left(Duration::from_millis(1)));
        assert_eq!(store.get(b"a", Instant::now()), Ok(Some(Bytes::from("value"))));
        tokio::time::advance(Duration::from_millis(1)).await;
        let now = Instant::now();
        assert_eq!(store.get(b"a", now), Ok(None));
        assert_eq!(store.ttl(b"a", now), Ttl::NoKey);
        assert_eq!(store.kind(b"a", now), None);
        assert!(!store.remove(b"a", now));
        assert_eq!(store.used(), 0, "dropped on the way");
    }

    #[test]
    fn ttl_tells_no_key_from_no_expiry() {
        let (mut store, now) = store();
        assert_eq!(store.ttl(b"a", now), Ttl::NoKey);
        put(&mut store, "a", Expiry::None, now);
        assert_eq!(store.ttl(b"a", now), Ttl::NoExpiry);
    }

    #[test]
    fn a_write_replaces_type_and_expiry_unless_told_to_keep_it() {
        let (mut store, now) = store();
        put(&mut store, "a", Expiry::At(now + SECOND), now);
        put(&mut store, "a", Expiry::Keep, now);
        assert_eq!(store.ttl(b"a", now), Ttl::Left(SECOND));
        put(&mut store, "a", Expiry::None, now);
        assert_eq!(store.ttl(b"a", now), Ttl::NoExpiry);
        store.push(b"l", &words(&["x"]), End::Right, now).unwrap();
        put(&mut store, "l", Expiry::None, now);
        assert_eq!(store.kind(b"l", now), Some(Kind::String));
    }

    #[test]
    fn conditions_see_an_expired_key_as_absent() {
        let (mut store, now) = store();
        let set = |store: &mut Store, condition, now| {
            store.set(b"a", b"v", condition, Expiry::At(now + SECOND), now)
        };
        assert_eq!(set(&mut store, Condition::Present, now), Ok(false));
        assert_eq!(set(&mut store, Condition::Absent, now), Ok(true));
        assert_eq!(set(&mut store, Condition::Absent, now), Ok(false));
        assert_eq!(set(&mut store, Condition::Present, now), Ok(true));
        let later = now + SECOND;
        assert_eq!(set(&mut store, Condition::Present, later), Ok(false));
        assert_eq!(set(&mut store, Condition::Absent, later), Ok(true));
        let used = store.used();
        put(&mut store, "a", Expiry::None, later + SECOND);
        assert_eq!(
            store.used(),
            used + "value".len() - "v".len(),
            "expired keys that are replaced are not counted"
        );
    }

    #[test]
    fn the_sweep_drops_what_nobody_asks_for() {
        let (mut store, now) = store();
        put(&mut store, "a", Expiry::At(now + SECOND), now);
        put(&mut store, "b", Expiry::At(now + 2 * SECOND), now);
        put(&mut store, "c", Expiry::None, now);
        assert_eq!((store.len(), store.len_expiring()), (3, 2));
        store.sweep(now + SECOND);
        assert_eq!((store.len(), store.len_expiring()), (2, 1));
        assert!(store.remove(b"b", now) && store.remove(b"c", now));
        assert_eq!(store.used(), 0);
    }

    #[test]
    fn an_expiry_in_the_past_drops_the_key() {
        let (mut store, now) = store();
        assert!(!store.expire(b"a", now, now));
        put(&mut store, "a", Expiry::None, now);
        assert!(store.expire(b"a", now, now));
        assert_eq!(store.len(), 0);
    }

    #[test]
    fn lists_are_pushed_and_popped_at_both_ends_and_vanish_when_empty() {
        let (mut store, now) = store();
        assert_eq!(store.push(b"l", &words(&["b", "c"]), End::Right, now), Ok(2));
        assert_eq!(store.push(b"l", &words(&["a", "z"]), End::Left, now), Ok(4));
        assert_eq!(store.range(b"l", 0, -1, now), Ok(words(&["z", "a", "b", "c"])));
        assert_eq!(store.range(b"l", -3, 1, now), Ok(words(&["a"])));
        assert_eq!(store.range(b"l", -100, 100, now), Ok(words(&["z", "a", "b", "c"])));
        assert_eq!(store.range(b"l", 2, 1, now), Ok(vec![]));
        assert_eq!(store.range(b"l", 0, -5, now), Ok(vec![]));
        assert_eq!(store.index(b"l", -1, now), Ok(Some(Bytes::from("c"))));
        assert_eq!(store.index(b"l", i64::MIN, now), Ok(None));
        assert_eq!(store.pop(b"l", End::Right, 2, now), Ok(Some(words(&["c", "b"]))));
        assert_eq!(store.pop(b"l", End::Left, 9, now), Ok(Some(words(&["z", "a"]))));
        assert_eq!(store.pop(b"l", End::Left, 1, now), Ok(None));
        assert_eq!((store.len(), store.used()), (0, 0));
    }

    #[test]
    fn a_full_store_refuses_and_changes_nothing() {
        let now = Instant::now();
        let mut store = Store::new(1000);
        put(&mut store, "a", Expiry::None, now);
        let used = store.used();
        let big = Bytes::from(vec![b'x'; 1000]);
        let oom = StoreError::OutOfMemory;
        assert_eq!(store.set(b"a", &big, Condition::Always, Expiry::None, now), Err(oom));
        assert_eq!(store.push(b"l", std::slice::from_ref(&big), End::Left, now), Err(oom));
        assert_eq!(store.get(b"a", now), Ok(Some(Bytes::from("value"))));
        assert_eq!((store.len(), store.used()), (1, used));
        assert_eq!(store.set(b"b", &big[..400], Condition::Always, Expiry::None, now), Ok(true));
        assert_eq!(
            store.set(b"b", &big[..500], Condition::Always, Expiry::None, now),
            Ok(true),
            "in place of the other"
        );
    }

    #[test]
    fn a_drained_list_gives_its_space_back() {
        let (mut store, now) = store();
        let many = vec![Bytes::new(); 10_000];
        store.push(b"l", &many, End::Right, now).unwrap();
        store.pop(b"l", End::Left, 9_999, now).unwrap();
        let Some(Entry { value: Value::List(list), .. }) = store.entries.get(b"l".as_slice())
        else {
            panic!("no list");
        };
        assert!(list.capacity() < 100);
    }

    #[test]
    fn who_waits_longest_is_served_first_and_once() {
        let (mut store, now) = store();
        let (_, mut first) = store.wait(&words(&["a", "b", "a"]));
        let (_, mut second) = store.wait(&words(&["b"]));
        assert_eq!(store.push(b"b", &words(&["1", "2", "3"]), End::Right, now), Ok(3));
        assert_eq!(first.try_recv(), Ok((Bytes::from("b"), Bytes::from("1"))));
        assert_eq!(second.try_recv(), Ok((Bytes::from("b"), Bytes::from("2"))));
        assert_eq!(store.range(b"b", 0, -1, now), Ok(words(&["3"])));
        assert_eq!(store.push(b"a", &words(&["kept"]), End::Right, now), Ok(1));
        assert_eq!(store.index(b"a", 0, now), Ok(Some(Bytes::from("kept"))));
        assert_eq!(store.waiting(), 0);
    }

    #[test]
    fn who_has_left_is_passed_over() {
        let (mut store, now) = store();
        let (left, _) = store.wait(&words(&["l"]));
        let (_, receiver) = store.wait(&words(&["l"]));
        let (_, mut third) = store.wait(&words(&["l"]));
        store.stop_waiting(left);
        drop(receiver);
        store.push(b"l", &words(&["x"]), End::Right, now).unwrap();
        assert_eq!(third.try_recv(), Ok((Bytes::from("l"), Bytes::from("x"))));
        assert_eq!((store.waiting(), store.used()), (0, 0));
    }

    #[test]
    fn an_element_given_back_is_first_again() {
        let (mut store, now) = store();
        store.push(b"l", &words(&["y"]), End::Right, now).unwrap();
        store.give_back((Bytes::from("l"), Bytes::from("x")), now);
        assert_eq!(store.range(b"l", 0, -1, now), Ok(words(&["x", "y"])));
        store.give_back((Bytes::from("m"), Bytes::from("x")), now);
        assert_eq!(store.range(b"m", 0, -1, now), Ok(words(&["x"])));
        put(&mut store, "s", Expiry::None, now);
        store.give_back((Bytes::from("s"), Bytes::from("x")), now);
        assert_eq!(store.kind(b"s", now), Some(Kind::String));
        store.pop(b"l", End::Left, 2, now).unwrap();
        store.pop(b"m", End::Left, 2, now).unwrap();
        store.remove(b"s", now);
        assert_eq!(store.used(), 0);
    }

    proptest! {
        /// Whatever is done, the account matches what is there and stays under the cap.
        #[test]
        fn the_account_is_exact(steps in prop::collection::vec((0u8..7, 0u8..4, 0usize..300, 0u64..5), 0..60)) {
            let start = Instant::now();
            let mut store = Store::new(2000);
            for (at, (action, key, size, seconds)) in steps.into_iter().enumerate() {
                let now = start + SECOND * u32::try_from(at).unwrap();
                let key = [key];
                let value = Bytes::from(vec![0; size]);
                match action {
                    0 => drop(store.set(&key, &value, Condition::Always, Expiry::At(now + SECOND * seconds as u32), now)),
                    1 => drop(store.set(&key, &value, Condition::Absent, Expiry::Keep, now)),
                    2 => drop(store.push(&key, &[value, Bytes::new()], End::Left, now)),
                    3 => drop(store.pop(&key, End::Right, size % 3, now)),
                    4 => drop(store.wait(&[Bytes::copy_from_slice(&key)])),
                    5 => drop(store.expire(&key, now + SECOND, now)),
                    _ => store.sweep(now),
                }
                let there: usize = store.entries.iter().map(|(key, entry)| cost(key, &entry.value)).sum();
                prop_assert_eq!(store.used(), there);
                prop_assert!(store.used() <= 2000);
            }
        }
    }
}
