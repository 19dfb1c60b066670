//! What a foreign node prints: read or refused, and what was read can be written and read again.

#![no_main]

use harness_sdk::Document;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(document) = Document::parse(text) else { return };
    let written = document.to_yaml();
    let read = Document::parse(&written).unwrap_or_else(|error| panic!("{error}:\n{written}"));
    // Written with six digits: what has been written once stays as it is.
    assert_eq!(read.to_yaml(), Document::parse(&read.to_yaml()).expect("written by us").to_yaml());
});
