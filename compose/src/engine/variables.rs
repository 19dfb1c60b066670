//! The contract's variables for one side of a cell.

use harness_sdk::Role;
use harness_sdk::config::{
    DEBUG, DOWNLOAD_BYTES, DOWNLOAD_ITERATIONS, DURATION, IS_DIALER, LATENCY_ITERATIONS,
    LISTENER_IP, MUXER, PERF_WARMUP, REDIS_ADDR, SECURE_CHANNEL, TEST_KEY, TRANSPORT, UPLOAD_BYTES,
    UPLOAD_ITERATIONS, Variable,
};
use harness_sdk::plan::{Amount, Direction, Plan};

use super::{Job, legacy};

/// Where the two sides meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rendezvous {
    /// The coordinator, `host:port`, as the nodes reach it.
    pub(super) redis_addr: String,
    /// What the listener binds.
    pub(super) listener_ip: String,
}

/// Every variable that `role` is given, and its value: the contract's, and where its implementation is
/// `legacy`, what that stood under before.
pub(super) fn variables(role: Role, job: &Job<'_>, meet: &Rendezvous) -> Vec<(String, String)> {
    let given = of_contract(role, job, meet);
    let legacy = match job.cell.side(role).legacy {
        true => legacy::variables(&given, job, meet),
        false => Vec::new(),
    };
    let given = given.into_iter().map(|(variable, value)| (variable.name.to_owned(), value));
    given.chain(legacy).collect()
}

fn of_contract(role: Role, job: &Job<'_>, meet: &Rendezvous) -> Vec<(&'static Variable, String)> {
    let stack = job.cell.stack;
    let mut variables = vec![
        (&IS_DIALER, (role == Role::Dialer).to_string()),
        (&REDIS_ADDR, meet.redis_addr.clone()),
        (&TEST_KEY, job.cell.key()),
        (&TRANSPORT, stack.transport.to_string()),
        (&DEBUG, job.debug.to_string()),
    ];
    variables.extend(stack.secure_channel.map(|channel| (&SECURE_CHANNEL, channel.to_string())));
    variables.extend(stack.muxer.map(|muxer| (&MUXER, muxer.to_string())));
    match role {
        Role::Dialer => variables.extend(of_plan(job.plan)),
        Role::Listener => variables.push((&LISTENER_IP, meet.listener_ip.clone())),
    }
    variables
}

pub(super) fn of_plan(plan: &Plan) -> Vec<(&'static Variable, String)> {
    let mut variables = vec![
        (&UPLOAD_ITERATIONS, plan.upload.iterations.to_string()),
        (&DOWNLOAD_ITERATIONS, plan.download.iterations.to_string()),
        (&LATENCY_ITERATIONS, plan.latency_iterations.to_string()),
    ];
    let mut duration = None;
    for (variable, Direction { amount, .. }) in
        [(&UPLOAD_BYTES, plan.upload), (&DOWNLOAD_BYTES, plan.download)]
    {
        match amount {
            Amount::Bytes(bytes) => variables.push((variable, bytes.to_string())),
            // DURATION is ignored for a direction whose bytes are given, so they are not.
            Amount::Duration(length) => duration = Some(length),
        }
    }
    variables.extend(duration.map(|length| (&DURATION, length.as_secs_f64().to_string())));
    // A node that does not know the variable is not told of a warm-up that there is none of.
    if plan.warmup > 0 {
        variables.push((&PERF_WARMUP, plan.warmup.to_string()));
    }
    variables
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use super::*;
    use crate::definitions::Definitions;
    use crate::engine::SideLogs;
    use crate::matrix;

    fn given(role: Role, transport: &str, amount: Amount) -> Vec<String> {
        let text = format!(
            "implementations: [{{id: a, transports: [{transport}], secureChannels: [tls], muxers: [yamux]}}]"
        );
        let definitions = Definitions::parse(&text, Path::new("impls.yaml")).unwrap();
        let cells = matrix::cells(&[&definitions.implementations[0]]).unwrap();
        let upload = Direction { amount: Amount::Bytes(7), iterations: 1 };
        let download = Direction { amount, iterations: 2 };
        let job = Job {
            cell: &cells[0],
            plan: &Plan { upload, download, latency_iterations: 3, warmup: 0 },
            timeout: Duration::from_secs(1),
            debug: false,
            logs: &SideLogs { dialer: PathBuf::new(), listener: PathBuf::new() },
            folder: Path::new(""),
        };
        let meet = Rendezvous {
            redis_addr: "127.0.0.1:1".to_owned(),
            listener_ip: "127.0.0.1".to_owned(),
        };
        let variables = variables(role, &job, &meet);
        let mut lines: Vec<_> =
            variables.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        lines.retain(|line| !line.starts_with("TEST_KEY="));
        lines
    }

    #[test]
    fn a_listener_is_told_the_stack_and_where_to_bind() {
        assert_eq!(
            given(Role::Listener, "tcp", Amount::Bytes(8)),
            [
                "IS_DIALER=false",
                "REDIS_ADDR=127.0.0.1:1",
                "TRANSPORT=tcp",
                "DEBUG=false",
                "SECURE_CHANNEL=tls",
                "MUXER=yamux",
                "LISTENER_IP=127.0.0.1",
            ]
        );
    }

    #[test]
    fn a_dialer_is_told_what_to_measure() {
        assert_eq!(
            given(Role::Dialer, "quic-v1", Amount::Bytes(8)),
            [
                "IS_DIALER=true",
                "REDIS_ADDR=127.0.0.1:1",
                "TRANSPORT=quic-v1",
                "DEBUG=false",
                "UPLOAD_ITERATIONS=1",
                "DOWNLOAD_ITERATIONS=2",
                "LATENCY_ITERATIONS=3",
                "UPLOAD_BYTES=7",
                "DOWNLOAD_BYTES=8",
            ]
        );
    }

    #[test]
    fn a_duration_takes_the_place_of_bytes() {
        let given = given(Role::Dialer, "quic-v1", Amount::Duration(Duration::from_millis(2500)));
        assert_eq!(given[given.len() - 2..], ["UPLOAD_BYTES=7", "DURATION=2.5"]);
    }
}
