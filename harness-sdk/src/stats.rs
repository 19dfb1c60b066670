//! Statistics as pure functions, each naming its method.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// A box plot's numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoxPlot {
    /// Lowest sample that is not an outlier.
    pub min: f64,
    /// First quartile.
    pub q1: f64,
    /// Second quartile.
    pub median: f64,
    /// Third quartile.
    pub q3: f64,
    /// Highest sample that is not an outlier.
    pub max: f64,
    /// Samples beyond 1.5 IQR from the quartiles, in the order they were taken.
    pub outliers: Vec<f64>,
}

/// Tukey's box plot of `samples`: quartiles by [`quantile`], whiskers at the last samples within
/// 1.5 interquartile ranges of the quartiles.
///
/// `None` without samples, or where one is not a finite number: there is nothing true to say.
pub fn box_plot(samples: &[f64]) -> Option<BoxPlot> {
    if samples.is_empty() || samples.iter().any(|sample| !sample.is_finite()) {
        return None;
    }
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let [q1, median, q3] = [0.25, 0.5, 0.75].map(|p| quantile(&sorted, p));
    let reach = 1.5 * (q3 - q1);
    let outlies = |sample: f64| sample < q1 - reach || sample > q3 + reach;
    let mut inside = sorted.iter().copied().filter(|sample| !outlies(*sample));
    // The quartiles lie between samples that are inside, so there is always one.
    let min = inside.next().unwrap_or(median);
    let max = inside.next_back().unwrap_or(min);
    let outliers = samples.iter().copied().filter(|sample| outlies(*sample)).collect();
    Some(BoxPlot { min, q1, median, q3, max, outliers })
}

/// Quantile `p` (0 to 1) of ascending, non-empty `sorted`, by linear interpolation at p·(n−1):
/// type 7 of Hyndman and Fan, "Sample Quantiles in Statistical Packages" (1996); the default of
/// R and NumPy.
pub fn quantile(sorted: &[f64], p: f64) -> f64 {
    let position = p * (sorted.len() - 1) as f64;
    let below = sorted[position.floor() as usize];
    let above = sorted[position.ceil() as usize];
    below + (above - below) * position.fract()
}

/// A percentile is printed only where at least this many samples lie beyond it: n·(1−p) ≥ 10.
pub const MIN_SAMPLES_BEYOND: f64 = 10.0;

/// Percentiles of durations, recorded in an HDR histogram (Gil Tene's, three significant digits,
/// 1 µs·10⁻³ to 1 h), so that millions cost no more memory than ten.
#[derive(Clone, Debug)]
pub struct Percentiles {
    /// Nanoseconds; `None` only if the histogram could not be made.
    histogram: Histogram<u64>,
}

/// One nanosecond to one hour.
const HIGHEST_NANOS: u64 = 3_600_000_000_000;

impl Percentiles {
    /// An empty record; `None` is never returned for the fixed bounds used here.
    pub fn new() -> Option<Self> {
        let histogram = Histogram::new_with_bounds(1, HIGHEST_NANOS, 3).ok()?;
        Some(Self { histogram })
    }

    /// Records one duration; longer than an hour counts as an hour.
    pub fn record(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(HIGHEST_NANOS);
        self.histogram.saturating_record(nanos.clamp(1, HIGHEST_NANOS));
    }

    /// How many were recorded.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The percentile `p` (0 to 1) in milliseconds, or `None` where fewer than
    /// [`MIN_SAMPLES_BEYOND`] samples lie beyond it.
    pub fn at_ms(&self, p: f64) -> Option<f64> {
        let beyond = self.histogram.len() as f64 * (1.0 - p);
        // 1.0 - 0.9 is a little below a tenth: 100 samples must do for p90.
        (beyond + 1e-6 >= MIN_SAMPLES_BEYOND)
            .then(|| self.histogram.value_at_quantile(p) as f64 / 1e6)
    }
}

/// Goodput in Gbps: `bytes` × 8 / `seconds` / 10⁹.
pub fn gbps(bytes: u64, seconds: f64) -> f64 {
    bytes as f64 * 8.0 / seconds / 1e9
}

