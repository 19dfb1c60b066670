//! How fast this process copies memory, and how slow to just behind the source's place in a page.
//!
//! `rep movsb`, by which glibc copies what is longer than two kilobytes where the processor says that it is quick (FSRM),
//! is twenty times slower on AMD's Zen 3 and 4 where the destination lies, in its page, 1 to 15 bytes behind the source
//! in its own (measured on a Zen 4; on a Zen 3: <https://lunnova.dev/articles/ryzen-slow-short-rep-mov>). What a
//! transport copies from and to is laid out by chance.

use std::hint::black_box;
use std::time::Instant;

/// One record of TLS, a frame of yamux: what transports copy at once. In bytes.
const LEN: usize = 16 * 1024;

const PAGE: usize = 4096;

/// Behind the source's place in its page, in bytes; any from 1 to 15 does.
const JUST_BEHIND: usize = 5;

/// The quickest of so many counts; what else runs only slows one.
const ROUNDS: usize = 8;
const REPEATS: u32 = 32;

/// In bytes a second, within the processor's caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copies {
    /// Where source and destination begin a page each.
    pub in_step: u64,
    /// Where the destination begins a few bytes behind.
    pub just_behind: u64,
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
        Self { in_step: rate(page), just_behind: rate(page + JUST_BEHIND) }
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
        let Copies { in_step, just_behind } = Copies::measure();
        // Slower than any memory, and faster than any processor.
        for rate in [in_step, just_behind] {
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
