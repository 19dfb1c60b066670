//! Who is connected: what `CLIENT LIST` and `INFO` show.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::command::{LibraryField, ListFilter};
use crate::reply::Protocol;

/// All connected clients.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clients(Arc<Mutex<Registry>>);

#[derive(Debug, Default)]
struct Registry {
    last_id: u64,
    connected: BTreeMap<u64, Client>,
}

/// What is known of one client.
#[derive(Debug)]
pub(crate) struct Client {
    id: u64,
    peer: SocketAddr,
    local: SocketAddr,
    since: Instant,
    pub(crate) name: String,
    pub(crate) library: [(LibraryField, String); 2],
    pub(crate) protocol: Protocol,
}

impl fmt::Display for Client {
    /// A line of `CLIENT LIST`, without its end. Ages are in seconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (age, resp) = (self.since.elapsed().as_secs(), self.protocol.number());
        write!(
            f,
            "id={} addr={} laddr={} name={} age={age}",
            self.id, self.peer, self.local, self.name
        )?;
        write!(f, " flags=N db=0 user=default resp={resp}")?;
        self.library.iter().try_for_each(|(field, value)| write!(f, " {}={value}", field.as_str()))
    }
}

impl Clients {
    /// Enters a client, until the returned value is dropped.
    pub(crate) fn register(&self, peer: SocketAddr, local: SocketAddr) -> Registered {
        let mut registry = self.lock();
        registry.last_id += 1;
        let id = registry.last_id;
        let library =
            [LibraryField::Name, LibraryField::Version].map(|field| (field, String::new()));
        let (name, protocol) = (String::new(), Protocol::default());
        registry
            .connected
            .insert(id, Client { id, peer, local, since: Instant::now(), name, library, protocol });
        Registered { id, clients: self.clone() }
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().connected.len()
    }

    /// One line for each client that `filter` lets through.
    pub(crate) fn list(&self, filter: &ListFilter) -> String {
        let shown = |id: &u64| match filter {
            ListFilter::All => true,
            ListFilter::None => false,
            ListFilter::Ids(ids) => ids.contains(id),
        };
        let registry = self.lock();
        registry
            .connected
            .iter()
            .filter(|(id, _)| shown(id))
            .map(|(_, client)| format!("{client}\n"))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One client's entry.
#[derive(Debug)]
pub(crate) struct Registered {
    id: u64,
    clients: Clients,
}

impl Registered {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Reads or changes the entry.
    pub(crate) fn with<T: Default>(&self, change: impl FnOnce(&mut Client) -> T) -> T {
        self.clients.lock().connected.get_mut(&self.id).map(change).unwrap_or_default()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.clients.lock().connected.remove(&self.id);
    }
}
