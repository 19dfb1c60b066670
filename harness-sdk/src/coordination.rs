//! How listener and dialer meet: one key in Redis (contract, "Coordination").

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::config::Config;
use crate::failure::{Class, Failure, Phase};
use crate::route::published_ip;

/// How long both sides try: Redis may not be up yet, the listener may not have published.
pub const WINDOW: Duration = Duration::from_secs(15);

/// How long a published address lives.
pub const KEY_LIFE: Duration = Duration::from_secs(3600);

/// Between two tries, at most.
const SLOWEST_POLL: Duration = Duration::from_millis(500);

/// Between the first two tries; doubled from then on.
const FASTEST_POLL: Duration = Duration::from_millis(5);

/// For one exchange with Redis, connecting included.
const REDIS_PATIENCE: Duration = Duration::from_secs(2);

/// Past the window's end, for the answer to a try that was begun within it.
const GRACE: Duration = Duration::from_millis(500);

/// The key under which a listener publishes its address.
pub fn key(test_key: Option<&str>) -> String {
    match test_key {
        Some(test_key) => format!("{test_key}_listener_multiaddr"),
        None => "listener_multiaddr".to_owned(),
    }
}

/// What stands at a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Nothing.
    Absent,
    /// One address: a string, or the first element of a list (older images push).
    Address(String),
    /// A value of this other type.
    WrongType(String),
}

/// Where addresses are published: Redis, or in unit tests a stand-in.
pub(crate) trait Store: Send {
    /// What stands at `key`; the error says why the store could not be asked.
    fn get(&mut self, key: &str) -> impl Future<Output = Result<Entry, String>> + Send;

    /// Replaces whatever stands at `key`, for [`KEY_LIFE`], in one step.
    fn set(&mut self, key: &str, value: &str) -> impl Future<Output = Result<(), String>> + Send;

    /// The addresses the store's name has now.
    fn addresses(&mut self) -> impl Future<Output = Result<Vec<SocketAddr>, String>> + Send;
}

/// One side's attempt to meet the other, bounded by [`WINDOW`] from its making.
#[derive(Debug)]
pub(crate) struct Meeting<S> {
    store: S,
    key: String,
    place: String,
    deadline: Instant,
}

impl Meeting<RedisStore> {
    /// A meeting at the configuration's Redis.
    pub(crate) fn new(config: &Config) -> Result<Self, Failure> {
        let store = RedisStore::new(&config.redis_url)?;
        let place = store.shown.clone();
        Ok(Self::at(store, key(config.test_key.as_deref()), place))
    }
}

impl<S: Store> Meeting<S> {
    fn at(store: S, key: String, place: String) -> Self {
        Self { store, key, place, deadline: Instant::now() + WINDOW }
    }

    /// Publishes `address`, made for the address of this machine that a dialer can reach where
    /// the listener is bound to `bound`. Returns what was published.
    pub(crate) async fn publish(
        &mut self,
        bound: IpAddr,
        address: impl Fn(IpAddr) -> Option<String>,
    ) -> Result<String, Failure> {
        let mut polls = Polls::until(self.deadline);
        loop {
            let deadline = self.deadline;
            let error = match in_time(deadline, self.try_publish(bound, &address)).await {
                Ok(published) => return Ok(published),
                Err(error) => error,
            };
            tracing::debug!("publishing at {}: {error}", self.place);
            if !polls.pause().await {
                return Err(self.unreachable(&error));
            }
        }
    }

    async fn try_publish(
        &mut self,
        bound: IpAddr,
        address: impl Fn(IpAddr) -> Option<String>,
    ) -> Result<String, String> {
        let redis = match bound.is_unspecified() {
            true => self.store.addresses().await?,
            false => Vec::new(),
        };
        let published = published_ip(bound, &redis).and_then(address).ok_or_else(|| {
            format!("no local address of {bound}'s family reaches {}", self.place)
        })?;
        self.store.set(&self.key, &published).await?;
        Ok(published)
    }

    /// Waits for an address; that there is none when the window ends is a failure.
    pub(crate) async fn first(&mut self) -> Result<String, Failure> {
        self.poll(None).await?.map_err(|nothing| match nothing {
            Some(error) => self.unreachable(&error),
            None => environment(format!(
                "no listener published an address at key {} of {} within {} s",
                self.key,
                self.place,
                WINDOW.as_secs()
            )),
        })
    }

