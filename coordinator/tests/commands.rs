//! What is answered to what, byte for byte: one table, run against the coordinator and against a real Redis.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Stdio;
use std::time::Duration;

use perf_coordinator::{Coordinator, Limits};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

mod support;
use support::{STEP, request, soon};

/// At the end of an answer: the server closes the connection.
const END: &str = "<end>";

/// In an answer: any non-negative integer.
const INTEGER: &str = "<integer>";

/// Instead of a request: wait for so many milliseconds.
const PAUSE: char = '~';

/// Asked behind every request, to know where the answer ends.
const MARK: &str = "$8\r\n--mark--\r\n";

const WRONGTYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const NOT_AN_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";

/// A name, and requests with their answers, on one connection. A request is blank-separated words, sent as an array;
/// or, where it has a line end, raw bytes. No two conversations use the same keys.
type Conversation = (&'static str, &'static [(&'static str, &'static str)]);

#[rustfmt::skip]
const SAME_AS_REDIS: &[Conversation] = &[
    ("ping and echo", &[
        ("PING", "+PONG\r\n"),
        ("ping", "+PONG\r\n"),
        ("PING hello", "$5\r\nhello\r\n"),
        ("ECHO hello", "$5\r\nhello\r\n"),
        ("PING a b", "-ERR wrong number of arguments for 'ping' command\r\n"),
        ("ECHO", "-ERR wrong number of arguments for 'echo' command\r\n"),
    ]),
    ("a listener and its dialer", &[
        ("GET 1a2b3c4d_listener_multiaddr", "$-1\r\n"),
        ("TYPE 1a2b3c4d_listener_multiaddr", "+none\r\n"),
        ("SET 1a2b3c4d_listener_multiaddr /ip4/127.0.0.1/tcp/4001 EX 3600", "+OK\r\n"),
        ("GET 1a2b3c4d_listener_multiaddr", "$23\r\n/ip4/127.0.0.1/tcp/4001\r\n"),
        ("TTL 1a2b3c4d_listener_multiaddr", ":3600\r\n"),
        ("TYPE 1a2b3c4d_listener_multiaddr", "+string\r\n"),
    ]),
    ("an older listener", &[
        ("DEL old_multiaddr", ":0\r\n"),
        ("RPUSH old_multiaddr /ip4/127.0.0.1/tcp/4001", ":1\r\n"),
        ("GET old_multiaddr", WRONGTYPE),
        ("TYPE old_multiaddr", "+list\r\n"),
        ("LINDEX old_multiaddr 0", "$23\r\n/ip4/127.0.0.1/tcp/4001\r\n"),
        ("BLPOP old_multiaddr 1", "*2\r\n$13\r\nold_multiaddr\r\n$23\r\n/ip4/127.0.0.1/tcp/4001\r\n"),
        ("EXISTS old_multiaddr", ":0\r\n"),
    ]),
    ("SET and its options", &[
        ("SET set:a 1", "+OK\r\n"),
        ("SET set:a 2 NX", "$-1\r\n"),
        ("SET set:a 2 XX", "+OK\r\n"),
        ("SET set:b 1 XX", "$-1\r\n"),
        ("SET set:b 1 NX EX 100", "+OK\r\n"),
        ("TTL set:b", ":100\r\n"),
        ("SET set:b 2 KEEPTTL", "+OK\r\n"),
        ("TTL set:b", ":100\r\n"),
        ("SET set:b 3 px 10400", "+OK\r\n"),
        ("TTL set:b", ":10\r\n"),
        ("SET set:b 4", "+OK\r\n"),
        ("TTL set:b", ":-1\r\n"),
        ("SET set:b 5 GET", "$1\r\n4\r\n"),
        ("SET set:c 1 GET", "$-1\r\n"),
        ("SET set:c 2 NX GET", "$1\r\n1\r\n"),
        ("GET set:c", "$1\r\n1\r\n"),
        ("SET set:c 2 EX 10 EX 20", "+OK\r\n"),
        ("TTL set:c", ":20\r\n"),
        ("RPUSH set:l a", ":1\r\n"),
        ("SET set:l a GET", WRONGTYPE),
        ("SET set:l a", "+OK\r\n"),
        ("GET set:l", "$1\r\na\r\n"),
        ("*3\r\n$3\r\nSET\r\n$5\r\nset:e\r\n$0\r\n\r\n", "+OK\r\n"),
        ("GET set:e", "$0\r\n\r\n"),
    ]),
    ("SET, refused", &[
        ("SET set:r", "-ERR wrong number of arguments for 'set' command\r\n"),
        ("SET set:r v FOO", SYNTAX),
        ("SET set:r v NX XX", SYNTAX),
        ("SET set:r v EX", SYNTAX),
        ("SET set:r v EX 10 PX 10", SYNTAX),
        ("SET set:r v EX 10 KEEPTTL", SYNTAX),
        ("SET set:r v KEEPTTL PX 10", SYNTAX),
        ("SET set:r v EX x FOO", SYNTAX),
        ("SET set:r v EX x", NOT_AN_INTEGER),
        ("SET set:r v EX 1.5", NOT_AN_INTEGER),
        ("SET set:r v EX +1", NOT_AN_INTEGER),
        ("SET set:r v EX 0", "-ERR invalid expire time in 'set' command\r\n"),
        ("SET set:r v PX -1", "-ERR invalid expire time in 'set' command\r\n"),
        ("SET set:r v EX 9223372036854775807", "-ERR invalid expire time in 'set' command\r\n"),
        ("SET set:r v PX 9223372036854775807", "-ERR invalid expire time in 'set' command\r\n"),
        ("EXISTS set:r", ":0\r\n"),
    ]),
    ("SETEX and SETNX", &[
        ("SETEX sx:a 100 1", "+OK\r\n"),
        ("TTL sx:a", ":100\r\n"),
        ("SETNX sx:a 2", ":0\r\n"),
        ("SETNX sx:b 2", ":1\r\n"),
        ("GET sx:a", "$1\r\n1\r\n"),
        ("SETEX sx:c 0 v", "-ERR invalid expire time in 'setex' command\r\n"),
        ("SETEX sx:c x v", NOT_AN_INTEGER),
        ("SETEX sx:c 1", "-ERR wrong number of arguments for 'setex' command\r\n"),
        ("SETNX sx:c", "-ERR wrong number of arguments for 'setnx' command\r\n"),
    ]),
    ("keys that expire", &[
        ("SET ex:a 1 PX 50", "+OK\r\n"),
        ("RPUSH ex:l a", ":1\r\n"),
        ("EXPIRE ex:l 100", ":1\r\n"),
        ("TTL ex:l", ":100\r\n"),
        ("~120", ""),
        ("GET ex:a", "$-1\r\n"),
        ("TTL ex:a", ":-2\r\n"),
        ("TYPE ex:a", "+none\r\n"),
        ("SET ex:a 1 XX", "$-1\r\n"),
        ("SET ex:a 1 NX", "+OK\r\n"),
    ]),
    ("EXPIRE", &[
        ("EXPIRE ep:none 10", ":0\r\n"),
        ("SET ep:a 1", "+OK\r\n"),
        ("EXPIRE ep:a 10", ":1\r\n"),
        ("TTL ep:a", ":10\r\n"),
        ("EXPIRE ep:a 999999999999999", ":1\r\n"),
        ("TTL ep:a", ":999999999999999\r\n"),
        ("EXPIRE ep:a 0", ":1\r\n"),
        ("GET ep:a", "$-1\r\n"),
        ("SET ep:a 1", "+OK\r\n"),
        ("EXPIRE ep:a -10", ":1\r\n"),
        ("EXISTS ep:a", ":0\r\n"),
        ("EXPIRE ep:a x", NOT_AN_INTEGER),
        ("EXPIRE ep:a 10 FOO", "-ERR Unsupported option FOO\r\n"),
        ("EXPIRE ep:a 9223372036854775807", "-ERR invalid expire time in 'expire' command\r\n"),
        ("EXPIRE ep:a -9223372036854775808", "-ERR invalid expire time in 'expire' command\r\n"),
        ("EXPIRE ep:a", "-ERR wrong number of arguments for 'expire' command\r\n"),
    ]),
    ("DEL, EXISTS and TYPE", &[
        ("SET de:a 1", "+OK\r\n"),
        ("RPUSH de:b 1", ":1\r\n"),
        ("EXISTS de:a de:b de:c de:a", ":3\r\n"),
        ("DEL de:a de:b de:c de:a", ":2\r\n"),
        ("EXISTS de:a", ":0\r\n"),
        ("DEL", "-ERR wrong number of arguments for 'del' command\r\n"),
        ("EXISTS", "-ERR wrong number of arguments for 'exists' command\r\n"),
        ("TYPE a b", "-ERR wrong number of arguments for 'type' command\r\n"),
    ]),
    ("lists", &[
        ("RPUSH li:a b c", ":2\r\n"),
        ("LPUSH li:a a z", ":4\r\n"),
        ("LRANGE li:a 0 -1", "*4\r\n$1\r\nz\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"),
        ("LRANGE li:a 1 2", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
        ("LRANGE li:a -2 100", "*2\r\n$1\r\nb\r\n$1\r\nc\r\n"),
        ("LRANGE li:a -100 0", "*1\r\n$1\r\nz\r\n"),
        ("LRANGE li:a 3 1", "*0\r\n"),
        ("LRANGE li:a 9 10", "*0\r\n"),
        ("LRANGE li:a 0 -9", "*0\r\n"),
        ("LRANGE li:none 0 -1", "*0\r\n"),
        ("LRANGE li:a x 1", NOT_AN_INTEGER),
        ("LINDEX li:a -1", "$1\r\nc\r\n"),
        ("LINDEX li:a 9", "$-1\r\n"),
        ("LINDEX li:a -9", "$-1\r\n"),
        ("LINDEX li:a x", NOT_AN_INTEGER),
        ("LINDEX li:none x", "$-1\r\n"),
        ("LPOP li:a", "$1\r\nz\r\n"),
        ("RPOP li:a", "$1\r\nc\r\n"),
        ("RPOP li:a 9", "*2\r\n$1\r\nb\r\n$1\r\na\r\n"),
        ("EXISTS li:a", ":0\r\n"),
    ]),
    ("popping with a count", &[
        ("LPOP po:none", "$-1\r\n"),
        ("LPOP po:none 1", "*-1\r\n"),
        ("LPOP po:none 0", "*-1\r\n"),
        ("RPUSH po:a 1 2 3", ":3\r\n"),
        ("LPOP po:a 0", "*0\r\n"),
        ("LPOP po:a 2", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n"),
        ("LPOP po:a -1", "-ERR value is out of range, must be positive\r\n"),
        ("RPOP po:a x", "-ERR value is out of range, must be positive\r\n"),
        ("LPOP po:a 1 2", "-ERR wrong number of arguments for 'lpop' command\r\n"),
        ("RPOP po:a 1 2", "-ERR wrong number of arguments for 'rpop' command\r\n"),
    ]),
    ("the wrong type", &[
        ("SET wt:s v", "+OK\r\n"),
        ("RPUSH wt:s a", WRONGTYPE),
        ("LPUSH wt:s a", WRONGTYPE),
        ("LPOP wt:s", WRONGTYPE),
        ("RPOP wt:s 1", WRONGTYPE),
        ("LINDEX wt:s 0", WRONGTYPE),
        ("LINDEX wt:s x", WRONGTYPE),
        ("LRANGE wt:s 0 -1", WRONGTYPE),
        ("BLPOP wt:none wt:s 0", WRONGTYPE),
        ("RPUSH wt:l a", ":1\r\n"),
        ("GET wt:l", WRONGTYPE),
        ("SETNX wt:l a", ":0\r\n"),
    ]),
    ("BLPOP", &[
        ("RPUSH bl:b 1 2", ":2\r\n"),
        ("BLPOP bl:a bl:b bl:c 0", "*2\r\n$4\r\nbl:b\r\n$1\r\n1\r\n"),
        ("BLPOP bl:b 1.5", "*2\r\n$4\r\nbl:b\r\n$1\r\n2\r\n"),
        ("BLPOP bl:b bl:b 0.05", "*-1\r\n"),
        ("BLPOP bl:b x", "-ERR timeout is not a float or out of range\r\n"),
        ("BLPOP bl:b nan", "-ERR timeout is not a float or out of range\r\n"),
        ("BLPOP bl:b -1", "-ERR timeout is negative\r\n"),
        ("BLPOP bl:b", "-ERR wrong number of arguments for 'blpop' command\r\n"),
        ("BLPOP 1", "-ERR wrong number of arguments for 'blpop' command\r\n"),
        ("*3\r\n$5\r\nBLPOP\r\n$4\r\nbl:b\r\n$4\r\n0.05\r\n*1\r\n$4\r\nPING\r\n", "*-1\r\n+PONG\r\n"),
    ]),
    ("databases", &[
        ("SELECT 0", "+OK\r\n"),
        ("SELECT 1", "-ERR DB index is out of range\r\n"),
        ("SELECT -1", "-ERR DB index is out of range\r\n"),
        ("SELECT x", NOT_AN_INTEGER),
        ("SELECT 99999999999", "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n"),
    ]),
    ("unknown commands", &[
        ("NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: \r\n"),
        ("nosuch a b", "-ERR unknown command 'nosuch', with args beginning with: 'a' 'b' \r\n"),
        ("*2\r\n$3\r\na\rb\r\n$3\r\nc\nd\r\n", "-ERR unknown command 'a b', with args beginning with: 'c d' \r\n"),
        ("*1\r\n$0\r\n\r\n", "-ERR unknown command '', with args beginning with: \r\n"),
        ("CLIENT", "-ERR wrong number of arguments for 'client' command\r\n"),
        ("CLIENT NoSuch a", "-ERR unknown subcommand 'NoSuch'. Try CLIENT HELP.\r\n"),
        ("COMMAND nosuch", "-ERR unknown subcommand 'nosuch'. Try COMMAND HELP.\r\n"),
        ("COMMAND COUNT x", "-ERR wrong number of arguments for 'command|count' command\r\n"),
        ("PING", "+PONG\r\n"),
    ]),
    ("names", &[
        ("CLIENT GETNAME", "$-1\r\n"),
        ("CLIENT SETNAME listener", "+OK\r\n"),
        ("CLIENT GETNAME", "$8\r\nlistener\r\n"),
        ("CLIENT SETNAME", "-ERR wrong number of arguments for 'client|setname' command\r\n"),
        ("CLIENT SETNAME a\x01b", "-ERR Client names cannot contain spaces, newlines or special characters.\r\n"),
        ("*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$0\r\n\r\n", "+OK\r\n"),
        ("CLIENT GETNAME", "$-1\r\n"),
        ("CLIENT ID x", "-ERR wrong number of arguments for 'client|id' command\r\n"),
        ("CLIENT ID", ":<integer>\r\n"),
        ("CLIENT LIST FOO", SYNTAX),
        ("CLIENT LIST TYPE pubsub", "$0\r\n\r\n"),
        ("CLIENT LIST TYPE foo", "-ERR Unknown client type 'foo'\r\n"),
        ("CLIENT LIST ID x", "-ERR Invalid client ID\r\n"),
        ("CLIENT LIST ID 999999", "$0\r\n\r\n"),
    ]),
    ("passwords, of which there are none", &[
        ("AUTH secret", "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n"),
        ("AUTH default secret", "+OK\r\n"),
        ("AUTH someone secret", "-WRONGPASS invalid username-password pair or user is disabled.\r\n"),
        ("AUTH a b c", SYNTAX),
    ]),
    ("HELLO", &[
        ("HELLO 4", "-NOPROTO unsupported protocol version\r\n"),
        ("HELLO x", "-ERR Protocol version is not an integer or out of range\r\n"),
        ("HELLO 2 FOO", "-ERR Syntax error in HELLO option 'FOO'\r\n"),
        ("HELLO 3 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'\r\n"),
        ("HELLO 3 AUTH a", "-ERR Syntax error in HELLO option 'AUTH'\r\n"),
        ("HELLO 3 AUTH someone secret", "-WRONGPASS invalid username-password pair or user is disabled.\r\n"),
        ("HELLO", "*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.<integer>\r\n$5\r\nproto\r\n:2\r\n$2\r\nid\r\n:<integer>\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"),
        ("HELLO 3 AUTH default secret SETNAME dialer", "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.<integer>\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:<integer>\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"),
        ("CLIENT GETNAME", "$6\r\ndialer\r\n"),
    ]),
    ("RESP3", &[
        ("HELLO 3", "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.<integer>\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:<integer>\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"),
        ("GET r3:none", "_\r\n"),
        ("LPOP r3:none 1", "_\r\n"),
        ("BLPOP r3:none 0.05", "_\r\n"),
        ("RPUSH r3:l a", ":1\r\n"),
        ("GET r3:l", WRONGTYPE),
        ("BLPOP r3:l 0", "*2\r\n$4\r\nr3:l\r\n$1\r\na\r\n"),
        ("SET r3:a 1", "+OK\r\n"),
        ("SET r3:a 1 NX", "_\r\n"),
        ("INFO nosuch", "=4\r\ntxt:\r\n"),
        ("COMMAND DOCS nosuch", "%0\r\n"),
        ("NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: \r\n"),
        ("HELLO 2", "*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.<integer>\r\n$5\r\nproto\r\n:2\r\n$2\r\nid\r\n:<integer>\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"),
        ("GET r3:none", "$-1\r\n"),
    ]),
    ("pipelines", &[
        ("*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$4\r\npi:a\r\n$1\r\n1\r\n*2\r\n$3\r\nGET\r\n$4\r\npi:a\r\nPING\r\n", "+PONG\r\n+OK\r\n$1\r\n1\r\n+PONG\r\n"),
        ("*0\r\n*-1\r\n\r\n*1\r\n$4\r\nPING\r\n", "+PONG\r\n"),
        ("*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n", "+PONG\r\n+PONG\r\n"),
    ]),
    ("inline commands", &[
        ("PING\r\n", "+PONG\r\n"),
        ("PING\n", "+PONG\r\n"),
        ("  ping \t hello  \r\n", "$5\r\nhello\r\n"),
        ("SET in:a \"x\\x41\\n\" EX 100\r\nGET in:a\r\n", "+OK\r\n$3\r\nxA\n\r\n"),
        ("SET in:a 'it\\'s'\r\nGET in:a\r\n", "+OK\r\n$4\r\nit's\r\n"),
        ("NOSUCH a\r\n", "-ERR unknown command 'NOSUCH', with args beginning with: 'a' \r\n"),
    ]),
    ("QUIT", &[("QUIT", "+OK\r\n<end>")]),
    ("QUIT with arguments", &[("PING\r\nQUIT a\r\nPING\r\n", "+PONG\r\n+OK\r\n<end>")]),
    ("not a bulk string", &[("*1\r\n+PING\r\n", "-ERR Protocol error: expected '$', got '+'\r\n<end>")]),
    ("nested arrays", &[("*1\r\n*1\r\n$4\r\nPING\r\n", "-ERR Protocol error: expected '$', got '*'\r\n<end>")]),
    ("nothing for a bulk string", &[("*1\r\n\r\n", "-ERR Protocol error: expected '$', got ' '\r\n<end>")]),
    ("no count", &[("*x\r\n", "-ERR Protocol error: invalid multibulk length\r\n<end>")]),
    ("a count with a plus", &[("*+1\r\n$4\r\nPING\r\n", "-ERR Protocol error: invalid multibulk length\r\n<end>")]),
    ("a count with a zero", &[("*01\r\n$4\r\nPING\r\n", "-ERR Protocol error: invalid multibulk length\r\n<end>")]),
    ("too many arguments", &[("*2147483648\r\n", "-ERR Protocol error: invalid multibulk length\r\n<end>")]),
    ("no length", &[("*1\r\n$x\r\n", "-ERR Protocol error: invalid bulk length\r\n<end>")]),
    ("a negative length", &[("*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n<end>")]),
    ("a length beyond the limit", &[("*1\r\n$1048577\r\n", "-ERR Protocol error: invalid bulk length\r\n<end>")]),
    ("an open quote", &[("SET \"a\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n<end>")]),
    ("a quote inside a word", &[("SET \"a\"b c\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n<end>")]),
    ("what came before an error is answered", &[("PING\r\n*x\r\n", "+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n<end>")]),
];

/// Where we follow a later Redis, or no Redis.
#[rustfmt::skip]
const OURS: &[Conversation] = &[
    ("CLIENT SETINFO, of Redis 7.2", &[
        ("CLIENT SETINFO lib-name test", "+OK\r\n"),
        ("CLIENT SETINFO LIB-VER 1.0", "+OK\r\n"),
        ("CLIENT SETINFO foo bar", "-ERR Unrecognized option 'foo'\r\n"),
        ("CLIENT SETINFO lib-name a\x01", "-ERR lib-name cannot contain spaces, newlines or special characters.\r\n"),
    ]),
    ("COMMAND", &[("COMMAND COUNT", ":25\r\n"), ("COMMAND DOCS", "*0\r\n")]),
    ("BLPOP without end", &[("BLPOP ours:a inf", "-ERR timeout is out of range\r\n")]),
];

/// Plays one conversation over a fresh connection.
async fn play(mut stream: impl AsyncRead + AsyncWrite + Unpin, (name, exchanges): &Conversation) {
    for (sent, expected) in *exchanges {
        if let Some(pause) = sent.strip_prefix(PAUSE) {
            sleep(Duration::from_millis(pause.parse().unwrap())).await;
            continue;
        }
        let words: Vec<&str> = sent.split(' ').collect();
        let mut bytes =
            if sent.contains('\n') { sent.as_bytes().to_vec() } else { request(&words) };
        if !expected.ends_with(END) {
            bytes.extend(request(&["ECHO", "--mark--"]));
        }
        soon(name, stream.write_all(&bytes)).await.unwrap();
        let answer = answer(&mut stream, name).await;
        assert!(
            matches(&answer, expected),
            "{name}: {sent:?}\n     got {answer:?}\nexpected {expected:?}"
        );
    }
}

/// What is received before the mark or, with [`END`] in its place, the end.
async fn answer(stream: &mut (impl AsyncRead + Unpin), name: &str) -> String {
    let mut received = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&received);
        if let Some(answer) = text.strip_suffix(MARK) {
            return answer.to_owned();
        }
        match timeout(STEP, stream.read_buf(&mut received)).await {
            Ok(Ok(0)) => return format!("{}{END}", String::from_utf8_lossy(&received)),
            Ok(Ok(_)) => {}
            stuck => panic!("{name}: {stuck:?} after {:?}", String::from_utf8_lossy(&received)),
        }
    }
}

