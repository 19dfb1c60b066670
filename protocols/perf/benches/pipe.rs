//! What the protocol itself costs: an exchange over memory, which no real stack comes near.
//!
//! Two copies per byte (into the pipe, out of it) on one thread; all that is above that is ours.

#[path = "../tests/support/pipe.rs"]
mod pipe;

use std::{num::NonZeroUsize, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures::{executor::block_on, future};
use perf_protocol::{Error, ReadBuffer, Served, block, request, serve};
use pipe::duplex;

const PAYLOAD: u64 = 64 << 20;

/// How much the stream takes at once: a yamux frame, a noise message, a socket's buffer.
const CAPACITIES: [usize; 3] = [16 << 10, 64 << 10, 256 << 10];

const BUFFERS: [usize; 3] = [16 << 10, 64 << 10, 256 << 10];

fn exchange(
    upload: u64,
    download: u64,
    capacity: usize,
    buffers: &mut [ReadBuffer; 2],
) -> Result<Served, Error> {
    let (near, far) = duplex(capacity);
    let [asking, answering] = buffers;
    let client = request(near, upload, download, &(), asking);
    let (client, served) = block_on(future::join(client, serve(far, &(), answering)));
    client.and(served)
}

fn bench_direction(c: &mut Criterion, name: &str, upload: u64, download: u64) {
    block();
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Bytes(upload + download));
    for capacity in CAPACITIES {
        for len in BUFFERS.into_iter().filter_map(NonZeroUsize::new) {
            let id = BenchmarkId::new(
                format!("pipe {} KiB", capacity >> 10),
                format!("buffer {} KiB", len.get() >> 10),
            );
            let mut buffers = [ReadBuffer::with_len(len), ReadBuffer::with_len(len)];
            group.bench_function(id, |b| {
                b.iter(|| {
                    let served = exchange(upload, download, capacity, &mut buffers);
                    assert!(
                        served.is_ok_and(
                            |served| (served.received, served.sent) == (upload, download)
                        )
                    );
                });
            });
        }
    }
    group.finish();
}

fn upload(c: &mut Criterion) {
    bench_direction(c, "upload", PAYLOAD, 0);
}

fn download(c: &mut Criterion) {
    bench_direction(c, "download", 0, PAYLOAD);
}

fn probe(c: &mut Criterion) {
    let mut buffers = [ReadBuffer::new(), ReadBuffer::new()];
    c.bench_function("probe", |b| b.iter(|| assert!(exchange(1, 1, 4096, &mut buffers).is_ok())));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(2));
    targets = upload, download, probe
}
criterion_main!(benches);
