//! Which datagrams are lost: the same ones for the same seed.

/// A share of all datagrams, chosen by a generator (SplitMix64, which is short and good enough for dice).
#[derive(Clone, Debug)]
pub(crate) struct Loss {
    share: f64,
    state: u64,
}

impl Loss {
    pub(crate) const NONE: Self = Self { share: 0.0, state: 0 };

    pub(crate) const fn new(share: f64, seed: u64) -> Self {
        Self { share, state: seed }
    }

    /// The same share, of other datagrams: for the other way.
    pub(super) fn other(&self) -> Self {
        Self { share: self.share, state: !self.state }
    }

    /// Whether the next one is lost.
    pub(super) fn strikes(&mut self) -> bool {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // The upper 53 bits, as a number below 1.
        ((mixed >> 11) as f64) / ((1u64 << 53) as f64) < self.share
    }
}

#[test]
fn as_many_are_lost_as_was_said_and_the_same_ones_again() {
    let strikes = |mut loss: Loss| -> Vec<bool> { (0..100_000).map(|_| loss.strikes()).collect() };
    let once = strikes(Loss::new(0.01, 7));
    let lost = once.iter().filter(|lost| **lost).count();
    assert!((900..1100).contains(&lost), "{lost}");
    assert_eq!(once, strikes(Loss::new(0.01, 7)));
    assert_ne!(once, strikes(Loss::new(0.01, 7).other()));
    assert!(!strikes(Loss::NONE).contains(&true));
}
