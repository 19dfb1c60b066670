//! A stream that may not end before its connection does.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::sleep;

/// For a connection to be closed.
const HELD: Duration = Duration::from_secs(5);

/// Keeps a stream of a connection that is being closed from being dropped before it is: dropping tells the
/// peer of a reset, which mplex and yamux can show as the end of the stream, and libp2p-quic does end it. An
/// end is what an upload has for its receipt.
pub fn hold<S: Send + 'static>(stream: S) {
    // Without a runtime there is no connection any more.
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(async move {
            sleep(HELD).await;
            drop(stream);
        });
    }
}
