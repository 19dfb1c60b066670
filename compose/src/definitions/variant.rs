//! An implementation that is built otherwise for some of its transports: with a browser, say.

use harness_sdk::Transport;
use serde::Deserialize;

use super::check::{accepted_in_ids, duplicate};
use super::locate::Step::{self, Index, Key};
use super::{Implementation, Process, Source, known};
use crate::suggestion;

/// What is built and started in place of the implementation's own, over some of its transports.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Variant {
    /// Stands behind the implementation's id in the names of images, build logs and the like.
    pub name: String,
    /// Where it takes the implementation's place.
    #[serde(deserialize_with = "known::transports")]
    pub transports: Vec<Transport>,
    /// In place of the implementation's `source`, where given.
    pub source: Option<Source>,
    /// In place of the implementation's `process`, where given.
    pub process: Option<Process>,
    /// The implementation with these in place; made when all of it has been read.
    #[serde(skip)]
    build: Option<Box<Implementation>>,
}

impl Implementation {
    /// What is built and started for `transport`: this, or the variant of it that is for that.
    pub fn over(&self, transport: Transport) -> &Self {
        let variant = self.variants.iter().find(|variant| variant.transports.contains(&transport));
        variant.and_then(|variant| variant.build.as_deref()).unwrap_or(self)
    }

    /// What images, builds and logs of it are called: its id, with the variant's name behind if it is one.
    pub fn build_name(&self) -> &str {
        self.variant.as_deref().unwrap_or(&self.id)
    }

    /// Every name that [`build_name`](Self::build_name) gives for it and its variants.
    pub(super) fn build_names(&self) -> Vec<String> {
        let variants = self.variants.iter().map(|variant| format!("{}-{}", self.id, variant.name));
        std::iter::once(self.id.clone()).chain(variants).collect()
    }

    /// Makes the builds of its variants.
    pub(super) fn resolve_variants(&mut self) {
        let plain = Self { variants: Vec::new(), ..self.clone() };
        for variant in &mut self.variants {
            let mut build = plain.clone();
            build.variant = Some(format!("{}-{}", plain.id, variant.name));
            build.source = variant.source.clone().unwrap_or(build.source);
            build.process = variant.process.clone().or(build.process);
            variant.build = Some(Box::new(build));
        }
    }

    /// What is wrong with its variants, and where.
    pub(super) fn variants_problem(&self) -> Option<(Vec<Step<'static>>, String)> {
        let names = self.variants.iter().map(|variant| &variant.name);
        if let Some((index, name)) = duplicate(names) {
            let message = format!("variant \"{name}\" is defined twice; names must differ");
            return Some((vec![Key("variants"), Index(index), Key("name")], message));
        }
        let mut taken: Vec<Transport> = Vec::new();
        self.variants.iter().enumerate().find_map(|(index, variant)| {
            let problem = variant.problem(self, &taken);
            taken.extend(&variant.transports);
            let (inner, message) = problem?;
            let path = [Key("variants"), Index(index)].into_iter().chain(inner).collect();
            Some((path, message))
        })
    }
}

