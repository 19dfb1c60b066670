//! `--check-deps`: what the selected tests need of this machine, and what is not there.

use std::collections::BTreeMap;
use std::path::Path;

use comfy_table::{ContentLineStyle, LineStyle, Table, TableStyle};

use crate::definitions::{Definitions, Implementation, ServerKind};
use crate::engine;
use crate::matrix::{self, Cell};
use crate::tools::{self, Found};

/// What runs the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The tools that implementations are built and started with.
    Processes,
    /// Docker.
    Containers,
}

/// What was found.
#[derive(Debug)]
pub struct Report {
    /// For people.
    pub text: String,
    /// Whether every selected test could run.
    pub complete: bool,
}

/// A program, who needs it, and whether it is there.
struct Row<'a> {
    name: &'a str,
    users: Vec<&'a str>,
    found: Found,
}

/// Looks for everything that `cells` need; the definitions' paths are relative to `root`.
pub async fn check(
    definitions: &Definitions,
    cells: &[Cell<'_>],
    root: &Path,
    needs: Needs,
) -> Report {
    let sides = matrix::builds(cells);
    let rows = rows(&sides, root, needs).await;
    let mut lost: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for row in &rows {
        if let Found::Missing(_) = row.found {
            for user in &row.users {
                lost.entry(user).or_default().push(format!("{} is missing", row.name));
            }
        }
    }
    for side in &sides {
        for reason in reasons(definitions, side, root, needs) {
            lost.entry(side.build_name()).or_default().push(reason);
        }
    }
    let cost = |ids: &dyn Fn(&str) -> bool| {
        let sides =
            |cell: &&Cell<'_>| ids(cell.dialer.build_name()) || ids(cell.listener.build_name());
        let possible = cells.iter().filter(|cell| cell.unsupported().is_none());
        possible.filter(sides).count()
    };
    let costs: Vec<_> = rows.iter().map(|row| cost(&|id| row.users.contains(&id))).collect();
    let mut text = format!("{}\n", table(&rows, &costs).trim_fmt());
    for (id, reasons) in &lost {
        let cells = cost(&|other| other == *id);
        text.push_str(&format!(
            "\n{id} cannot run, which costs {cells} tests: {}\n",
            reasons.join("; ")
        ));
    }
    let can = cells.len() - cost(&|id| lost.contains_key(id));
    text.push_str(&format!("\n{can} of {} selected tests can run here\n", cells.len()));
    Report { text, complete: can == cells.len() }
}

async fn rows<'a>(sides: &[&'a Implementation], root: &Path, needs: Needs) -> Vec<Row<'a>> {
    let mut users: Vec<(&str, Vec<&str>)> = Vec::new();
    for side in sides {
        let tools = match needs {
            Needs::Processes => tools::tools_of(side),
            Needs::Containers => vec!["docker", "docker compose"],
        };
        for tool in tools {
            match users.iter_mut().find(|(name, _)| *name == tool) {
                Some((_, users)) => users.push(side.build_name()),
                None => users.push((tool, vec![side.build_name()])),
            }
        }
    }
    // Nobody's need, and good to know of: the other engine, the yardstick, the recorded commit.
    for tool in ["docker", "docker compose", "iperf3", "git"] {
        if !users.iter().any(|(name, _)| *name == tool) {
            users.push((tool, Vec::new()));
        }
    }
    let mut rows = Vec::new();
    for (name, users) in users {
        let found = tools::find(name, root).await;
        rows.push(Row { name, users, found });
    }
    rows
}

/// Why `side` cannot run, tools apart.
fn reasons(
    definitions: &Definitions,
    side: &Implementation,
    root: &Path,
    needs: Needs,
) -> Vec<String> {
    let server = definitions.server_of(side);
    let remote = server.filter(|server| server.kind == ServerKind::Remote);
    let remote = remote.map(|server| format!("server {} cannot be used yet", server.id));
    // Tools that are missing have a row of their own, and are in `lost` by that.
    let obstacle = match needs {
        Needs::Processes if side.process.is_none() => {
            Some("its definition has no `process`".to_owned())
        }
        Needs::Processes => None,
        Needs::Containers => engine::obstacle(side, root),
    };
    let gone = (needs == Needs::Processes).then(|| side.source.not_here(root)).flatten();
    [remote, obstacle, gone].into_iter().flatten().collect()
}

/// `costs`: for each row, how many tests cannot run without it.
fn table(rows: &[Row<'_>], costs: &[usize]) -> Table {
    let style = TableStyle::new()
        .header_lines(ContentLineStyle::none())
        .header_separator(LineStyle::none().fill('─').junction('─'))
        .content_lines(ContentLineStyle::none());
    let mut table = Table::new();
    table.load_style(style);
    table.set_header(["what", "found", "needed by", "costs tests", "what to do"]);
    for (Row { name, users, found }, cost) in rows.iter().zip(costs) {
        let (state, costs, advice) = match found {
            Found::Version(version) => (version.clone(), String::new(), ""),
            Found::There => ("yes".to_owned(), String::new(), ""),
            Found::Missing(reason) => {
                (format!("no: {reason}"), cost.to_string(), tools::how_to_install(name))
            }
        };
        let users = match users.is_empty() {
            true => "nothing selected".to_owned(),
            false => users.join(", "),
        };
        table.add_row([(*name).to_owned(), state, users, costs, advice.to_owned()]);
    }
    table
}
