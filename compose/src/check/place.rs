//! Where nodes under test meet, seen from the runner: what stands at a key, and a Redis that comes late.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::Error;

/// How often a key is looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// A Redis, and this machine's address as nodes see it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// What nodes are given as REDIS_ADDR.
    pub(super) redis: SocketAddr,
    /// Where peers on this machine are reached by nodes.
    pub(super) host: IpAddr,
    connection: MultiplexedConnection,
}

/// What stands at a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: String,
    /// Of a string; of a list the last element, which is what was pushed.
    pub(super) value: Option<String>,
    /// Seconds that it lives; -1: forever.
    pub(super) life: i64,
}

impl Place {
    pub(super) async fn new(redis: SocketAddr, host: IpAddr) -> Result<Self, Error> {
        let client = redis::Client::open(format!("redis://{redis}"))?;
        let connection = client.get_multiplexed_async_connection().await?;
        Ok(Self { redis, host, connection })
    }

    /// Puts an address at `key`, as a listener does.
    pub(super) async fn set(&self, key: &str, address: &str) -> Result<(), Error> {
        self.ask(&["SET", key, address, "EX", "3600"]).await
    }

    /// Puts an address at `key`, as older images do.
    pub(super) async fn push(&self, key: &str, address: &str) -> Result<(), Error> {
        self.ask::<i64>(&["RPUSH", key, address]).await.map(drop)
    }

    pub(super) async fn entry(&self, key: &str) -> Result<Entry, Error> {
        loop {
            let kind: String = self.ask(&["TYPE", key]).await?;
            let value = match kind.as_str() {
                "string" => self.ask(&["GET", key]).await,
                "list" => self.ask(&["LINDEX", key, "-1"]).await,
                _ => Ok(None),
            };
            match value {
                // The node published between the two questions, over what was of another type.
                Err(Error::Redis(error)) if error.code() == Some("WRONGTYPE") => {}
                value => {
                    let (value, life) = (value?, self.ask(&["TTL", key]).await?);
                    return Ok(Entry { kind, value, life });
                }
            }
        }
    }

    /// What stands at `key` once it is another value than `stale`, or when `limit` is over.
    pub(super) async fn published(
        &self,
        key: &str,
        stale: Option<&str>,
        limit: Duration,
    ) -> Result<Entry, Error> {
        let deadline = Instant::now() + limit;
        loop {
            let entry = self.entry(key).await?;
            let changed = entry.value.is_some() && entry.value.as_deref() != stale;
            if changed || Instant::now() > deadline {
                return Ok(entry);
            }
            sleep(GLANCE).await;
        }
    }

    async fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> Result<T, Error> {
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(*word);
        }
        Ok(command.query_async(&mut self.connection.clone()).await?)
    }
}

/// The key at which a listener publishes.
pub(super) fn key(test_key: &str) -> String {
    harness_sdk::coordination::key(Some(test_key))
}

/// A way to the Redis that is not open yet: its port refuses connections until it is.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) addr: SocketAddr,
    redis: SocketAddr,
}

/// Open for as long as it is kept.
#[derive(Debug)]
pub(super) struct OpenDoor {
    pub(super) addr: SocketAddr,
    task: tokio::task::JoinHandle<()>,
    guest: Arc<Notify>,
}

impl OpenDoor {
    /// Ready once somebody has come through.
    pub(super) async fn first_guest(&self) {
        self.guest.notified().await;
    }
}

impl Door {
    /// A door at a port that is free now.
    pub(super) async fn closed(place: &Place) -> Result<Self, Error> {
        let addr = TcpListener::bind((place.host, 0)).await?.local_addr()?;
        Ok(Self { addr, redis: place.redis })
    }

    pub(super) async fn open(self) -> Result<OpenDoor, Error> {
        let listener = TcpListener::bind(self.addr).await?;
        let redis = self.redis;
        let guest = Arc::new(Notify::new());
        let first = Arc::clone(&guest);
        let task = tokio::spawn(async move {
            let mut guests = tokio::task::JoinSet::new();
            while let Ok((guest, _)) = listener.accept().await {
                first.notify_one();
                guests.spawn(lead(guest, redis));
            }
        });
        Ok(OpenDoor { addr: self.addr, task, guest })
    }
}

impl Drop for OpenDoor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Passes bytes both ways until one side ends.
async fn lead(mut guest: TcpStream, redis: SocketAddr) {
    if let Ok(mut host) = TcpStream::connect(redis).await {
        // However it ends, it is the guest who finds out.
        let _: std::io::Result<_> = tokio::io::copy_bidirectional(&mut guest, &mut host).await;
    }
}
