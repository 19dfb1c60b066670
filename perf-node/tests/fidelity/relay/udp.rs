//! Datagrams of one client, delivered later, or not.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::clock::wait_until;
use super::{LOOK, Loss, Shared};

/// The largest datagram, and how many wait at most: 6 MB each way of those that QUIC sends.
const DATAGRAM: usize = 65_535;
const QUEUED: usize = 4096;

type Datagram = (Instant, Vec<u8>);

/// The client, once it has been heard of: whom answers go to.
type Client = Arc<Mutex<Option<SocketAddr>>>;

pub(super) fn start(
    target: SocketAddr,
    delay: Duration,
    loss: Loss,
    shared: &Arc<Shared>,
) -> (SocketAddr, Vec<JoinHandle<()>>) {
    let [near, far] = [0, 1].map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    far.connect(target).unwrap();
    let addr = near.local_addr().unwrap();
    let client = Client::default();
    let [near_too, far_too] = [&near, &far].map(|socket| socket.try_clone().unwrap());
    let heard = Arc::clone(&client);
    let up = pump(near, loss.other(), delay, shared, Some(heard), move |bytes| far_too.send(bytes));
    let down = pump(far, loss, delay, shared, None, move |bytes| {
        let client = *client.lock().unwrap();
        near_too.send_to(bytes, client.expect("answers follow requests"))
    });
    (addr, up.into_iter().chain(down).collect())
}

fn pump(
    from: UdpSocket,
    loss: Loss,
    delay: Duration,
    shared: &Arc<Shared>,
    heard: Option<Client>,
    send: impl Fn(&[u8]) -> std::io::Result<usize> + Send + 'static,
) -> [JoinHandle<()>; 2] {
    from.set_read_timeout(Some(LOOK)).unwrap();
    let (sender, receiver) = sync_channel(QUEUED);
    let (reading, writing) = (Arc::clone(shared), Arc::clone(shared));
    [
        thread::spawn(move || read(&from, loss, delay, heard.as_ref(), &sender, &reading)),
        thread::spawn(move || write(send, &receiver, &writing)),
    ]
}

fn read(
    from: &UdpSocket,
    mut loss: Loss,
    delay: Duration,
    heard: Option<&Client>,
    sender: &SyncSender<Datagram>,
    shared: &Shared,
) {
    let mut buffer = vec![0; DATAGRAM];
    while !shared.is_stopped() {
        let (read, peer) = match from.recv_from(&mut buffer) {
            Ok(received) => received,
            // Nothing came in time; or an earlier datagram found nobody, which is told here.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused
                ) =>
            {
                continue;
            }
            Err(error) => panic!("receive: {error}"),
        };
        let due = Instant::now() + delay;
        if let Some(client) = heard {
            *client.lock().unwrap() = Some(peer);
        }
        if loss.strikes() {
            count(&shared.lost);
            continue;
        }
        match sender.try_send((due, buffer[..read].to_vec())) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => count(&shared.overflowed),
            Err(TrySendError::Disconnected(_)) => return,
        }
    }
}

fn write(
    send: impl Fn(&[u8]) -> std::io::Result<usize>,
    receiver: &Receiver<Datagram>,
    shared: &Shared,
) {
    loop {
        let (due, bytes) = match receiver.recv_timeout(LOOK) {
            Ok(datagram) => datagram,
            Err(RecvTimeoutError::Timeout) if !shared.is_stopped() => continue,
            Err(_) => return,
        };
        wait_until(due);
        // An error means that nobody is there any more: a datagram is then lost, as on any network.
        if send(&bytes).is_ok() {
            count(&shared.passed);
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
