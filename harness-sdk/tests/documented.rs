//! `docs/contract.md` against the code that it describes.

use harness_sdk::config::VARIABLES;
use harness_sdk::document::Section;
use harness_sdk::{Class, Document};

const CONTRACT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/contract.md"));

/// The rows of the table whose header begins with `first`: trimmed cells, without backticks.
fn table(first: &str) -> Vec<Vec<String>> {
    let header = format!("| {first} |");
    CONTRACT
        .lines()
        .skip_while(|line| !line.starts_with(&header))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.split('|').skip(1).map(|cell| cell.trim().replace('`', "")).collect())
        .collect()
}

/// The YAML blocks, without their comments.
fn documents() -> Vec<String> {
    let blocks = CONTRACT.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.map(without_comments).collect()
}

fn without_comments(block: &str) -> String {
    block
        .lines()
        .map(|line| line.split("  #").next().unwrap_or_default().trim_end())
        .filter(|line| !line.is_empty())
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn every_variable_stands_in_its_row() {
    let rows = table("variable");
    let documented: Vec<_> = rows.iter().map(|row| row[0].as_str()).collect();
    let coded: Vec<_> = VARIABLES.iter().map(|variable| variable.name).collect();
    assert_eq!(documented, coded);
    for (row, variable) in rows.iter().zip(VARIABLES) {
        let flag = match variable.flag {
            "" => "none".to_owned(),
            flag => format!("--{flag}"),
        };
        assert_eq!(row[1], flag, "{}", variable.name);
        assert!(["both", "dialer", "listener"].contains(&row[2].as_str()), "{}", variable.name);
        assert_eq!(row[3], variable.accepts, "{}", variable.name);
        assert_eq!(row[4], variable.default, "{}", variable.name);
    }
}

#[test]
fn every_class_stands_in_the_table_of_exit_statuses() {
    let rows = table("status");
    let documented: Vec<_> = rows
        .iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .filter(|row| row.0 != "0")
        .collect();
    let coded: Vec<_> = Class::ALL
        .iter()
        .map(|class| (class.exit_status().to_string(), class.to_string()))
        .collect();
    assert_eq!(documented, coded);
}

#[test]
fn the_examples_are_what_a_dialer_prints() {
    let documents = documents();
    assert_eq!(documents.len(), 2, "one that succeeded, one that failed");
    for text in documents {
        let document = Document::parse(&text).unwrap();
        assert_eq!(document.to_yaml(), text);
        let sections = [&document.upload, &document.download, &document.latency];
        for section in sections.into_iter().flatten() {
            // Statistics and samples of an example belong together.
            assert_eq!(Section::new(&section.samples, &section.unit).as_ref(), Some(section));
        }
    }
}
