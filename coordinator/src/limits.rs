//! What clients may use of the embedding process.

use std::time::Duration;

/// The bounds one server keeps. Together they bound its memory: [`max_memory`](Self::max_memory) for what is stored,
/// and for each of [`max_connections`](Self::max_connections) at most one request and one reply.
///
/// ```
/// use perf_coordinator::Limits;
/// let small = Limits { max_connections: 4, ..Limits::default() };
/// assert_eq!(small.max_request, 1 << 20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Clients connected at one time. Default 128. One more is answered `-ERR max number of clients reached` and
    /// closed.
    pub max_connections: usize,

    /// Bytes of all the arguments of one request. Default 1 MiB. Beyond, the request is refused as soon as it
    /// announces its size, before it is buffered: `-ERR Protocol error: invalid bulk length`, then closed.
    pub max_request: usize,

    /// Arguments of one request, the command's name included. Default 1024. Beyond:
    /// `-ERR Protocol error: invalid multibulk length`, then closed.
    pub max_args: usize,

    /// Bytes of one encoded reply. Default 4 MiB. Only a range of a list can pass it; the connection is then closed
    /// unanswered, as Redis does with a client that overcomes its output buffer's limit.
    pub max_reply: usize,

    /// Bytes of all keys and values, a fixed overhead for each counted in. Default 16 MiB. A command that would pass
    /// it is answered `-OOM command not allowed when used memory > 'maxmemory'.` and changes nothing.
    pub max_memory: usize,

    /// How long a half-sent request may stay incomplete, and how long a client may leave a reply unread. Default
    /// 30 s. Then its connection is closed. A client that is idle between requests, or blocked in `BLPOP`, may stay
    /// as long as it likes.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 128,
            max_request: 1 << 20,
            max_args: 1024,
            max_reply: 4 << 20,
            max_memory: 16 << 20,
            stall: Duration::from_secs(30),
        }
    }
}
