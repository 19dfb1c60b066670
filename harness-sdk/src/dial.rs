//! A dialer's life: meet or be told, connect, measure, report.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use crate::config::Config;
use crate::coordination::{Meeting, Store};
use crate::cost::{Cost, Costed};
use crate::failure::{Class, Failure, Phase};
use crate::handshakes;
use crate::life_cycle::{Outcome, catch_signals, check_stack, contain};
use crate::node::{Connection, Details, Node};
use crate::plan::{self, Conduct, Measurements};
use crate::progress::Event;
use crate::report::Report;
use crate::signals::{Signals, Stop};
use crate::transport_info::TransportInfo;

/// For one attempt to connect, negotiation included.
const DIAL_LIMIT: Duration = Duration::from_secs(10);

/// For telling the peer that this was all.
const FAREWELL: Duration = Duration::from_millis(200);

/// While a first address is being dialed this long, nothing else asks Redis: a poll would stand in
/// the measured handshake.
const UNDISTURBED_DIAL: Duration = Duration::from_secs(1);

/// Dials, measures and makes the document. With an `address` it is dialed once; else the listener
/// is met through Redis.
pub(crate) async fn dial<N: Node>(
    node: Arc<N>,
    config: Config,
    address: Option<String>,
) -> Outcome {
    let (report_node, stack) = (Arc::clone(&node), config.stack);
    let load = config.load.has_transfers(&config.plan).then_some(config.load);
    let progress = config.progress;
    let shared = Arc::new(Mutex::new(Run::default()));
    let inside = Arc::clone(&shared);
    let dialing = async move {
        let mut run = inside.lock().await;
        let mut signals = catch_signals()?;
        check_stack(node.as_ref(), &config)?;
        check_load(node.as_ref(), &config)?;
        measure_until_stopped(node.as_ref(), &config, address, &mut signals, &mut run).await
    };
    let result = contain(dialing).await;
    // A panic inside has released the lock; what was measured before it is still there.
    let run = shared.lock().await;
    let failure = result.err();
    let report = Report {
        name: report_node.name(),
        version: report_node.version(),
        stack: Some(stack),
        details: run.details.clone(),
        transport: run.transport,
        cost: run.cost.clone(),
        load,
    };
    let document = Some(report.document(&run.measurements, failure.as_ref()));
    Outcome { document, failure, form: progress.form }
}

/// What a dialer has so far.
#[derive(Default)]
struct Run {
    details: Details,
    measurements: Measurements,
    phase: Option<Phase>,
    transport: Option<TransportInfo>,
    cost: Cost,
}

impl Run {
    fn phase(&self) -> Phase {
        let section = self.measurements.current.first().map(|current| current.samples.phase);
        section.or(self.phase).unwrap_or(Phase::Configuration)
    }
}

