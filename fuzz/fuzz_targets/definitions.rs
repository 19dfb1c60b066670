//! A file of definitions: read, or refused with the file's name.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use perf_compose::definitions::Definitions;

fuzz_target!(|text: &str| {
    match Definitions::parse(text, Path::new("impls.yaml")) {
        Err(error) => assert!(error.to_string().contains("impls.yaml")),
        Ok(definitions) => assert!(definitions.servers.iter().any(|server| server.id == "local")),
    }
});
