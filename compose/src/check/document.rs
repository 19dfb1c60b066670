//! A dialer's document held against what was asked for and against its own samples: functions of text.

use harness_sdk::Document;
use harness_sdk::document::Section;
use harness_sdk::stats::{BoxPlot, box_plot};

use super::variables::Work;

/// The three sections, in the order of the document.
pub(super) const SECTIONS: [&str; 3] = ["upload", "download", "latency"];
/// A section's keys, in their order.
const KEYS: [&str; 9] =
    ["iterations", "min", "q1", "median", "q3", "max", "outliers", "samples", "unit"];
/// What may stand beside the sections.
const OTHERS: [&str; 2] = ["node", "failure"];

/// Why `text` is not one document and nothing else; what else there is that is only odd.
pub(super) fn alone(text: &str) -> Result<Vec<String>, String> {
    if text.trim().is_empty() {
        return Err("nothing".to_owned());
    }
    let root: serde_yaml::Mapping =
        serde_yaml::from_str(text).map_err(|error| format!("what is no YAML document: {error}"))?;
    Document::parse(text).map_err(|error| format!("no document of the contract: {error}"))?;
    let known = |key: &str| SECTIONS.contains(&key) || OTHERS.contains(&key);
    let keys = root.keys().map(|key| key.as_str().unwrap_or("?").to_owned());
    Ok(keys.filter(|key| !known(key)).collect())
}

/// Which sections are absent, or were not asked for.
pub(super) fn sections(document: &Document, work: Work) -> Vec<String> {
    let problem = |(name, section, asked): (&str, &Option<Section>, u64)| match (
        section.is_some(),
        asked > 0,
    ) {
        (true, false) => Some(format!("{name} is there, with 0 iterations")),
        (false, true) => Some(format!("{name} is not there")),
        _ => None,
    };
    each(document, work).into_iter().filter_map(problem).collect()
}

/// Whose count of samples is not what was asked for, or not what `iterations` says.
pub(super) fn samples(document: &Document, work: Work) -> Vec<String> {
    let problem = |(name, section, asked): (&str, &Option<Section>, u64)| {
        let section = section.as_ref()?;
        let count = section.samples.len() as u64;
        (count != asked || section.iterations != asked).then(|| {
            format!(
                "{name}: {count} samples, iterations: {}, {asked} asked for",
                section.iterations
            )
        })
    };
    each(document, work).into_iter().filter_map(problem).collect()
}

/// Whose unit is another.
pub(super) fn units(document: &Document) -> Vec<String> {
    let expected = ["Gbps", "Gbps", "ms"];
    let problem = |((name, section, _), unit): ((&str, &Option<Section>, u64), &str)| {
        let section = section.as_ref()?;
        (section.unit != unit).then(|| format!("{name} is in {}", section.unit))
    };
    each(document, Work::default()).into_iter().zip(expected).filter_map(problem).collect()
}

fn each(document: &Document, work: Work) -> [(&'static str, &Option<Section>, u64); 3] {
    [
        ("upload", &document.upload, work.upload.0),
        ("download", &document.download, work.download.0),
        ("latency", &document.latency, work.latency),
    ]
}

/// What a consumer that greps for the nine keys behind two spaces would miss, or find elsewhere.
pub(super) fn keys(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut heading = "";
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        if let Some((name, _)) = line.split_once(':').filter(|_| !line.starts_with([' ', '#'])) {
            heading = name;
            if SECTIONS.contains(&heading) {
                found.push((heading, Vec::new()));
            }
            continue;
        }
        let Some((key, value)) = key_behind_two_spaces(line) else { continue };
        match found.last_mut().filter(|(name, _)| *name == heading) {
            Some((_, keys)) => keys.push(key),
            None => problems.push(format!("{key} stands under {heading} as well")),
        }
        if matches!(key, "samples" | "outliers")
            && !(value.starts_with('[') && value.ends_with(']'))
        {
            problems.push(format!("{heading}: {key} is no list on one line"));
        }
    }
    for (name, keys) in found {
        if keys != KEYS {
            problems.push(format!("{name} has {}", keys.join(", ")));
        }
    }
    problems
}

