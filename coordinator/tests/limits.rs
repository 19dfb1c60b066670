//! What happens when a client wants too much: it is told, nobody else notices, and memory stays bounded.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::time::Duration;

use perf_coordinator::{Coordinator, Error, Limits, serve};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::time::timeout;

mod support;
use support::{Raw, info, soon, until_info};

const SHORT: Duration = Duration::from_millis(300);

async fn start(limits: Limits) -> (Coordinator, SocketAddr) {
    let coordinator = Coordinator::start(limits).await.unwrap();
    let addr = coordinator.addr();
    (coordinator, addr)
}

#[tokio::test]
async fn one_connection_too_many_is_told_and_closed() {
    let (_coordinator, addr) = start(Limits::default()).await;
    let mut clients = Vec::new();
    for _ in 0..128 {
        let mut client = Raw::connect(addr).await;
        client.ask("PING", "+PONG\r\n").await;
        clients.push(client);
    }
    Raw::connect(addr).await.expect_end("-ERR max number of clients reached\r\n").await;
    clients.pop();
    soon("room for one again", async {
        loop {
            let mut client = Raw::connect(addr).await;
            client.send("PING\r\nQUIT\r\n").await;
            if client.rest().await.starts_with(b"+PONG") {
                break;
            }
        }
    })
    .await;
    for client in &mut clients {
        client.ask("PING", "+PONG\r\n").await;
    }
}

#[tokio::test]
async fn a_request_that_announces_too_much_is_refused_before_it_is_sent() {
    let (_coordinator, addr) = start(Limits::default()).await;
    let too_long = "-ERR Protocol error: invalid bulk length\r\n";
    let too_many = "-ERR Protocol error: invalid multibulk length\r\n";
    for (announced, answer) in [
        ("*2\r\n$4\r\nECHO\r\n$1048577\r\n", too_long),
        ("*2\r\n$4\r\nECHO\r\n$9223372036854775807\r\n", too_long),
        ("*1025\r\n", too_many),
        ("*1000000000\r\n", too_many),
    ] {
        let mut client = Raw::connect(addr).await;
        client.send(announced).await;
        client.expect_end(answer).await;
    }

    let half = "x".repeat(600_000);
    let mut client = Raw::connect(addr).await;
    client.send(format!("*3\r\n$3\r\nDEL\r\n$600000\r\n{half}\r\n$600000\r\n")).await;
    client.expect_end(too_long).await;

    let most = "x".repeat((1 << 20) - 4);
    let mut client = Raw::connect(addr).await;
    client.send(format!("*2\r\n$4\r\nECHO\r\n${0}\r\n{most}\r\n", most.len())).await;
    client.expect(&format!("${}\r\n{most}\r\n", most.len())).await;
}

#[tokio::test]
async fn a_full_store_answers_oom_and_goes_on() {
    let (_coordinator, addr) = start(Limits { max_memory: 10_000, ..Limits::default() }).await;
    let oom = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
    let big = "x".repeat(9_000);
    let mut client = Raw::connect(addr).await;
    client.ask(&format!("SET a {big}"), "+OK\r\n").await;
    for refused in ["SET b", "SETEX b 10", "SETNX b", "RPUSH b", "LPUSH b"] {
        client.ask(&format!("{refused} {big}"), oom).await;
    }
    client.ask("EXISTS a b", ":1\r\n").await;
    client.ask("DEL a", ":1\r\n").await;
    client.ask(&format!("SET b {big}"), "+OK\r\n").await;
    assert!(info(addr, "used_memory").await <= 10_000);
}

#[tokio::test]
async fn expired_keys_give_their_memory_back_without_being_asked_for() {
    let (_coordinator, addr) = start(Limits::default()).await;
    Raw::connect(addr).await.ask("SET a 1 PX 1", "+OK\r\n").await;
    until_info(addr, "used_memory", 0).await;
}

