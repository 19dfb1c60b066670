//! The runner: turns a file of implementations into a matrix of measured results.
//!
//! One datum's way, left to right, each step a module that knows nothing of those after it:
//!
//! | step | module | form |
//! |---|---|---|
//! | what there is | [`definitions`] | impls.yaml, validated |
//! | what is wanted | [`filter`], [`selection`] | expressions over names |
//! | what that makes | [`matrix`] | cells |
//! | what the nodes did | [`engine`] | a [`CellOutcome`](engine::CellOutcome): facts |
//! | what that means | [`verdict`](mod@verdict) | a status, with class and reason |
//! | what is kept | [`results`], [`journal`], [`folder`] | typed, on disk when it is done |
//! | what is gone on with | [`continuation`] | an earlier run's journal, compared |
//! | what is shown | [`report`], [`listing`], [`progress`] | YAML, Markdown, HTML, a table; which tests and why; a bar |
//!
//! [`check`](mod@check) looks at one node instead: rule by rule, against the contract.
//!
//! [`run`] goes through the cells in order, [`pass`](mod@pass) puts a run's folder around that, and
//! [`command`] is what the binary calls. Only [`options`] reads arguments and environment.
//!
//! The runner links no node: it starts processes and reads what they print.

pub mod chain;
pub mod check;
mod clock;
pub mod command;
pub mod continuation;
pub mod definitions;
pub mod dependencies;
pub mod engine;
pub mod expectation;
pub mod filter;
pub mod folder;
pub mod interrupt;
pub mod journal;
pub mod leftovers;
pub mod listing;
mod lock;
pub mod machine;
pub mod matrix;
pub mod options;
pub mod pass;
pub mod phase;
pub mod progress;
mod quiet;
pub mod report;
pub mod results;
pub mod run;
pub mod selection;
pub mod snapshot;
mod suggestion;
mod tools;
pub mod verdict;
