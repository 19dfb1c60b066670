//! What is held against the rules: a node, how it is started, and the stacks that it is said to speak.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use harness_sdk::{Stack, Transport};

use super::Error;
use super::node::Node;
use super::variables::Vars;
use crate::definitions::Implementation;
use crate::engine::{DockerEngine, Engine, ProcessEngine};
use crate::matrix;

/// A node that can be started.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) implementation: Implementation,
    how: How,
    containers: AtomicU64,
}

#[derive(Debug)]
enum How {
    Process(ProcessEngine),
    Container {
        engine: DockerEngine,
        /// `None`: the one that is built for a transport.
        image: Option<String>,
    },
}

impl Subject {
    pub(super) fn process(implementation: Implementation, engine: ProcessEngine) -> Self {
        Self { implementation, how: How::Process(engine), containers: AtomicU64::new(0) }
    }

    pub(super) fn container(
        implementation: Implementation,
        engine: DockerEngine,
        image: Option<String>,
    ) -> Self {
        let how = How::Container { engine, image };
        Self { implementation, how, containers: AtomicU64::new(0) }
    }

    /// Whether starting it takes Docker's time as well.
    pub(super) fn is_container(&self) -> bool {
        matches!(self.how, How::Container { .. })
    }

    /// Starts what of it is for `transport` with `vars`, its stderr in `log`.
    pub(super) fn start(&self, transport: Transport, vars: &Vars, log: &Path) -> io::Result<Node> {
        let implementation = self.implementation.over(transport);
        match &self.how {
            How::Process(engine) => {
                let command = engine.node(implementation);
                let mut command =
                    command.ok_or_else(|| io::Error::other("nothing says how to start it"))?;
                command.envs(&vars.0);
                Node::start(command, log, None)
            }
            How::Container { engine, image } => {
                let number = self.containers.fetch_add(1, Ordering::Relaxed);
                let name = engine.container(number);
                let mut environment: BTreeMap<_, _> = implementation.env.clone();
                environment.extend(vars.0.clone());
                let built = || DockerEngine::image_of(implementation);
                let image = image.clone().unwrap_or_else(built);
                let options = &implementation.docker;
                let command = engine.foreground(&image, &name, options, &environment);
                Node::start(command, log, Some(name))
            }
        }
    }

    /// Gives back what its engine holds.
    pub(super) async fn close(self) -> Result<(), Error> {
        match self.how {
            How::Process(engine) => engine.clean_up().await?,
            How::Container { engine, .. } => engine.clean_up().await?,
        }
        Ok(())
    }
}

/// Every stack that `implementation` declares.
pub(super) fn stacks(implementation: &Implementation) -> Vec<Stack> {
    let transports = implementation.transports.iter();
    transports
        .flat_map(|transport| matrix::layers(*transport, implementation, implementation))
        .collect()
}

/// What perf-node can do for a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// Be its peer.
    Spoken,
    /// Nothing yet.
    NotYet,
    /// Nothing: it is no libp2p.
    Baseline,
}

impl Wire {
    pub(super) fn of(transport: Transport) -> Self {
        use Transport::{
            Https, Quic, QuicV1, RawNoise, RawQuic, RawTcp, RawTls, Tcp, WebrtcDirect,
            Webtransport, Ws,
        };
        match transport {
            Tcp | Ws | QuicV1 | Webtransport => Self::Spoken,
            WebrtcDirect => Self::NotYet,
            Https | Quic | RawTcp | RawTls | RawNoise | RawQuic => Self::Baseline,
        }
    }
}
