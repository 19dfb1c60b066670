//! Whether a series grows.
//!
//! The slope is Theil and Sen's: the median of the slopes between all pairs of points (Sen, "Estimates of the
//! Regression Coefficient Based on Kendall's Tau", 1968). A single step, as a buffer that is made late or a page of
//! code that is first needed now, moves it little; growth that goes on moves it as it should.

/// The points looked at, at most: every pair is.
const POINTS: usize = 400;

/// How much a series of (x, y) grows over its second half, in units of y; what comes before is warming up.
pub(crate) fn growth(series: &[(f64, f64)]) -> f64 {
    let second_half = &series[series.len() / 2..];
    let step = second_half.len().div_ceil(POINTS).max(1);
    let points: Vec<_> = second_half.iter().step_by(step).copied().collect();
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return 0.0 };
    slope(&points) * (last.0 - first.0)
}

fn slope(points: &[(f64, f64)]) -> f64 {
    let pairs = points.iter().enumerate().flat_map(|(index, a)| {
        points[..index].iter().filter(|b| b.0 != a.0).map(move |b| (a.1 - b.1) / (a.0 - b.0))
    });
    let mut slopes: Vec<f64> = pairs.collect();
    slopes.sort_by(f64::total_cmp);
    slopes.get(slopes.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(y: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
        (0..1000).map(|x| (f64::from(x), y(f64::from(x)))).collect()
    }

    #[test]
    fn what_is_flat_or_noisy_or_has_one_spike_does_not_grow() {
        assert_eq!(growth(&series(|_| 7.0)), 0.0);
        assert!(growth(&series(|x| 1e6 + 1e4 * (x * 12.9898).sin())).abs() < 1e3);
        assert!(growth(&series(|x| if x == 800.0 { 1e9 } else { 1.0 })).abs() < 1e-9);
    }

    #[test]
    fn warming_up_does_not_count() {
        assert!(growth(&series(|x| x.min(450.0) * 1e4)).abs() < 1e-9);
    }

    #[test]
    fn a_leak_is_what_it_is() {
        let grown = growth(&series(|x| 1e6 + 64.0 * x + 500.0 * (x * 12.9898).sin()));
        assert!((grown / (64.0 * 500.0) - 1.0).abs() < 0.03, "{grown}");
    }

    #[test]
    fn too_little_to_tell_is_no_growth() {
        assert_eq!(growth(&[]), 0.0);
        assert_eq!(growth(&[(1.0, 5.0)]), 0.0);
    }
}