/// One of the nine keys and its value, where a line has it behind two spaces.
fn key_behind_two_spaces(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '))?;
    let (key, value) = rest.split_once(':')?;
    KEYS.contains(&key).then(|| (key, value.trim()))
}

/// Which numbers are written in another form than the contract's.
pub(super) fn numbers(text: &str) -> Vec<String> {
    let sections =
        lines_of_sections(text).filter(|(_, key, _)| !matches!(*key, "iterations" | "unit"));
    let mut problems = Vec::new();
    for (heading, key, value) in sections {
        let numbers = value.trim_matches(['[', ']']).split(',').map(str::trim);
        let wrong = numbers.filter(|number| !number.is_empty()).find(|number| !well_formed(number));
        problems.extend(wrong.map(|number| format!("{heading}.{key}: {number}")));
    }
    problems
}

fn well_formed(number: &str) -> bool {
    let digits = number.trim_start_matches('-');
    let Some((whole, fraction)) = digits.split_once('.') else { return false };
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let significant = format!("{whole}{fraction}");
    let significant = significant.trim_start_matches('0');
    // Zeros at the end of a whole number above six digits stand for what was rounded.
    let significant = if fraction == "0" { significant.trim_end_matches('0') } else { significant };
    plain(whole) && plain(fraction) && significant.len() <= 6
}

fn lines_of_sections(text: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    let mut heading = "";
    text.lines().filter_map(move |line| {
        if let Some((name, _)) = line.split_once(':').filter(|_| !line.starts_with([' ', '#'])) {
            heading = name;
        }
        let (key, value) = key_behind_two_spaces(line)?;
        SECTIONS.contains(&heading).then_some((heading, key, value))
    })
}

/// Which statistics are not those of the samples, within what printing rounds off.
pub(super) fn statistics(document: &Document, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, section, _) in each(document, Work::default()) {
        let Some(section) = section else { continue };
        let printed = lines_of_sections(text).filter(|(heading, _, _)| *heading == name);
        let unit = precision(printed.map(|(_, _, value)| value));
        problems
            .extend(differences(section, unit).into_iter().map(|what| format!("{name}.{what}")));
    }
    problems
}

/// The last digit that is printed, in the number with the most of them.
fn precision<'a>(values: impl Iterator<Item = &'a str>) -> f64 {
    let decimals =
        |number: &str| number.trim().split_once('.').map_or(0, |(_, digits)| digits.len());
    let numbers = values.flat_map(|value| value.trim_matches(['[', ']']).split(','));
    let most = numbers.map(decimals).max().unwrap_or(0);
    10f64.powi(-i32::try_from(most).unwrap_or(0))
}

fn differences(section: &Section, unit: f64) -> Vec<String> {
    let Some(expected) = box_plot(&section.samples) else {
        return vec!["samples: none, or not all of them are numbers".to_owned()];
    };
    let near = |a: f64, b: f64| (a - b).abs() <= unit + 1e-5 * a.abs().max(b.abs());
    let BoxPlot { min, q1, median, q3, max, outliers } = &section.plot;
    let mut pairs = vec![
        ("q1", *q1, expected.q1),
        ("median", *median, expected.median),
        ("q3", *q3, expected.q3),
    ];
    let same_outliers = outliers.len() == expected.outliers.len()
        && outliers.iter().zip(&expected.outliers).all(|(a, b)| near(*a, *b));
    if same_outliers {
        pairs.extend([("min", *min, expected.min), ("max", *max, expected.max)]);
    }
    let mut problems: Vec<_> = pairs
        .into_iter()
        .filter(|(_, printed, computed)| !near(*printed, *computed))
        .map(|(key, printed, computed)| format!("{key}: {printed}, computed {computed:.6}"))
        .collect();
    if !same_outliers && !on_the_fence(section, &expected, near) {
        problems.push(format!("outliers: {outliers:?}, computed {:?}", expected.outliers));
    }
    problems
}

