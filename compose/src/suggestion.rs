//! "Did you mean": the second half of a message about a word that is not known.

/// `; did you mean "quic-v1"?` where a known word is near enough, else all there are.
pub(crate) fn known<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let distance = |candidate: &str| strsim::damerau_levenshtein(word, candidate);
    // Further than a third of the word is another word, not a slip.
    let near = |candidate: &str| distance(candidate) <= word.chars().count().div_ceil(3);
    if let Some(candidate) = known
        .clone()
        .filter(|candidate| near(candidate))
        .min_by_key(|candidate| distance(candidate))
    {
        return format!("; did you mean \"{candidate}\"?");
    }
    match known.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "; there are none".to_owned(),
        all => format!("; it takes one of {all}"),
    }
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
