//! "Did you mean": the second half of a message about a word that is not known.

/// `; did you mean "quic-v1"?` where a known word is near enough, else all there are.
pub(crate) fn known<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    if let Some(candidate) = nearest(word, known.clone()) {
        return format!("; did you mean \"{candidate}\"?");
    }
    match known.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "; there are none".to_owned(),
        all => format!("; it takes one of {all}"),
    }
}

/// The known word that is nearest, where one is near enough.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Further than a third of the word is another word, not a slip.
    let limit = word.chars().count().div_ceil(3);
    let distances = known.map(|known| (strsim::damerau_levenshtein(word, known), known));
    let near = distances.filter(|(distance, _)| *distance <= limit);
    near.min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_put_right_and_anything_else_is_shown_what_there_is() {
        let words = ["tcp", "quic-v1", "webtransport"];
        let known = |word| known(word, words.into_iter());
        assert_eq!(known("quick-v1"), "; did you mean \"quic-v1\"?");
        assert_eq!(known("tpc"), "; did you mean \"tcp\"?");
        assert_eq!(known("carrier-pigeon"), "; it takes one of tcp, quic-v1, webtransport");
        assert_eq!(super::known("x", std::iter::empty()), "; there are none");
    }
}