/// Whether rounding may have put a sample on the other side of an outlier's fence.
fn on_the_fence(section: &Section, plot: &BoxPlot, near: impl Fn(f64, f64) -> bool) -> bool {
    let reach = 1.5 * (plot.q3 - plot.q1);
    let fences = [plot.q1 - reach, plot.q3 + reach];
    section.samples.iter().any(|sample| fences.iter().any(|fence| near(*sample, *fence)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORK: Work = Work { upload: (3, 1), download: (0, 1), latency: 5 };

    fn sound() -> String {
        let document = Document {
            upload: Section::new(&[6.812_345_6, 6.9, 0.001_234_567], "Gbps"),
            latency: Section::new(&[0.1, 0.11, 0.12, 0.1, 9.0], "ms"),
            ..Document::default()
        };
        document.to_yaml()
    }

    /// Every problem of `text`, whatever kind it is of.
    fn problems(text: &str) -> Vec<String> {
        let document = Document::parse(text).unwrap();
        let kinds = [
            sections(&document, WORK),
            samples(&document, WORK),
            units(&document),
            keys(text),
            numbers(text),
            statistics(&document, text),
        ];
        kinds.concat()
    }

    #[test]
    fn a_sound_document_has_no_problem() {
        assert_eq!(alone(&sound()), Ok(Vec::new()));
        assert_eq!(problems(&sound()), Vec::<String>::new());
    }

    #[test]
    fn figures_of_two_decimals_are_measured_by_those() {
        let text = "upload:\n  iterations: 3\n  min: 1.00\n  q1: 1.12\n  median: 1.23\n  q3: 1.34\n  max: 1.45\n  outliers: []\n  samples: [1.00, 1.23, 1.45]\n  unit: Gbps\n";
        assert_eq!(statistics(&Document::parse(text).unwrap(), text), Vec::<String>::new());
        let wrong = text.replace("median: 1.23", "median: 1.30");
        let found = statistics(&Document::parse(&wrong).unwrap(), &wrong);
        assert_eq!(found, ["upload.median: 1.3, computed 1.230000"]);
    }

    #[test]
    fn whatever_is_wrong_is_found() {
        let text = sound();
        let cases = [
            ("  unit: ms", "  unit: s", "latency is in s"),
            ("  iterations: 3", "  iterations: 4", "3 samples, iterations: 4, 3 asked for"),
            ("upload:", "download:", "upload is not there"),
            ("upload:", "download:", "download is there, with 0 iterations"),
            ("median: 6.81235", "median: 6.7", "upload.median: 6.7, computed"),
            ("outliers: [9.0]", "outliers: []", "latency.outliers: [], computed [9.0]"),
            ("  q1: 0.1\n", "  q1: 0.1\n  q2: 0.11\n  samples: []\n", ""),
            ("  q1: 0.1\n", "  q1: 1e-1\n", "latency.q1: 1e-1"),
            ("  q1: 0.1\n", "  q1: 0.1000001\n", "latency.q1: 0.1000001"),
        ];
        for (from, to, expected) in cases {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            if Document::parse(&changed).is_err() {
                continue;
            }
            let found = problems(&changed);
            assert!(found.iter().any(|problem| problem.contains(expected)), "{to}: {found:?}");
        }
        let elsewhere = format!("{text}node:\n  max: 7\n");
        assert_eq!(keys(&elsewhere), ["max stands under node as well"]);
        let folded = text.replace("samples: [", "samples:\n    [");
        assert!(keys(&folded)[0].contains("no list on one line"), "{folded}");
        assert!(keys("upload:\n  min: 1.0\n")[0].contains("upload has min"));
    }

    #[test]
    fn what_stands_beside_the_document_is_seen() {
        assert_eq!(alone(""), Err("nothing".to_owned()));
        assert!(alone(&format!("INFO connecting\n{}", sound())).is_err());
        assert_eq!(alone(&format!("INFO: connecting\n{}", sound())), Ok(vec!["INFO".to_owned()]));
    }

    #[test]
    fn numbers_have_one_form() {
        for number in ["7.0", "0.000123457", "12345700.0", "-1.5", "100.0"] {
            assert!(well_formed(number), "{number}");
        }
        for number in ["7", "1e3", "1.0e3", "6.512341", ".5", "nan"] {
            assert!(!well_formed(number), "{number}");
        }
    }
}