    /// Waits for an address other than `stale`; `None` where the window ends first.
    pub(crate) async fn changed(&mut self, stale: &str) -> Result<Option<String>, Failure> {
        Ok(self.poll(Some(stale)).await?.ok())
    }

    /// Asks until there is an address other than `stale` or the window ends; then the inner error
    /// is why the last try found nothing: the store's error, or `None` where it only had nothing.
    async fn poll(
        &mut self,
        stale: Option<&str>,
    ) -> Result<Result<String, Option<String>>, Failure> {
        let mut polls = Polls::until(self.deadline);
        loop {
            let nothing = match in_time(self.deadline, self.store.get(&self.key)).await {
                Ok(Entry::Address(address)) if Some(address.as_str()) != stale => {
                    return Ok(Ok(address));
                }
                Ok(Entry::WrongType(kind)) => {
                    let message = format!(
                        "key {} at {} is a {kind}, not a string: something else uses this Redis; \
                         delete the key or set another TEST_KEY",
                        self.key, self.place
                    );
                    return Err(environment(message));
                }
                Ok(_) => None,
                Err(error) => {
                    tracing::debug!("asking {}: {error}", self.place);
                    Some(error)
                }
            };
            if !polls.pause().await {
                return Ok(Err(nothing));
            }
        }
    }

    fn unreachable(&self, error: &str) -> Failure {
        environment(format!(
            "Redis at {} unreachable for {} s: {error}; is it running, and is REDIS_ADDR right?",
            self.place,
            WINDOW.as_secs()
        ))
    }
}

/// One try, given up soon after `deadline`: the store may be silent.
async fn in_time<T>(
    deadline: Instant,
    attempt: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let answer = timeout_at(deadline + GRACE, attempt).await;
    answer.unwrap_or_else(|_| Err("no answer".to_owned()))
}

fn environment(message: String) -> Failure {
    Failure::new(Class::Environment, Phase::Coordination, message)
}

/// Pauses that double from [`FASTEST_POLL`] to [`SLOWEST_POLL`], until a deadline.
struct Polls {
    next: Duration,
    deadline: Instant,
}

impl Polls {
    fn until(deadline: Instant) -> Self {
        Self { next: FASTEST_POLL, deadline }
    }

    /// Waits before the next try; `false` where the deadline leaves no more.
    async fn pause(&mut self) -> bool {
        let left = self.deadline.saturating_duration_since(Instant::now());
        sleep(self.next.min(left)).await;
        self.next = (self.next * 2).min(SLOWEST_POLL);
        !left.is_zero()
    }
}

/// Redis over one connection, made anew after an error.
#[derive(Debug)]
pub(crate) struct RedisStore {
    client: redis::Client,
    connection: Option<MultiplexedConnection>,
    /// `host:port`, without a URL's credentials.
    shown: String,
}

impl RedisStore {
    fn new(url: &str) -> Result<Self, Failure> {
        let client = redis::Client::open(url).map_err(|error| {
            Failure::new(Class::Usage, Phase::Configuration, format!("REDIS_ADDR: {error}"))
        })?;
        let shown = client.get_connection_info().addr().to_string();
        Ok(Self { client, connection: None, shown })
    }

    /// Runs one exchange on the open connection or a new one; an error closes it.
    async fn exchange<T>(
        &mut self,
        run: impl AsyncFnOnce(&mut MultiplexedConnection) -> redis::RedisResult<T>,
    ) -> Result<T, String> {
        let attempt = async {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => {
                    let config = AsyncConnectionConfig::new()
                        .set_connection_timeout(Some(REDIS_PATIENCE))
                        .set_response_timeout(Some(REDIS_PATIENCE));
                    self.client.get_multiplexed_async_connection_with_config(&config).await?
                }
            };
            let value = run(&mut connection).await?;
            Ok((connection, value))
        };
        let outcome = timeout(REDIS_PATIENCE, attempt).await;
        let (connection, value) = outcome
            .map_err(|_| format!("no answer within {} s", REDIS_PATIENCE.as_secs()))?
            .map_err(|error: redis::RedisError| error.to_string())?;
        self.connection = Some(connection);
        Ok(value)
    }
}