impl Variant {
    fn problem(
        &self,
        of: &Implementation,
        taken: &[Transport],
    ) -> Option<(Vec<Step<'static>>, String)> {
        let at = |key, message: String| Some((vec![Key(key)], message));
        if self.name.is_empty() || !self.name.chars().all(accepted_in_ids) {
            let message = "a name is made of letters, digits, `.`, `_` and `-`, at least one";
            return at("name", message.to_owned());
        }
        for transport in &self.transports {
            if !of.transports.contains(transport) {
                let own = of.transports.iter().map(|transport| transport.as_str());
                let known = suggestion::known(transport.as_str(), own);
                let message = format!("\"{transport}\" is not one of its `transports`{known}");
                return at("transports", message);
            }
            if taken.contains(transport) {
                return at("transports", format!("\"{transport}\" has a variant already"));
            }
        }
        if self.source.is_none() && self.process.is_none() {
            return at(
                "name",
                "it changes nothing; expected `source`, `process` or both".to_owned(),
            );
        }
        if let Some(message) = self.process.as_ref().and_then(Process::problem) {
            return at("process", message.to_owned());
        }
        let (key, message) = self.source.as_ref()?.problem()?;
        Some((vec![Key("source"), Key(key)], message))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::definitions::{Definitions, Words};

    fn parse(rest: &str) -> Result<Definitions, String> {
        let text =
            format!("implementations:\n- {{id: js, transports: [tcp, webtransport]{rest}}}\n");
        Definitions::parse(&text, Path::new("impls.yaml")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_variant_stands_in_over_its_transports_and_is_the_implementation_in_all_else() {
        let definitions = parse(
            ", env: {A: b}, source: {path: x}, process: {command: node a},
              variants: [{name: browser, transports: [webtransport], process: {command: node b}}]",
        )
        .unwrap();
        let plain = &definitions.implementations[0];
        assert_eq!((plain.over(Transport::Tcp), plain.build_name()), (plain, "js"));
        let variant = plain.over(Transport::Webtransport);
        assert_eq!((variant.id.as_str(), variant.build_name()), ("js", "js-browser"));
        assert_eq!(
            variant.process.as_ref().unwrap().command,
            Words(vec!["node".to_owned(), "b".to_owned()])
        );
        assert_eq!((&variant.source, &variant.env), (&plain.source, &plain.env));
        assert_eq!(variant.transports, plain.transports);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let variant = |rest: &str| parse(&format!(", variants: [{{{rest}}}]")).unwrap_err();
        let process = "process: {command: x}";
        let cases = [
            (format!("transports: [tcp], {process}"), "missing field `name`"),
            (format!("name: b, {process}"), "missing field `transports`"),
            (
                format!("name: b, transports: [webtransprt], {process}"),
                "unknown transport \"webtransprt\"; did you mean \"webtransport\"?",
            ),
            (
                format!("name: b, transports: [ws], {process}"),
                "impls.yaml:2:66: implementations[0] (js): \"ws\" is not one of its `transports`",
            ),
            (format!("name: b, transports: [], {process}"), "`transports` is empty"),
            (format!("name: b c, transports: [tcp], {process}"), "a name is made of"),
            ("name: b, transports: [tcp]".to_owned(), "it changes nothing; expected `source`"),
            (
                "name: b, transports: [tcp], process: {command: []}".to_owned(),
                "`process.command` is empty",
            ),
            (
                "name: b, transports: [tcp], source: {type: github, repo: x/y}".to_owned(),
                "such a source needs `commit`",
            ),
        ];
        for (text, expected) in cases {
            let error = variant(&text);
            assert!(error.contains(expected), "{text}\n  gave     {error}\n  expected {expected}");
        }
    }

    #[test]
    fn variants_do_not_overlap_and_their_names_are_their_own() {
        let two = |first: &str, second: &str| {
            let variant = |words: &str| format!("{{{words}, process: {{command: x}}}}");
            parse(&format!(", variants: [{}, {}]", variant(first), variant(second))).unwrap_err()
        };
        let error = two("name: b, transports: [tcp]", "name: b, transports: [webtransport]");
        assert!(error.contains("variant \"b\" is defined twice"), "{error}");
        let error = two("name: b, transports: [tcp]", "name: c, transports: [tcp]");
        assert!(error.contains("\"tcp\" has a variant already"), "{error}");
        let text = "implementations:
- {id: a, transports: [tcp], variants: [{name: b, transports: [tcp], process: {command: x}}]}
- {id: a-b, transports: [tcp]}";
        let error = Definitions::parse(text, Path::new("x")).unwrap_err().to_string();
        assert!(error.contains("would both be called \"a-b\""), "{error}");
    }

    #[test]
    fn unknown_keys_in_variants_are_told() {
        let definitions = parse(
            ", variants: [{name: b, transport: x, transports: [tcp], source: {dockerfil: y}}]",
        );
        assert_eq!(
            definitions.unwrap().warnings,
            [
                "impls.yaml:2: implementations[0] (js).variants[0]: unknown key \"transport\"; did you mean \"transports\"?",
                "impls.yaml:2: implementations[0] (js).variants[0].source: unknown key \"dockerfil\"; did you mean \"dockerfile\"?",
            ]
        );
    }
}
