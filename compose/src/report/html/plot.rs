//! Box plots: one strip a section, all strips of a table on one scale.

use harness_sdk::document::{Section, significant};
use maud::{Markup, html};

/// Units of a strip, which a page may draw at any size.
const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 30.0;
/// Free at both ends, so that nothing is cut off and the mark of what lies beyond has room.
const MARGIN: f64 = 9.0;

/// Where values lie: from 0, linearly.
pub(super) struct Scale {
    top: f64,
}

impl Scale {
    /// Has room for every box with its whiskers, and for outliers up to a fifth as far again: one
    /// that is far off would otherwise press all boxes flat.
    pub(super) fn of<'a>(sections: impl Iterator<Item = &'a Section> + Clone) -> Self {
        let highest = |values: &mut dyn Iterator<Item = f64>| {
            values.filter(|value| value.is_finite()).fold(0.0, f64::max)
        };
        let plots = sections.clone().map(|section| &section.plot);
        let boxes = highest(&mut plots.flat_map(|plot| [plot.max, plot.q3, plot.median]));
        let samples = highest(&mut sections.flat_map(|section| section.samples.iter().copied()));
        let top = samples.min(boxes * 1.2).max(boxes);
        Self { top: if top > 0.0 && top.is_finite() { top } else { 1.0 } }
    }

    /// Where `value` lies, held within the strip; `None` where it is no number.
    fn x(&self, value: f64) -> Option<f64> {
        let share = (value / self.top).clamp(0.0, 1.0);
        (!share.is_nan()).then_some(MARGIN + share * (WIDTH - 2.0 * MARGIN))
    }

    /// Round values, not more than six of them.
    fn ticks(&self) -> Vec<f64> {
        let power = 10f64.powf((self.top / 5.0).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        let step = step.into_iter().find(|step| self.top / step <= 5.0).unwrap_or(self.top);
        (0..=5).map(|n| f64::from(n) * step).filter(|tick| *tick <= self.top).collect()
    }
}

/// The scale itself, to stand above the strips.
pub(super) fn axis(scale: &Scale, unit: &str) -> Markup {
    html! {
        svg.axis viewBox=(format!("0 0 {WIDTH} 16")) role="img"
            aria-label={ "scale from 0 to " (significant(scale.top)) " " (unit) } {
            @for (x, tick) in placed(scale) {
                text x=(at(x)) y="11" text-anchor="middle" { (number(tick)) }
                line x1=(at(x)) x2=(at(x)) y1="13" y2="16" {}
            }
        }
    }
}

/// One section: box and whiskers, every sample as a point, the first at the top and the last at the
/// bottom; what lies beyond the scale as an arrow at its end.
pub(super) fn strip(scale: &Scale, name: &str, test: &str, section: &Section) -> Markup {
    let plot = &section.plot;
    let [min, q1, median, q3, max] =
        [plot.min, plot.q1, plot.median, plot.q3, plot.max].map(|value| scale.x(value));
    let middle = HEIGHT / 2.0;
    let (top, bottom) = (at(middle - 8.0), at(middle + 8.0));
    let Points { inside, outliers, beyond } = Points::of(section, scale);
    let said = in_words(name, test, section);
    html! {
        svg.strip viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(said) {
            title { (said) }
            @for (x, _) in placed(scale) {
                line.grid x1=(at(x)) x2=(at(x)) y1="0" y2=(HEIGHT) {}
            }
            @for ends in [min.zip(q1), q3.zip(max)].into_iter().flatten() {
                line.whisker x1=(at(ends.0)) x2=(at(ends.1)) y1=(middle) y2=(middle) {}
            }
            @for end in [min, max].into_iter().flatten() {
                line.whisker x1=(at(end)) x2=(at(end)) y1=(at(middle - 4.0)) y2=(at(middle + 4.0)) {}
            }
            @if let Some((q1, q3)) = q1.zip(q3) {
                // A box without width would not be seen.
                rect.box x=(at(q1)) width=(at((q3 - q1).max(0.5))) y=(top) height="16" {}
            }
            path.samples d=(inside) {}
            path.outliers d=(outliers) {}
            path.beyond d=(beyond) {}
            @if let Some(median) = median {
                line.median x1=(at(median)) x2=(at(median)) y1=(top) y2=(bottom) {}
            }
        }
    }
}

/// Samples as paths: a line of no length, with round ends, is a point, and a tenth of what a
/// circle takes.
#[derive(Default)]
struct Points {
    inside: String,
    outliers: String,
    beyond: String,
}

