//! The bytes that all payload is made of.

use std::sync::OnceLock;

/// After how many bytes a payload repeats itself: 256 KiB.
///
/// Beyond the windows of deflate (32 KiB) and LZ4 (64 KiB), which are what links and tunnels
/// compress with, and small enough to stay in a core's second-level cache, so that sending costs no
/// memory bandwidth for the source.
pub const BLOCK_LEN: usize = 256 * 1024;

/// How many bytes a single write is offered at most: 64 KiB. A stream takes of them what it likes.
///
/// As much as one noise message carries, and more than a yamux frame does (16 KiB). Larger writes
/// measured no faster, over memory and over loopback TCP alike.
pub const WRITE_LEN: usize = 64 * 1024;

/// [`BLOCK_LEN`] pseudo-random bytes, followed by the first [`WRITE_LEN`] of them once more.
///
/// That tail is what lets a write of [`WRITE_LEN`] bytes start anywhere in the block without being
/// cut at its end.
///
/// Made at the first call, which takes about 0.1 ms; a caller that measures makes it beforehand.
/// Always the same bytes, so that two runs send the same.
pub fn block() -> &'static [u8] {
    static BLOCK: OnceLock<Box<[u8]>> = OnceLock::new();
    BLOCK.get_or_init(make)
}

fn make() -> Box<[u8]> {
    let mut block = Vec::with_capacity(BLOCK_LEN + WRITE_LEN);
    let mut state = 0;
    while block.len() < BLOCK_LEN {
        block.extend_from_slice(&split_mix(&mut state).to_le_bytes());
    }
    block.extend_from_within(..WRITE_LEN);
    block.into_boxed_slice()
}

/// SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA
/// 2014.
const fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = *state;
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn split_mix_gives_the_published_sequence() {
        let mut state = 1_234_567;
        let outputs: Vec<u64> = (0..3).map(|_| split_mix(&mut state)).collect();
        assert_eq!(
            outputs,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn ends_as_it_begins() {
        assert_eq!(block().len(), BLOCK_LEN + WRITE_LEN);
        assert_eq!(block()[BLOCK_LEN..], block()[..WRITE_LEN]);
    }

    #[test]
    fn no_eight_bytes_occur_twice() {
        let words: HashSet<&[u8]> = block()[..BLOCK_LEN].windows(8).collect();
        assert_eq!(words.len(), BLOCK_LEN - 7);
    }
}