async fn measure_until_stopped<N: Node>(
    node: &N,
    config: &Config,
    address: Option<String>,
    signals: &mut Signals,
    run: &mut Run,
) -> Result<(), Failure> {
    let deadline = async {
        match config.timeout {
            Some(limit) => sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    let mut connections = Vec::new();
    let stopped = tokio::select! {
        result = measure(node, config, address, &mut connections, run) => Ok(result),
        stop = signals.stop() => Err(match stop {
            Stop::Interrupt => (Class::Interrupted, "interrupted by SIGINT".to_owned()),
            Stop::Terminate => (Class::Transfer, "ended by SIGTERM before all was measured".to_owned()),
        }),
        () = deadline => {
            let seconds = config.timeout.unwrap_or_default().as_secs_f64();
            Err((Class::Transfer, format!("not done within PERF_TIMEOUT_SECS, {seconds} s")))
        }
    };
    run.transport = connections.first().and_then(Connection::transport);
    close(connections).await;
    stopped.unwrap_or_else(|(class, message)| Err(Failure::new(class, run.phase(), message)))
}

/// What it connects is left in `connections`, however it ends: the caller closes it.
async fn measure<N: Node>(
    node: &N,
    config: &Config,
    address: Option<String>,
    connections: &mut Vec<Costed<N::Connection>>,
    run: &mut Run,
) -> Result<(), Failure> {
    let (connection, address) = match address {
        Some(address) => {
            run.phase = Some(Phase::Dial);
            (connect(node, config, &address).await?, address)
        }
        None => {
            run.phase = Some(Phase::Coordination);
            let mut meeting = Meeting::new(config)?;
            let first = meeting.first().await?;
            run.phase = Some(Phase::Dial);
            meet(node, config, &mut meeting, first).await?
        }
    };
    run.details = connection.details();
    connections.push(Costed::new(connection, &run.cost));
    let several = config.load.has_transfers(&config.plan);
    while several && connections.len() < config.load.connections {
        let connection = connect(node, config, &address).await?;
        connections.push(Costed::new(connection, &run.cost));
    }
    let Config { plan, load, stall, progress, .. } = config;
    progress.tell(&Event::connected(&address, config.stack, connections.len(), &run.details));
    let conduct = Conduct { plan, load, stall: *stall, progress };
    plan::run(conduct, connections, &mut run.measurements).await?;
    if load.handshakes > 0 {
        // While these stand: a listener that ends with its dialer is not to take a moment without
        // connections for its end.
        let made = handshakes::measure(node, config, &address).await?;
        progress.tell(&Event::Section { section: "handshakes", iterations: made.completed });
        run.measurements.handshakes = Some(made);
    }
    Ok(())
}

/// Refuses a load that the stack cannot carry.
fn check_load<N: Node>(node: &N, config: &Config) -> Result<(), Failure> {
    let wanted = config.load.streams_at_once();
    match node.streams_at_once(&config.stack) {
        Some(most) if wanted > most => {
            let message = format!(
                "{} has at most {most} stream at a time on a connection, and this would be {wanted}: leave out --streams, --bidirectional and --latency-under-load, or give --connections",
                config.stack
            );
            Err(Failure::new(Class::Usage, Phase::Configuration, message))
        }
        _ => Ok(()),
    }
}

/// Tells the peer that this was all, on each of its connections.
pub(crate) async fn close<C: Connection>(connections: impl IntoIterator<Item = C>) {
    let farewells = connections.into_iter().map(Connection::close);
    // The peer sees the end of the process all the same.
    let _ = timeout(FAREWELL, join_all(farewells)).await;
}

/// Dials what is published. While an attempt lasts or has failed, a *changed* address within the
/// window replaces it: the first may have been a dead listener's.
async fn meet<N: Node, S: Store>(
    node: &N,
    config: &Config,
    meeting: &mut Meeting<S>,
    mut address: String,
) -> Result<(N::Connection, String), Failure> {
    loop {
        tracing::debug!("dialing {address}");
        let dialed = tokio::select! {
            dialed = connect(node, config, &address) => dialed,
            changed = changed_address(meeting, &address) => {
                address = changed?;
                continue;
            }
        };
        let failure = match dialed {
            Ok(connection) => return Ok((connection, address)),
            Err(failure) if failure.class != Class::Connect => return Err(failure),
            Err(failure) => failure,
        };
        tracing::debug!("dialing {address} failed ({failure}); waiting for another");
        match meeting.changed(&address).await? {
            Some(changed) => address = changed,
            None => return Err(failure),
        }
    }
}

/// An address other than `stale`, once there is one; never returns where the window ends first.
async fn changed_address<S: Store>(
    meeting: &mut Meeting<S>,
    stale: &str,
) -> Result<String, Failure> {
    sleep(UNDISTURBED_DIAL).await;
    match meeting.changed(stale).await? {
        Some(address) => Ok(address),
        None => std::future::pending().await,
    }
}

pub(crate) async fn connect<N: Node>(
    node: &N,
    config: &Config,
    address: &str,
) -> Result<N::Connection, Failure> {
    match timeout(DIAL_LIMIT, node.dial(config, address)).await {
        Ok(dialed) => dialed.map_err(|error| Failure::from_error(Phase::Dial, error)),
        Err(_) => {
            let seconds = DIAL_LIMIT.as_secs();
            let message =
                format!("{address}: no connection with {} within {seconds} s", config.stack);
            Err(Failure::new(Class::Connect, Phase::Dial, message))
        }
    }
}