impl Points {
    fn of(section: &Section, scale: &Scale) -> Self {
        let mut points = Self::default();
        let last = section.samples.len().saturating_sub(1).max(1) as f64;
        let within = section.plot.min..=section.plot.max;
        for (index, sample) in section.samples.iter().enumerate() {
            let Some(x) = scale.x(*sample) else { continue };
            let share = if section.samples.len() == 1 { 0.5 } else { index as f64 / last };
            let y = at(4.0 + share * (HEIGHT - 8.0));
            let x = at(x);
            match within.contains(sample) {
                _ if *sample > scale.top => points.beyond.push_str(&format!("M{x} {y}l-4-2.5v5z")),
                true => points.inside.push_str(&format!("M{x} {y}h0")),
                false => points.outliers.push_str(&format!("M{x} {y}h0")),
            }
        }
        points
    }
}

/// What a strip shows, for those who do not see it.
fn in_words(name: &str, test: &str, section: &Section) -> String {
    let plot = &section.plot;
    let [min, q1, median, q3, max] =
        [plot.min, plot.q1, plot.median, plot.q3, plot.max].map(significant);
    let unit = &section.unit;
    let outliers = match plot.outliers.len() {
        0 => "no outliers".to_owned(),
        1 => "1 outlier".to_owned(),
        count => format!("{count} outliers"),
    };
    let samples = section.iterations;
    format!(
        "{name} of {test}: median {median} {unit}, quartiles {q1} to {q3}, from {min} to {max}, {outliers}, n = {samples}"
    )
}

fn placed(scale: &Scale) -> impl Iterator<Item = (f64, f64)> {
    scale.ticks().into_iter().filter_map(|tick| Some((scale.x(tick)?, tick)))
}

/// A coordinate: a tenth of a unit is less than a pixel.
fn at(coordinate: f64) -> String {
    let text = format!("{coordinate:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// A tick's number, as short as it is round.
fn number(tick: f64) -> String {
    let text = significant(tick);
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(samples: &[f64]) -> Section {
        Section::new(samples, "Gbps").unwrap()
    }

    fn scale(sections: &[Section]) -> Scale {
        Scale::of(sections.iter())
    }

    #[test]
    fn a_scale_holds_boxes_and_does_not_follow_what_is_far_off() {
        assert_eq!(scale(&[section(&[1.0, 2.0]), section(&[8.0])]).top, 8.0);
        let near = section(&[4.0, 4.0, 4.0, 4.0, 4.0, 4.5]);
        assert_eq!(scale(&[near]).top, 4.5);
        let far = section(&[4.0, 4.0, 4.0, 4.0, 4.0, 500.0]);
        let scale = scale(std::slice::from_ref(&far));
        assert_eq!(scale.top, 4.8);
        let points = Points::of(&far, &scale);
        assert_eq!(points.inside.matches('M').count(), 5);
        assert_eq!((points.outliers.as_str(), points.beyond.matches('M').count()), ("", 1));
    }

    #[test]
    fn ticks_are_round_and_few() {
        for (top, ticks) in [
            (8.0, &[0.0, 2.0, 4.0, 6.0, 8.0][..]),
            (0.31, &[0.0, 0.1, 0.2, 0.3][..]),
            (1234.0, &[0.0, 500.0, 1000.0][..]),
        ] {
            let found = Scale { top }.ticks();
            assert_eq!(found.len(), ticks.len(), "{found:?}");
            assert!(found.iter().zip(ticks).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?}");
        }
        for top in [f64::MIN_POSITIVE, 1e-300, 0.1, 3.0, 7e17, f64::MAX] {
            let ticks = Scale { top }.ticks();
            assert!((1..=6).contains(&ticks.len()), "{top}: {ticks:?}");
        }
    }

    #[test]
    fn what_is_no_number_is_not_drawn() {
        let mut broken = section(&[1.0, 2.0, 3.0]);
        (broken.plot.q1, broken.plot.max) = (f64::NAN, f64::INFINITY);
        let text = strip(&scale(std::slice::from_ref(&broken)), "upload", "t", &broken);
        let drawn = text.into_string().replace("aria-label", "").replace("inf ", "");
        let shapes = drawn.split("</title>").nth(1).unwrap();
        assert!(!shapes.contains("NaN") && !shapes.contains("inf"), "{shapes}");
        assert_eq!(scale(&[]).top, 1.0);
    }

    #[test]
    fn every_sample_is_a_point_in_time_order() {
        let one = section(&[1.0, 2.0, 3.0]);
        let points = Points::of(&one, &scale(std::slice::from_ref(&one)));
        assert_eq!(points.inside, "M103 4h0M197 15h0M291 26h0");
    }
}
