//! Where dialer and listener meet: the embedded coordinator, or a real redis-server.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use perf_coordinator::{Coordinator, Limits};
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;
use tokio::net::TcpSocket;

use super::LIMIT;

/// Which of the two.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Backend {
    Embedded,
    Redis,
}

impl Backend {
    /// One that runs.
    pub(crate) async fn start(self) -> Store {
        self.start_at(Reserved::port()).await
    }

    /// One that runs on a port of which somebody was told before.
    pub(crate) async fn start_at(self, reserved: Reserved) -> Store {
        let running = match self {
            Self::Embedded => Running::Embedded(
                Coordinator::bind(reserved.addr, Limits::default()).await.unwrap(),
            ),
            Self::Redis => Running::Redis(RedisServer::start(reserved.addr)),
        };
        let store = Store { addr: reserved.addr, running, _reserved: reserved };
        store.until_it_answers().await;
        store
    }
}

/// Runs each of these functions, which take a [`Backend`], on both: `name::embedded`,
/// `name::redis`.
macro_rules! on_both_backends {
    ($($name:ident),+ $(,)?) => { $(
        mod $name {
            use crate::support::Backend;

            #[tokio::test]
            async fn embedded() {
                super::$name(Backend::Embedded).await;
            }

            #[tokio::test]
            async fn redis() {
                super::$name(Backend::Redis).await;
            }
        }
    )+ };
}
pub(crate) use on_both_backends;

/// A port of 127.0.0.1 at which nobody listens, and that nobody else is given: its socket is bound.
pub(crate) struct Reserved {
    pub(crate) addr: SocketAddr,
    _socket: TcpSocket,
}

impl Reserved {
    pub(crate) fn port() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Who starts at this port sets it as well, and so may have it while this socket lives.
        socket.set_reuseaddr(true).unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        Self { addr: socket.local_addr().unwrap(), _socket: socket }
    }
}

/// A backend that runs until it is dropped.
pub(crate) struct Store {
    addr: SocketAddr,
    running: Running,
    _reserved: Reserved,
}

enum Running {
    Embedded(Coordinator),
    Redis(RedisServer),
}

impl Store {
    /// For REDIS_ADDR.
    pub(crate) fn addr(&self) -> String {
        self.addr.to_string()
    }

    /// The test's own connection.
    pub(crate) async fn connect(&self) -> MultiplexedConnection {
        self.try_connect().await.unwrap()
    }

    /// The string at `key`, waited for.
    pub(crate) async fn published(&self, key: &str) -> String {
        let mut connection = self.connect().await;
        let deadline = Instant::now() + LIMIT;
        while Instant::now() < deadline {
            let value: Option<String> =
                redis::cmd("GET").arg(key).query_async(&mut connection).await.unwrap();
            if let Some(value) = value {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("nothing was published at {key}");
    }

    /// Puts `value` at `key`, as a listener does.
    pub(crate) async fn publish(&self, key: &str, value: &str) {
        self.run(&["SET", key, value, "EX", "3600"]).await;
    }

    /// Runs one command and gives its answer.
    pub(crate) async fn run(&self, words: &[&str]) -> redis::Value {
        let mut connection = self.connect().await;
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(*word);
        }
        command.query_async(&mut connection).await.unwrap()
    }

    async fn try_connect(&self) -> redis::RedisResult<MultiplexedConnection> {
        let client = redis::Client::open(format!("redis://{}", self.addr))?;
        client.get_multiplexed_async_connection().await
    }

    async fn until_it_answers(&self) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let answer = async {
                let mut connection = self.try_connect().await?;
                redis::cmd("PING").query_async::<String>(&mut connection).await
            };
            match answer.await {
                Ok(answer) if answer == "PONG" => return,
                other => {
                    assert!(Instant::now() < deadline, "{} never answered: {other:?}", self.addr)
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A real one, which keeps nothing.
struct RedisServer {
    child: Child,
    _folder: TempDir,
}

impl RedisServer {
    fn start(addr: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new("redis-server")
            .args(["--bind", &addr.ip().to_string(), "--port", &addr.port().to_string()])
            .args(["--save", "", "--appendonly", "no"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot start redis-server ({error}): install redis-server (make test does)")
            });
        Self { child, _folder: folder }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