/// Jain's fairness index of what `n` streams got at once: (Σx)² / (n·Σx²). 1 where all got the same,
/// 1/n where one got everything. R. Jain, D. Chiu, W. Hawe, "A Quantitative Measure of Fairness and
/// Discrimination for Resource Allocation in Shared Computer Systems", DEC-TR-301 (1984).
///
/// `None` where nobody got anything, or a share is not a finite number.
pub fn fairness(shares: &[f64]) -> Option<f64> {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    let index = sum * sum / (shares.len() as f64 * squares);
    index.is_finite().then_some(index)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_sample_is_all_five_numbers() {
        let plot = box_plot(&[3.5]).unwrap();
        assert_eq!(
            plot,
            BoxPlot { min: 3.5, q1: 3.5, median: 3.5, q3: 3.5, max: 3.5, outliers: vec![] }
        );
    }

    #[test]
    fn no_spread_has_no_outliers() {
        let plot = box_plot(&[2.0; 7]).unwrap();
        assert_eq!((plot.min, plot.max, plot.outliers.len()), (2.0, 2.0, 0));
    }

    #[test]
    fn nothing_and_nan_have_no_box() {
        assert_eq!(box_plot(&[]), None);
        assert_eq!(box_plot(&[1.0, f64::NAN]), None);
        assert_eq!(box_plot(&[1.0, f64::INFINITY]), None);
    }

    #[test]
    fn quartiles_are_numpys() {
        // numpy.percentile([1, 2, 3, 4], [25, 50, 75]) == [1.75, 2.5, 3.25]
        let plot = box_plot(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((plot.q1, plot.median, plot.q3), (1.75, 2.5, 3.25));
    }

    #[test]
    fn whiskers_stop_at_samples_and_outliers_keep_their_order() {
        let plot = box_plot(&[100.0, 10.0, 11.0, 12.0, 13.0, -50.0, 12.0]).unwrap();
        assert_eq!((plot.min, plot.max), (10.0, 13.0));
        assert_eq!(plot.outliers, [100.0, -50.0]);
    }

    #[test]
    fn percentiles_need_ten_samples_beyond() {
        let mut percentiles = Percentiles::new().unwrap();
        for i in 0..100 {
            percentiles.record(Duration::from_millis(i + 1));
        }
        assert!((percentiles.at_ms(0.5).unwrap() - 50.0).abs() < 0.1);
        assert!((percentiles.at_ms(0.9).unwrap() - 90.0).abs() < 0.1);
        assert_eq!(percentiles.at_ms(0.95), None);
        assert_eq!(Percentiles::new().unwrap().at_ms(0.5), None);
    }

    #[test]
    fn equal_shares_are_fair_and_one_takers_is_one_in_n() {
        assert_eq!(fairness(&[3.0; 4]), Some(1.0));
        assert_eq!(fairness(&[8.0, 0.0, 0.0, 0.0]), Some(0.25));
        // As the report has it: what is fair to k of n users, and gives the others nothing, has k/n.
        assert_eq!(fairness(&[1.0, 0.0, 1.0, 0.0]), Some(0.5));
        assert_eq!(fairness(&[1.0, 3.0]), Some(0.8));
        assert_eq!([fairness(&[]), fairness(&[0.0]), fairness(&[f64::NAN])], [None; 3]);
    }

    #[test]
    fn a_gigabyte_in_eight_seconds_is_one_gbps() {
        assert_eq!(gbps(1_000_000_000, 8.0), 1.0);
    }

    proptest! {
        #[test]
        fn the_five_numbers_are_ordered(samples in prop::collection::vec(-1e9..1e9f64, 1..200)) {
            let plot = box_plot(&samples).unwrap();
            prop_assert!(plot.q1 <= plot.median && plot.median <= plot.q3);
            prop_assert!(plot.min <= plot.max);
            prop_assert!(samples.contains(&plot.min) && samples.contains(&plot.max));
            prop_assert!(plot.outliers.len() * 2 <= samples.len());
            for outlier in &plot.outliers {
                prop_assert!(*outlier < plot.min || *outlier > plot.max);
            }
        }
    }
}
