//! The environment, and flags over it: a configuration that holds to its own bounds, or an error that names a setting.

#![no_main]

use harness_sdk::config::{Config, Role, Settings, VARIABLES};
use libfuzzer_sys::fuzz_target;
use perf_fuzz::hold;

fuzz_target!(|input: (Vec<(u8, String)>, Option<(u8, String)>)| {
    let (set, flag) = input;
    let variable = |index: u8| VARIABLES[usize::from(index) % VARIABLES.len()];
    let settings = Settings::from_lookup(|name| {
        set.iter()
            .rev()
            .find(|(index, _)| variable(*index).name == name)
            .map(|(_, text)| text.clone())
    });
    let settings = match flag {
        Some((index, text)) => settings.with_flag(variable(index), Some(text)),
        None => settings,
    };
    for read in [
        Config::from_contract(&settings),
        Config::by_hand(Role::Dialer, settings.clone()),
        Config::by_hand(Role::Listener, settings.clone()),
    ] {
        match read {
            Ok(config) => hold(&config),
            Err(error) => {
                let told = error.to_string();
                let named = |name: &&&harness_sdk::config::Variable| {
                    told.contains(name.name) || told.contains(&format!("--{}", name.flag))
                };
                assert!(VARIABLES.iter().any(|name| named(&name)), "{told}");
            }
        }
    }
});