#[tokio::test]
async fn a_client_that_never_reads_is_not_read_from_and_then_closed() {
    let (_coordinator, addr) = start(Limits { stall: SHORT, ..Limits::default() }).await;
    let mut client = Raw::connect(addr).await;
    let echo = support::request(&["ECHO", &"x".repeat(64 * 1024)]);
    let mut taken = 0;
    // Far beyond what the two sockets' buffers hold; it ends because the server closes, not because it takes it all.
    let ended = soon("a client that never reads", async {
        while taken < 256 << 20 {
            if client.0.write_all(&echo).await.is_err() {
                return true;
            }
            taken += echo.len();
        }
        false
    });
    assert!(ended.await, "the server took {taken} bytes whose answers nobody read");
    assert!(taken < 64 << 20, "the server took {taken} bytes whose answers nobody read");
    Raw::connect(addr).await.ask("PING", "+PONG\r\n").await;
}

#[tokio::test]
async fn a_half_sent_request_does_not_stay() {
    let (_coordinator, addr) = start(Limits { stall: SHORT, ..Limits::default() }).await;
    let mut idle = Raw::connect(addr).await;
    let mut slow = Raw::connect(addr).await;
    for byte in "*1\r\n$4\r\nPI".chars() {
        slow.send(byte.to_string()).await;
        tokio::time::sleep(SHORT / 20).await;
    }
    slow.expect_end("").await;
    idle.ask("PING", "+PONG\r\n").await;
}

#[tokio::test]
async fn a_reply_that_is_too_large_ends_the_connection() {
    let (_coordinator, addr) = start(Limits { max_reply: 1000, ..Limits::default() }).await;
    let mut client = Raw::connect(addr).await;
    let value = "x".repeat(600);
    client.ask(&format!("RPUSH l {value} {value}"), ":2\r\n").await;
    client.command("LRANGE l 0 -1").await;
    client.expect_end("").await;
    Raw::connect(addr).await.ask("LINDEX l 0", &format!("$600\r\n{value}\r\n")).await;
}

#[tokio::test]
async fn a_blocked_client_cannot_pile_up_requests() {
    let (_coordinator, addr) = start(Limits { max_request: 10_000, ..Limits::default() }).await;
    let mut client = Raw::connect(addr).await;
    client.send("BLPOP l 0\r\n").await;
    until_info(addr, "blocked_clients", 1).await;
    let _ = client.0.write_all(&vec![b'x'; 100_000]).await;
    client.expect_end("").await;
    until_info(addr, "blocked_clients", 0).await;
}

#[tokio::test]
async fn blocked_clients_are_served_in_order_and_those_who_left_are_passed_over() {
    let (_coordinator, addr) = start(Limits::default()).await;
    let mut waiting = Vec::new();
    for count in 1..=4 {
        let mut client = Raw::connect(addr).await;
        client.command("BLPOP other l 0").await;
        until_info(addr, "blocked_clients", count).await;
        waiting.push(client);
    }
    drop(waiting.remove(1));
    until_info(addr, "blocked_clients", 3).await;
    let mut pusher = Raw::connect(addr).await;
    pusher.ask("RPUSH l 1 2", ":2\r\n").await;
    waiting[0].expect("*2\r\n$1\r\nl\r\n$1\r\n1\r\n").await;
    waiting[1].expect("*2\r\n$1\r\nl\r\n$1\r\n2\r\n").await;
    pusher.ask("LPUSH other 3 4", ":2\r\n").await;
    waiting[2].expect("*2\r\n$5\r\nother\r\n$1\r\n4\r\n").await;
    pusher.ask("LRANGE other 0 -1", "*1\r\n$1\r\n3\r\n").await;
    // A client that was served goes on as before.
    waiting[2].ask("PING", "+PONG\r\n").await;
}

