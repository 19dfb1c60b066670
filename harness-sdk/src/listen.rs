//! A listener's life: bind, announce, serve, end.

use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::timeout;

use crate::config::Config;
use crate::coordination::Meeting;
use crate::failure::{Class, Failure, Phase};
use crate::life_cycle::{catch_signals, check_stack};
use crate::node::{Listener, Node, Shutdown};
use crate::route::usable_ips;

/// For a listener to end by itself once it was asked to.
const FAREWELL: Duration = Duration::from_millis(800);

/// How a listener's address becomes known.
pub(crate) enum Announce {
    /// Under the contract's key.
    Redis,
    /// On stdout, with a hint on stderr made of the first address.
    Stdout(Box<dyn Fn(&str) -> String + Send + Sync>),
}

/// Binds, makes the address known and serves until a signal.
pub(crate) async fn listen<N: Node>(
    node: &N,
    config: &Config,
    announce: &Announce,
) -> Result<(), Failure> {
    let mut signals = catch_signals()?;
    check_stack(node, config)?;
    let listener =
        node.listen(config).await.map_err(|error| Failure::from_error(Phase::Listen, error))?;
    let bound = listener.local_addr();
    // Every address someone could ask for, before `serve` takes the listener.
    let addresses: Vec<_> =
        usable_ips(bound.ip()).into_iter().map(|ip| (ip, listener.address(ip))).collect();
    let (stop, shutdown) = Shutdown::new();
    let announcing = async {
        match announce {
            Announce::Redis => publish(config, bound.ip(), &addresses).await?,
            Announce::Stdout(hint) => show(&addresses, hint)?,
        }
        std::future::pending::<Result<(), Failure>>().await
    };
    let serving = listener.serve(shutdown);
    tokio::pin!(serving);
    let ended = tokio::select! {
        result = &mut serving => Some(result),
        result = announcing => return result,
        stop = signals.stop() => {
            tracing::debug!("asked to end: {stop:?}");
            None
        }
    };
    let result = match ended {
        Some(result) => result,
        None => {
            stop.request();
            timeout(FAREWELL, &mut serving).await.unwrap_or(Ok(()))
        }
    };
    result.map_err(|error| Failure::from_error(Phase::Listen, error))
}

async fn publish(
    config: &Config,
    bound: IpAddr,
    addresses: &[(IpAddr, String)],
) -> Result<(), Failure> {
    let made = |ip| {
        let found = addresses.iter().find(|(usable, _)| *usable == ip);
        found.map(|(_, address)| address.clone())
    };
    let published = Meeting::new(config)?.publish(bound, made).await?;
    tracing::info!("listening on {published}");
    Ok(())
}

fn show(
    addresses: &[(IpAddr, String)],
    hint: &(dyn Fn(&str) -> String + Send + Sync),
) -> Result<(), Failure> {
    let Some((_, first)) = addresses.first() else {
        let message = "this machine has no address of the family that was bound";
        return Err(Failure::new(Class::Environment, Phase::Listen, message));
    };
    let mut stdout = std::io::stdout().lock();
    let written = addresses
        .iter()
        .try_for_each(|(_, address)| writeln!(stdout, "{address}"))
        .and_then(|()| stdout.flush());
    written.map_err(|error| {
        let message = format!("cannot write the address to stdout: {error}");
        Failure::new(Class::Environment, Phase::Report, message)
    })?;
    let _ = writeln!(std::io::stderr().lock(), "{}", hint(first));
    Ok(())
}
