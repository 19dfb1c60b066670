//! perf-node's arguments, a line each: what was asked for, held to its own bounds, or a refusal in that role.

#![no_main]

use std::ffi::OsString;
use std::time::Duration;

use harness_sdk::config::{Role, Settings};
use libfuzzer_sys::fuzz_target;
use perf_fuzz::hold;
use perf_node::PerfNode;
use perf_node::cli::{Invocation, Refused, invocation};

fuzz_target!(|text: &str| {
    let arguments = ["perf-node"].into_iter().chain(text.split('\n')).map(OsString::from);
    let nothing = Settings::from_lookup(|_| None);
    match invocation(arguments, nothing, &mut PerfNode::default()) {
        Ok(Invocation::Listen { config, limits }) => {
            hold(&config);
            let counts = [limits.streams, limits.connections];
            assert!(!counts.contains(&Some(0)));
            assert!(limits.rate != Some(0) && limits.duration != Some(Duration::ZERO));
            assert!(limits.check(&config.stack).is_ok());
        }
        Ok(
            Invocation::Dial { config, .. }
            | Invocation::ProbeServer { config, .. }
            | Invocation::ProbeClient { config, .. },
        ) => hold(&config),
        Ok(Invocation::Tool(_)) => {}
        Ok(Invocation::Contract(_)) => panic!("nothing in the environment asks for it"),
        Err(Refused::Arguments(error)) => assert!([0, 2].contains(&error.exit_code())),
        Err(Refused::Setting { role, invalid, .. }) => {
            let expected = match text.split('\n').next() {
                Some("listen") => Some(Role::Listener),
                Some("dial") => Some(Role::Dialer),
                _ => role,
            };
            assert_eq!(role, expected);
            assert!(!invalid.to_string().is_empty());
        }
    }
});
