//! From measurements to the document.

use std::time::Duration;

use crate::cost::Cost;
use crate::document::{
    CpuPerGb, Document, FailureInfo, LatencyPercentiles, NodeInfo, Partial, PhasePercentiles,
    Phases, Section, StackInfo, round, rounded,
};
use crate::failure::{Failure, Phase};
use crate::node::Details;
use crate::plan::{self, Measurements};
use crate::stack::Stack;
use crate::stats::Percentiles;
use crate::transport_info::TransportInfo;
use crate::usage::Usage;

/// What a dialer knows of itself when it reports.
#[derive(Debug, Default)]
pub(crate) struct Report<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) stack: Option<Stack>,
    pub(crate) details: Details,
    /// What the transport did.
    pub(crate) transport: Option<TransportInfo>,
    /// What moving payload cost.
    pub(crate) cost: Cost,
}

impl Report<'_> {
    /// The document of what was measured, and of why it is not all.
    pub(crate) fn document(
        &self,
        measurements: &Measurements,
        failure: Option<&Failure>,
    ) -> Document {
        let section = |phase| {
            let samples = measurements.whole.iter().find(|samples| samples.phase == phase)?;
            Section::new(&samples.values, plan::unit(phase))
        };
        Document {
            upload: section(Phase::Upload),
            download: section(Phase::Download),
            latency: section(Phase::Latency),
            node: Some(self.node(measurements)),
            failure: failure.map(|failure| failure_info(failure, measurements)),
        }
    }

    fn node(&self, measurements: &Measurements) -> NodeInfo {
        let at = |percentiles: &Option<Percentiles>, p| {
            percentiles.as_ref().and_then(|percentiles| percentiles.at_ms(p)).map(round)
        };
        let of_phase = |percentiles: &Option<Percentiles>| {
            percentiles
                .is_some()
                .then(|| PhasePercentiles { p50: at(percentiles, 0.5), p99: at(percentiles, 0.99) })
        };
        let latency = &measurements.latency;
        let milliseconds = |(name, time): &(&'static str, Duration)| {
            ((*name).to_owned(), round(time.as_secs_f64() * 1e3))
        };
        let usage = Usage::now();
        NodeInfo {
            name: self.name.to_owned(),
            version: self.version.to_owned(),
            stack: self.stack.map(|stack| StackInfo {
                stack,
                negotiation: self.details.negotiation.map(str::to_owned),
                extra: self
                    .details
                    .stack
                    .iter()
                    .map(|(k, v)| ((*k).to_owned(), v.clone()))
                    .collect(),
            }),
            phases_ms: Phases {
                stream_open: of_phase(&measurements.stream_open),
                exchange: of_phase(&measurements.exchange),
                connection: self.details.phases.iter().map(milliseconds).collect(),
            },
            latency_percentiles_ms: latency.is_some().then(|| LatencyPercentiles {
                p50: at(latency, 0.5),
                p90: at(latency, 0.9),
                p95: at(latency, 0.95),
                p99: at(latency, 0.99),
            }),
            cpu_seconds: round(usage.cpu_seconds),
            cpu_seconds_per_gb: self.cost.per_gb().map(|CpuPerGb { upload, download }| CpuPerGb {
                upload: upload.map(round),
                download: download.map(round),
            }),
            peak_rss_bytes: usage.peak_rss_bytes,
            transport: self.transport.map(TransportInfo::rounded),
            clock: self.details.foreign_clock.clone(),
            extra: self.details.extra.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect(),
        }
    }
}

fn failure_info(failure: &Failure, measurements: &Measurements) -> FailureInfo {
    let current = measurements.current.as_ref();
    FailureInfo {
        class: failure.class,
        phase: failure.phase,
        message: failure.message.clone(),
        iteration: current.and_then(|current| current.iteration),
        partial: current.map(|current| Partial {
            bytes_sent: current.meter.bytes_sent(),
            bytes_received: current.meter.bytes_received(),
            samples: rounded(&current.samples.values),
            unit: plan::unit(current.samples.phase).to_owned(),
        }),
    }
}
