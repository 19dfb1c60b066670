//! What the tests share: time limits, and a client that is a socket and nothing more.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No step of any test takes longer, by far.
pub(crate) const STEP: Duration = Duration::from_secs(5);

/// Fails the test where `future` takes longer than [`STEP`].
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(STEP, future).await.unwrap_or_else(|_| panic!("{what}: not done after {STEP:?}"))
}

/// The words as a request: an array of bulk strings.
pub(crate) fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

/// A connection that sends bytes and looks at bytes.
pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        Self(soon("connect", TcpStream::connect(addr)).await.unwrap())
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        soon("send", self.0.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Sends the blank-separated words of `line`.
    pub(crate) async fn command(&mut self, line: &str) {
        self.send(request(&line.split(' ').collect::<Vec<_>>())).await;
    }

    /// The next bytes have to be `expected`.
    pub(crate) async fn expect(&mut self, expected: &str) {
        let mut received = vec![0; expected.len()];
        soon(expected, self.0.read_exact(&mut received)).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&received), expected);
    }

    /// Everything until the server closes. A reset is an end, too: it is what a close looks like where the server has
    /// not read all that was sent.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut received = Vec::new();
        let _ = soon("end of connection", self.0.read_to_end(&mut received)).await;
        received
    }

    pub(crate) async fn expect_end(&mut self, expected: &str) {
        assert_eq!(String::from_utf8_lossy(&self.rest().await), expected);
    }

    pub(crate) async fn ask(&mut self, line: &str, expected: &str) {
        self.command(line).await;
        self.expect(expected).await;
    }
}

/// The value of a field of `INFO`.
pub(crate) async fn info(addr: SocketAddr, field: &str) -> usize {
    let mut client = Raw::connect(addr).await;
    client.send("INFO\r\nQUIT\r\n").await;
    let text = String::from_utf8(client.rest().await).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field} in {text}")).parse().unwrap()
}

/// Waits until a field of `INFO` has the value.
pub(crate) async fn until_info(addr: SocketAddr, field: &str, value: usize) {
    soon(field, async {
        while info(addr, field).await != value {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