#[tokio::test]
async fn what_is_sent_behind_a_blocked_request_is_answered_after_it() {
    let (_coordinator, addr) = start(Limits::default()).await;
    let mut client = Raw::connect(addr).await;
    client.send("BLPOP l 0\r\nPING\r\nPI").await;
    until_info(addr, "blocked_clients", 1).await;
    client.send("NG\r\n").await;
    Raw::connect(addr).await.ask("RPUSH l x", ":1\r\n").await;
    client.expect("*2\r\n$1\r\nl\r\n$1\r\nx\r\n+PONG\r\n+PONG\r\n").await;
}

#[tokio::test]
async fn only_loopback_is_served() {
    let anywhere: SocketAddr = "0.0.0.0:0".parse().unwrap();
    assert!(matches!(
        Coordinator::bind(anywhere, Limits::default()).await,
        Err(Error::NotLoopback(_))
    ));
    let listener = TcpListener::bind(anywhere).await.unwrap();
    let served = serve(listener, Limits::default(), std::future::pending()).await;
    assert!(matches!(served, Err(Error::NotLoopback(_))));
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let (_coordinator, addr) = start(Limits::default()).await;
    let error = Coordinator::bind(addr, Limits::default()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {addr}"));
}

#[tokio::test]
async fn shutdown_ends_idle_and_blocked_clients_and_frees_the_port() {
    let (coordinator, addr) = start(Limits::default()).await;
    let mut idle = Raw::connect(addr).await;
    idle.ask("PING", "+PONG\r\n").await;
    let mut blocked = Raw::connect(addr).await;
    blocked.command("BLPOP l 0").await;
    until_info(addr, "blocked_clients", 1).await;
    soon("shutdown", coordinator.shutdown()).await;
    idle.expect_end("").await;
    blocked.expect_end("").await;
    soon("bind again", Coordinator::bind(addr, Limits::default())).await.unwrap();
}

#[tokio::test]
async fn dropping_ends_it_as_well() {
    let (coordinator, addr) = start(Limits::default()).await;
    let mut idle = Raw::connect(addr).await;
    idle.ask("PING", "+PONG\r\n").await;
    drop(coordinator);
    idle.expect_end("").await;
}

#[tokio::test]
async fn serve_ends_when_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, Limits::default(), async {
        let _ = stopped.await;
    }));
    let mut client = Raw::connect(addr).await;
    client.ask("PING", "+PONG\r\n").await;
    stop.send(()).unwrap();
    soon("serve", server).await.unwrap().unwrap();
    client.expect_end("").await;
}

#[tokio::test]
async fn the_runner_reads_and_drops_keys_itself() {
    let (coordinator, addr) = start(Limits::default()).await;
    let mut client = Raw::connect(addr).await;
    client.ask("SET a 1", "+OK\r\n").await;
    client.ask("RPUSH l 1", ":1\r\n").await;
    assert_eq!(coordinator.get("a").as_deref(), Some(b"1".as_slice()));
    assert_eq!(coordinator.get("l"), None);
    assert!(coordinator.remove("a") && coordinator.remove("l") && !coordinator.remove("a"));
    client.ask("EXISTS a l", ":0\r\n").await;
}

#[tokio::test]
async fn clients_are_listed_while_they_are_connected() {
    let (_coordinator, addr) = start(Limits::default()).await;
    let mut client = Raw::connect(addr).await;
    client.send("CLIENT SETNAME dialer\r\nCLIENT SETINFO lib-name mine\r\n").await;
    client.expect("+OK\r\n+OK\r\n").await;
    let other = Raw::connect(addr).await;
    until_info(addr, "connected_clients", 3).await;
    drop(other);
    until_info(addr, "connected_clients", 2).await;
    let mut asking = Raw::connect(addr).await;
    asking.send("CLIENT LIST ID 1\r\nQUIT\r\n").await;
    let list = String::from_utf8(timeout(support::STEP, asking.rest()).await.unwrap()).unwrap();
    assert!(list.contains("id=1 addr=127.0.0.1:") && list.contains(" name=dialer "), "{list}");
    assert!(list.contains(" resp=2 lib-name=mine lib-ver="), "{list}");
}
