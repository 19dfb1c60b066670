//! Clients that people use: redis-rs, over both versions of the protocol, and redis-cli.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::process::Stdio;

use perf_coordinator::{Coordinator, Limits};
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig, ErrorKind, RedisResult, ServerErrorKind};
use tokio::process::Command;

mod support;
use support::{soon, until_info};

async fn connect(addr: SocketAddr, query: &str) -> MultiplexedConnection {
    let client = redis::Client::open(format!("redis://{addr}/{query}")).unwrap();
    // By default a reply is waited for half a second, which a blocked client exceeds.
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(support::STEP));
    soon("connect", client.get_multiplexed_async_connection_with_config(&config)).await.unwrap()
}

async fn exercise_redis_rs(query: &str) {
    let coordinator = Coordinator::start(Limits::default()).await.unwrap();
    let addr = coordinator.addr();
    let mut client = connect(addr, query).await;

    let set: String = client.set_ex("a", "/ip4/127.0.0.1/tcp/4001", 3600).await.unwrap();
    assert_eq!(set, "OK");
    assert_eq!(client.get::<_, String>("a").await.unwrap(), "/ip4/127.0.0.1/tcp/4001");
    assert_eq!(client.get::<_, Option<String>>("none").await.unwrap(), None);
    assert_eq!(client.ttl::<_, i64>("a").await.unwrap(), 3600);
    assert!(!client.set_nx::<_, _, bool>("a", "other").await.unwrap());
    assert_eq!(client.rpush::<_, _, i64>("l", &["x", "y", "z"]).await.unwrap(), 3);
    assert_eq!(client.lindex::<_, String>("l", 0).await.unwrap(), "x");
    assert_eq!(client.lrange::<_, Vec<String>>("l", 0, -1).await.unwrap(), ["x", "y", "z"]);
    assert_eq!(
        client.blpop::<_, (String, String)>("l", 1.0).await.unwrap(),
        ("l".into(), "x".into())
    );
    assert_eq!(client.blpop::<_, Option<(String, String)>>("none", 0.05).await.unwrap(), None);

    let wrong_type: RedisResult<String> = client.get("l").await;
    assert_eq!(wrong_type.unwrap_err().code(), Some("WRONGTYPE"));
    let unknown: RedisResult<String> = redis::cmd("NOSUCH").arg("a").query_async(&mut client).await;
    assert_eq!(unknown.unwrap_err().kind(), ErrorKind::Server(ServerErrorKind::ResponseError));
    assert_eq!(redis::cmd("PING").query_async::<String>(&mut client).await.unwrap(), "PONG");

    let mut pipeline = redis::pipe();
    pipeline.set("p", 1).ignore().get("p").del("p");
    assert_eq!(pipeline.query_async::<(i64, i64)>(&mut client).await.unwrap(), (1, 1));

    let mut blocked = connect(addr, query).await;
    let popped =
        tokio::spawn(async move { blocked.blpop::<_, (String, String)>("late", 0.0).await });
    until_info(addr, "blocked_clients", 1).await;
    assert_eq!(client.rpush::<_, _, i64>("late", "x").await.unwrap(), 1);
    assert_eq!(soon("BLPOP", popped).await.unwrap().unwrap(), ("late".into(), "x".into()));

    soon("shutdown", coordinator.shutdown()).await;
    assert!(soon("GET", client.get::<_, String>("a")).await.unwrap_err().is_io_error());
}

#[tokio::test]
async fn redis_rs_over_resp2() {
    exercise_redis_rs("").await;
}

#[tokio::test]
async fn redis_rs_over_resp3() {
    exercise_redis_rs("?protocol=resp3").await;
}

/// Runs redis-cli with `words`, its input being `input`, and returns what it prints.
async fn redis_cli(addr: SocketAddr, words: &[&str]) -> String {
    let output = Command::new("redis-cli")
        .args(["-h", &addr.ip().to_string(), "-p", &addr.port().to_string()])
        .args(words)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = soon("redis-cli", output).await.unwrap_or_else(|error| {
        panic!("cannot run redis-cli ({error}): install Redis 7.0, for instance the package redis-tools")
    });
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[tokio::test]
async fn redis_cli_as_people_use_it() {
    let coordinator = Coordinator::start(Limits::default()).await.unwrap();
    let addr = coordinator.addr();
    for (words, printed) in [
        (&["SET", "a", "b", "EX", "10"] as &[&str], "OK"),
        (&["TTL", "a"], "10"),
        (&["GET", "a"], "b"),
        (&["-3", "GET", "a"], "b"),
        (&["TYPE", "a"], "string"),
        (&["RPUSH", "l", "x", "y"], "2"),
        (&["BLPOP", "l", "1"], "l\nx"),
        (&["-3", "BLPOP", "l", "1"], "l\ny"),
        (&["BLPOP", "l", "0.05"], ""),
        (&["DEL", "a"], "1"),
        (&["NOSUCH", "a"], "ERR unknown command 'NOSUCH', with args beginning with: 'a'"),
        (&["-a", "secret", "--user", "default", "--no-auth-warning", "PING"], "PONG"),
        (&["-n", "0", "PING"], "PONG"),
    ] {
        assert_eq!(redis_cli(addr, words).await, printed, "{words:?}");
    }
    let info = redis_cli(addr, &["INFO", "server"]).await;
    assert!(info.starts_with("# Server\r\nredis_version:7.0."), "{info}");
    soon("shutdown", coordinator.shutdown()).await;
}
