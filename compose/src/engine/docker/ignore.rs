//! Which files of a folder a build sees: `.dockerignore`, as Docker reads it.

use std::path::Path;

/// The rules of a `.dockerignore`, in order; the last one that matches decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ignore(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    parts: Vec<String>,
    /// Written with a `!`: what matches is seen after all.
    exception: bool,
}

impl Ignore {
    pub(super) fn parse(text: &str) -> Self {
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self(lines.map(Rule::parse).filter(|rule| !rule.parts.is_empty()).collect())
    }

    /// Whether the build does not see `path`, which is relative to the context.
    pub(super) fn hides(&self, path: &Path) -> bool {
        let path = parts(&path.to_string_lossy());
        // What matches a folder matches what is in it.
        let matches = |rule: &Rule| (1..=path.len()).any(|end| matches(&rule.parts, &path[..end]));
        self.0.iter().rfind(|rule| matches(rule)).is_some_and(|rule| !rule.exception)
    }

    /// Whether nothing below the folder `path` can be seen, so that none of it need be looked at.
    pub(super) fn hides_all_below(&self, path: &Path) -> bool {
        let folder = parts(&path.to_string_lossy());
        let reaches = |rule: &Rule| rule.exception && leads(&rule.parts, &folder);
        self.hides(path) && !self.0.iter().any(reaches)
    }
}

impl Rule {
    fn parse(line: &str) -> Self {
        match line.strip_prefix('!') {
            Some(rest) => Self { parts: parts(rest.trim()), exception: true },
            None => Self { parts: parts(line), exception: false },
        }
    }
}

fn parts(path: &str) -> Vec<String> {
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    parts.map(str::to_owned).collect()
}

/// Whether the whole of `pattern` matches the whole of `path`.
fn matches(pattern: &[String], path: &[String]) -> bool {
    match pattern.split_first() {
        None => path.is_empty(),
        Some((first, rest)) if first == "**" => {
            (0..=path.len()).any(|taken| matches(rest, &path[taken..]))
        }
        Some((first, rest)) => path.split_first().is_some_and(|(name, below)| {
            glob(first.as_bytes(), name.as_bytes()) && matches(rest, below)
        }),
    }
}

/// Whether something below `folder` could match `pattern`.
fn leads(pattern: &[String], folder: &[String]) -> bool {
    match (pattern.split_first(), folder.split_first()) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some((first, _)), _) if first == "**" => true,
        (Some((first, rest)), Some((name, below))) => {
            glob(first.as_bytes(), name.as_bytes()) && leads(rest, below)
        }
    }
}

/// `*` is any run of characters, `?` any one, `\` takes the next as it is, `[a-z]` one of a set.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    match pattern {
        [] => name.is_empty(),
        [b'*', rest @ ..] => (0..=name.len()).any(|taken| glob(rest, &name[taken..])),
        [b'?', rest @ ..] => !name.is_empty() && glob(rest, &name[1..]),
        [b'[', rest @ ..] if rest.contains(&b']') => {
            let end = rest.iter().position(|&byte| byte == b']').unwrap_or(rest.len());
            name.split_first().is_some_and(|(&byte, below)| {
                in_set(&rest[..end], byte) && glob(&rest[end + 1..], below)
            })
        }
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => {
            name.first() == Some(literal) && glob(rest, &name[1..])
        }
    }
}

fn in_set(set: &[u8], byte: u8) -> bool {
    let (set, negated) = match set {
        [b'^', rest @ ..] => (rest, true),
        _ => (set, false),
    };
    let mut found = false;
    let mut rest = set;
    while let Some((&first, after)) = rest.split_first() {
        rest = match after {
            [b'-', last, after @ ..] => {
                found |= (first..=*last).contains(&byte);
                after
            }
            _ => {
                found |= first == byte;
                after
            }
        };
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen<'a>(rules: &str, paths: &[&'a str]) -> Vec<&'a str> {
        let ignore = Ignore::parse(rules);
        paths.iter().copied().filter(|path| !ignore.hides(Path::new(path))).collect()
    }

    #[test]
    fn the_last_rule_that_matches_decides() {
        let paths = ["a", "a/b", "a/b/c.rs", "x/Cargo.toml", "x/y/Cargo.toml", "target/x"];
        assert_eq!(seen("", &paths), paths);
        assert_eq!(seen("# nothing\ntarget/\n", &paths), paths[..5]);
        assert_eq!(seen("*\n!a/b\n!*/Cargo.toml", &paths), ["a/b", "a/b/c.rs", "x/Cargo.toml"]);
        assert_eq!(seen("**/*.toml\n/a", &paths), ["target/x"]);
        assert_eq!(seen("*\n!**/*.toml\nx/y", &paths), ["x/Cargo.toml"]);
        assert_eq!(seen("?\n[s-u]arget", &paths), Vec::<&str>::new());
    }

    #[test]
    fn a_hidden_folder_is_entered_only_for_an_exception() {
        let ignore = Ignore::parse("*\n!a/b/src\n!*/Cargo.toml");
        let below = |path: &str| !ignore.hides_all_below(Path::new(path));
        assert!(below("a") && below("a/b") && below("target") && below("a/b/src"));
        assert!(!below("target/release") && !below("a/c"));
        assert!(Ignore::parse("*\n!**/x").0.len() == 2);
        assert!(!Ignore::parse("*\n!**/x").hides_all_below(Path::new("deep/er")));
    }
}
