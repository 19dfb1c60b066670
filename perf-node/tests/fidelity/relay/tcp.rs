//! Streams, delivered later.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::clock::wait_until;
use super::{LOOK, Shared};

/// What is read at once, and how many of those wait at most: 4 MiB each way.
const CHUNK: usize = 16 << 10;
const QUEUED: usize = 256;

/// Bytes, and when they are due; none of them: the end of the stream.
type Chunk = (Instant, Vec<u8>);

pub(super) fn start(
    target: SocketAddr,
    delay: Duration,
    shared: &Arc<Shared>,
) -> (SocketAddr, Vec<JoinHandle<()>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let addr = listener.local_addr().unwrap();
    let shared = Arc::clone(shared);
    (addr, vec![thread::spawn(move || accept(&listener, target, delay, &shared))])
}

/// Relays each connection in four threads of its own, all of which end before this one does.
fn accept(listener: &TcpListener, target: SocketAddr, delay: Duration, shared: &Arc<Shared>) {
    let mut threads = Vec::new();
    while !shared.is_stopped() {
        match listener.accept() {
            Ok((client, _)) => {
                client.set_nonblocking(false).unwrap();
                // A target that is gone is, to the client, a connection that ends.
                if let Ok(server) = TcpStream::connect(target) {
                    threads.extend(pump(&client, &server, delay, shared));
                    threads.extend(pump(&server, &client, delay, shared));
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(error) => panic!("accept: {error}"),
        }
    }
    for thread in threads {
        thread.join().unwrap();
    }
}

fn pump(
    from: &TcpStream,
    to: &TcpStream,
    delay: Duration,
    shared: &Arc<Shared>,
) -> [JoinHandle<()>; 2] {
    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    from.set_read_timeout(Some(LOOK)).unwrap();
    to.set_nodelay(true).unwrap();
    let (sender, receiver) = sync_channel(QUEUED);
    let (reading, writing) = (Arc::clone(shared), Arc::clone(shared));
    [
        thread::spawn(move || read(from, delay, &sender, &reading)),
        thread::spawn(move || write(to, &receiver, &writing)),
    ]
}

fn read(mut from: TcpStream, delay: Duration, sender: &SyncSender<Chunk>, shared: &Shared) {
    let mut buffer = [0; CHUNK];
    while !shared.is_stopped() {
        let read = match from.read(&mut buffer) {
            Ok(read) => read,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                continue;
            }
            // A reset: passed on as an end, which is what a libp2p connection makes of it.
            Err(_) => 0,
        };
        let chunk = (Instant::now() + delay, buffer[..read].to_vec());
        if sender.send(chunk).is_err() || read == 0 {
            return;
        }
    }
}

fn write(mut to: TcpStream, receiver: &Receiver<Chunk>, shared: &Shared) {
    loop {
        let (due, bytes) = match receiver.recv_timeout(LOOK) {
            Ok(chunk) => chunk,
            Err(RecvTimeoutError::Timeout) if !shared.is_stopped() => continue,
            Err(_) => break,
        };
        wait_until(due);
        if bytes.is_empty() || to.write_all(&bytes).is_err() {
            break;
        }
    }
    // An error means that it is closed already.
    let _ = to.shutdown(Shutdown::Write);
}