impl Store for RedisStore {
    async fn get(&mut self, key: &str) -> Result<Entry, String> {
        self.exchange(async |connection| {
            let address: Option<String> = match connection.get(key).await {
                Err(error) if error.code() == Some("WRONGTYPE") => {
                    let kind: String = redis::cmd("TYPE").arg(key).query_async(connection).await?;
                    match kind.as_str() {
                        "list" => connection.lindex(key, 0).await?,
                        // It was replaced between the two commands: the next try will see.
                        "string" | "none" => None,
                        _ => return Ok(Entry::WrongType(kind)),
                    }
                }
                answer => answer?,
            };
            Ok(address.map_or(Entry::Absent, Entry::Address))
        })
        .await
    }

    async fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        self.exchange(async |connection| {
            let life = KEY_LIFE.as_secs();
            redis::cmd("SET").arg(key).arg(value).arg("EX").arg(life).query_async(connection).await
        })
        .await
    }

    async fn addresses(&mut self) -> Result<Vec<SocketAddr>, String> {
        let addresses = tokio::net::lookup_host(&self.shown).await;
        addresses.map(Iterator::collect).map_err(|error| format!("{}: {error}", self.shown))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Answers from a script; the last answer is repeated.
    #[derive(Default)]
    struct Script {
        answers: VecDeque<Result<Entry, String>>,
        published: Vec<String>,
        down_for: usize,
    }

    impl Store for Script {
        async fn get(&mut self, _: &str) -> Result<Entry, String> {
            let answer = self.answers.front().cloned().unwrap();
            if self.answers.len() > 1 {
                self.answers.pop_front();
            }
            answer
        }
        async fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
            if self.down_for > 0 {
                self.down_for -= 1;
                return Err("refused".into());
            }
            self.published.push(format!("{key}={value}"));
            Ok(())
        }
        async fn addresses(&mut self) -> Result<Vec<SocketAddr>, String> {
            Ok(vec![([127, 0, 0, 1], 6379).into()])
        }
    }

    fn meeting(answers: impl IntoIterator<Item = Result<Entry, String>>) -> Meeting<Script> {
        let script = Script { answers: answers.into_iter().collect(), ..Script::default() };
        Meeting::at(script, key(Some("abc")), "redis:6379".into())
    }

    fn address(text: &str) -> Result<Entry, String> {
        Ok(Entry::Address(text.into()))
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_is_there_is_taken_at_once() {
        let start = Instant::now();
        let found = meeting([address("/a")]).first().await.unwrap();
        assert_eq!((found.as_str(), start.elapsed()), ("/a", Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn redis_and_the_key_may_come_late() {
        let late = [Err("refused".into()), Err("refused".into()), Ok(Entry::Absent), address("/a")];
        assert_eq!(meeting(late).first().await.unwrap(), "/a");
    }

    #[tokio::test(start_paused = true)]
    async fn the_window_ends_after_fifteen_seconds() {
        for (answer, told) in
            [(Ok(Entry::Absent), "no listener published"), (Err("refused".into()), "unreachable")]
        {
            let start = Instant::now();
            let failure = meeting([answer]).first().await.unwrap_err();
            assert_eq!(failure.class, Class::Environment);
            assert!(failure.message.contains(told), "{failure}");
            let elapsed = start.elapsed();
            assert!(elapsed >= WINDOW && elapsed < WINDOW + SLOWEST_POLL, "{elapsed:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stale_address_is_waited_out() {
        let mut changed = meeting([address("/dead"), address("/dead"), address("/live")]);
        assert_eq!(changed.changed("/dead").await.unwrap().as_deref(), Some("/live"));
        assert_eq!(meeting([address("/dead")]).changed("/dead").await.unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn another_type_ends_it_at_once() {
        let start = Instant::now();
        let hash = Ok(Entry::WrongType("hash".into()));
        let failure = meeting([hash]).first().await.unwrap_err();
        assert!(failure.message.contains("abc_listener_multiaddr"), "{failure}");
        assert!(failure.message.contains("is a hash"), "{failure}");
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn publishing_outlasts_an_absent_redis() {
        let mut meeting = meeting([]);
        meeting.store.down_for = 8;
        let bound = "0.0.0.0".parse().unwrap();
        let published = meeting.publish(bound, |ip| Some(format!("/ip4/{ip}"))).await.unwrap();
        assert_eq!(published, "/ip4/127.0.0.1");
        assert_eq!(meeting.store.published, ["abc_listener_multiaddr=/ip4/127.0.0.1"]);
    }

    #[test]
    fn keys_are_namespaced_where_a_test_key_is_given() {
        assert_eq!(key(Some("0f3a9c1d")), "0f3a9c1d_listener_multiaddr");
        assert_eq!(key(None), "listener_multiaddr");
    }
}
