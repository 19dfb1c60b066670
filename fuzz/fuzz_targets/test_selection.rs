//! A test-selection.yaml: read, or refused with the file's name; what was read past is said with it as well.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use perf_compose::definitions::Preselection;
use perf_compose::filter::{Aliases, Expression};

const FILE: &str = "test-selection.yaml";

fuzz_target!(|text: &str| {
    match Preselection::parse(text, Path::new(FILE), None) {
        Err(error) => assert!(error.to_string().contains(FILE)),
        Ok((preselection, warnings)) => {
            assert!(warnings.iter().all(|warning| warning.starts_with(FILE)));
            for filter in [preselection.select, preselection.ignore] {
                // Read or refused: a run says which.
                let _ = Expression::parse(&filter, &Aliases::default());
            }
        }
    }
});
