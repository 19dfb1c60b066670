//! Redis that comes late or never, keys that hold something else, listeners that are gone.

use std::time::Duration;

use futures::future::join_all;
use harness_sdk::{Class, Phase, Stack};
use nix::sys::signal::Signal;
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::support::{
    Backend, Ended, Listening, NONE, Reserved, all_stacks, dialer, each_stack, keys, listener,
    on_both_backends, stack,
};

on_both_backends!(
    redis_that_comes_after_five_seconds_is_met,
    a_stale_key_is_waited_out_until_a_live_listener_publishes,
    what_cannot_be_dialed_is_given_up_when_the_window_ends,
);

/// Both sides try for 15 s. The status is there within 16.
#[track_caller]
fn assert_patient(ended: &Ended) {
    let lived = ended.lived.as_secs_f64();
    assert!((14.5..16.0).contains(&lived), "{}", ended.everything());
}

async fn redis_that_comes_after_five_seconds_is_met(backend: Backend) {
    let reserved = Reserved::port();
    let (stack, redis) = (stack("tcp noise yamux"), reserved.addr.to_string());
    let listening = listener(&stack, &redis).spawn();
    let dialing = dialer(&stack, &redis).measuring([1, 1, 1], 1000).spawn();
    sleep(Duration::from_secs(5)).await;
    let _store = backend.start_at(reserved).await;
    dialing.ended().await.measured([1, 1, 1]);
    listening.stop(Signal::SIGTERM).await;
}

#[tokio::test]
async fn redis_that_never_comes_or_never_answers_is_the_environments_fault() {
    let absent = Reserved::port();
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stack = stack("quic-v1");
    join_all([absent.addr, mute.local_addr().unwrap()].map(async |addr| {
        let redis = addr.to_string();
        let [listening, dialing] = [listener, dialer].map(|role| role(&stack, &redis).spawn());
        let (listening, dialing) = (listening.ended().await, dialing.ended().await);
        assert_patient(&listening);
        assert_patient(&dialing);
        let failure = dialing.failed(Class::Environment, NONE);
        assert_eq!(failure.phase, Phase::Coordination);
        for message in [listening.failed_silently(Class::Environment), failure.message] {
            assert!(message.contains(&redis) && message.contains("REDIS_ADDR"), "{message}");
        }
    }))
    .await;
}

/// The embedded coordinator holds strings and lists alone.
#[tokio::test]
async fn a_key_of_a_wrong_type_is_named_at_once() {
    let store = Backend::Redis.start().await;
    let stack = stack("tcp noise yamux");
    let values: [&[&str]; 3] =
        [&["HSET", "field", "value"], &["SADD", "member"], &["ZADD", "1", "member"]];
    for (kind, value) in ["hash", "set", "zset"].into_iter().zip(values) {
        let key = format!("{kind}_listener_multiaddr");
        store.run(&[&[value[0], &key], &value[1..]].concat()).await;
        let ended = dialer(&stack, &store.addr()).var("TEST_KEY", kind).run().await;
        let failure = ended.failed(Class::Environment, NONE);
        assert_eq!(failure.phase, Phase::Coordination);
        assert!(failure.message.contains(&format!("key {key} ")), "{failure:?}");
        assert!(failure.message.contains(&format!("is a {kind}")), "{failure:?}");
        assert!(ended.lived < Duration::from_secs(5), "{}", ended.everything());

        // A listener replaces it.
        let mut listening = listener(&stack, &store.addr()).var("TEST_KEY", kind).spawn();
        listening.wait_for_stderr("listening on ").await;
        let dialer = dialer(&stack, &store.addr()).var("TEST_KEY", kind);
        dialer.measuring([1, 0, 0], 1000).run().await.measured([1, 0, 0]);
    }
}

/// The address of a listener that is no more.
async fn dead_listener(stack: &Stack) -> String {
    let Listening { process, address } = Listening::start(stack, &[]).await;
    process.kill().await;
    address
}

async fn a_stale_key_is_waited_out_until_a_live_listener_publishes(backend: Backend) {
    let store = backend.start().await;
    each_stack(async |stack| {
        let (test_key, key) = keys(&stack);
        store.publish(&key, &dead_listener(&stack).await).await;
        let dialer = dialer(&stack, &store.addr()).var("TEST_KEY", &test_key);
        let dialing = dialer.measuring([1, 1, 1], 1000).spawn();
        sleep(Duration::from_secs(2)).await;
        let listening = listener(&stack, &store.addr()).var("TEST_KEY", &test_key).spawn();
        dialing.ended().await.measured([1, 1, 1]);
        listening.stop(Signal::SIGTERM).await;
    })
    .await;
}

async fn what_cannot_be_dialed_is_given_up_when_the_window_ends(backend: Backend) {
    let store = backend.start().await;
    let give_up = async |stack: &Stack, test_key: &str, class: Class| {
        let dialer = dialer(stack, &store.addr()).var("TEST_KEY", test_key);
        let ended = dialer.measuring([1, 1, 1], 1000).run().await;
        assert_patient(&ended);
        ended.failed(class, NONE)
    };
    let dead = join_all(all_stacks().map(async |stack| {
        let (test_key, key) = keys(&stack);
        let address = dead_listener(&stack).await;
        store.publish(&key, &address).await;
        let failure = give_up(&stack, &test_key, Class::Connect).await;
        assert_eq!(failure.phase, Phase::Dial);
        assert!(failure.message.contains(&address), "{failure:?}");
    }));
    let stack = stack("tcp noise yamux");
    let nothing = async {
        let failure = give_up(&stack, "nobody", Class::Environment).await;
        assert_eq!(failure.phase, Phase::Coordination);
        assert!(failure.message.contains("key nobody_listener_multiaddr "), "{failure:?}");
    };
    let no_address = async {
        store.publish("odd_listener_multiaddr", "127.0.0.1:4001").await;
        let failure = give_up(&stack, "odd", Class::Connect).await;
        assert!(failure.message.contains("\"127.0.0.1:4001\""), "{failure:?}");
    };
    let other_stack = async {
        let quic = Listening::start(&crate::support::stack("quic-v1"), &[]).await;
        store.publish("other_listener_multiaddr", &quic.address).await;
        let failure = give_up(&stack, "other", Class::Connect).await;
        assert!(failure.message.contains("tcp, noise, yamux"), "{failure:?}");
    };
    futures::join!(dead, nothing, no_address, other_stack);
}
