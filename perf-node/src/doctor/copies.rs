//! How fast this process copies memory, and how slow to a place that lies badly.
//!
//! `rep movsb`, by which glibc copies what is longer than two kilobytes where the processor says that it is quick (FSRM),
//! is twenty times slower on AMD's Zen 3 and 4 where the destination is not aligned and, within its page, a few bytes
//! behind the source (<https://lunnova.dev/articles/ryzen-slow-short-rep-mov>, and measured here). What a transport
//! copies from and to is laid out by chance.

use std::hint::black_box;
use std::time::Instant;

/// One record of TLS, a frame of yamux: what transports copy at once. In bytes.
const LEN: usize = 16 * 1024;

const PAGE: usize = 4096;

/// Behind the source's place in its page; any from 1 to 15 does.
const BADLY: usize = 5;

/// The quickest of so many counts; what else runs only slows one.
const ROUNDS: usize = 8;
const REPEATS: u32 = 32;

/// In bytes a second, within the processor's caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copies {
    /// Source and destination begin a page each.
    pub aligned: u64,
    /// The destination begins five bytes behind.
    pub badly: u64,
}

impl Copies {
    /// Copies some megabytes: milliseconds.
    pub(super) fn measure() -> Self {
        let source = vec![1; LEN + PAGE];
        let source = &source[to_page(&source)..][..LEN];
        let mut destination = vec![2; LEN + 2 * PAGE];
        let page = to_page(&destination);
        let mut rate = |place: usize| {
            let destination = &mut destination[place..][..LEN];
            let quickest = (0..ROUNDS).map(|_| {
                let started = Instant::now();
                for _ in 0..REPEATS {
                    black_box(&mut *destination).copy_from_slice(black_box(source));
                }
                started.elapsed()
            });
            let took = quickest.min().unwrap_or_default() / REPEATS;
            (LEN as f64 / took.as_secs_f64()) as u64
        };
        Self { aligned: rate(page), badly: rate(page + BADLY) }
    }
}

/// How many bytes of `memory` lie before its first whole page.
fn to_page(memory: &[u8]) -> usize {
    memory.as_ptr().addr().next_multiple_of(PAGE) - memory.as_ptr().addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_measured() {
        let Copies { aligned, badly } = Copies::measure();
        // Slower than any memory, and faster than any processor.
        for rate in [aligned, badly] {
            assert!((10_000_000..100_000_000_000_000).contains(&rate), "{rate}");
        }
    }

    #[test]
    fn a_page_begins_where_it_is_said_to() {
        let memory = vec![0; 3 * PAGE];
        let before = to_page(&memory);
        assert!(before < PAGE);
        assert_eq!(memory[before..].as_ptr().addr() % PAGE, 0);
    }
}