/// Equal, but for integers where any is expected.
fn matches(answer: &str, expected: &str) -> bool {
    match expected.split_once(INTEGER) {
        None => answer == expected,
        Some((before, after)) => answer.strip_prefix(before).is_some_and(|rest| {
            let behind = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            behind.len() < rest.len() && matches(behind, after)
        }),
    }
}

#[tokio::test]
async fn the_coordinator_answers_by_the_table() {
    let coordinator = Coordinator::start(Limits::default()).await.unwrap();
    for conversation in SAME_AS_REDIS.iter().chain(OURS) {
        play(TcpStream::connect(coordinator.addr()).await.unwrap(), conversation).await;
    }
    soon("shutdown", coordinator.shutdown()).await;
}

#[tokio::test]
async fn a_real_redis_answers_by_the_same_table() {
    let redis = RealRedis::start().await;
    for conversation in SAME_AS_REDIS {
        play(redis.connect().await.unwrap(), conversation).await;
    }
}

/// A real server on a socket of its own directory, so that it needs no free port. Killed when dropped.
struct RealRedis {
    _process: Child,
    directory: TempDir,
}

impl RealRedis {
    async fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let process = Command::new("redis-server")
            .args(["--port", "0", "--unixsocket", "redis.sock", "--databases", "1"])
            .args(["--save", "", "--appendonly", "no", "--proto-max-bulk-len", "1048576"])
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot run redis-server ({error}): install Redis 7.0, for instance the package redis-server")
            });
        let redis = Self { _process: process, directory };
        soon("redis-server", async {
            while redis.connect().await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        redis
    }

    async fn connect(&self) -> std::io::Result<UnixStream> {
        UnixStream::connect(self.directory.path().join("redis.sock")).await
    }
}
