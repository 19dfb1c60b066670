//! From measurements to the document.

use std::time::Duration;

use crate::cost::Cost;
use crate::document::{
    CpuPerGb, Document, FailureInfo, LatencyPercentiles, LatencyUnderLoad, LoadInfo, NodeInfo,
    Partial, PhasePercentiles, Phases, Section, StackInfo, StreamsInfo, TailPercentiles, round,
    rounded,
};
use crate::failure::{Failure, Phase};
use crate::load::Load;
use crate::node::Details;
use crate::plan::{self, Current, Measurements, Streams};
use crate::stack::Stack;
use crate::stats::Percentiles;
use crate::transport_info::TransportInfo;
use crate::under_load::UnderLoad;
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
    /// How uploads and downloads were run, where there were any.
    pub(crate) load: Option<Load>,
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
            load: self.load_info(measurements),
            latency_under_load: measurements.under_load.as_ref().map(under_load_info),
            handshakes: measurements.handshakes.clone(),
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

    /// What is not as the contract has it: absent where all is.
    fn load_info(&self, measurements: &Measurements) -> Option<LoadInfo> {
        let load = self.load?;
        let Load { connections, streams, bidirectional, omit, .. } = load;
        let plain = Load { latency_under: None, handshakes: 0, ..load } == Load::default();
        let of = |phase| {
            let whole = measurements.whole.iter().find(|samples| samples.phase == phase)?;
            let Streams { moved, fairness } = whole.streams.as_ref()?;
            let stream_gbps = moved.iter().map(|moved| round(plan::rate(*moved))).collect();
            Some(StreamsInfo { stream_gbps, fairness: rounded(fairness) })
        };
        (!plain).then(|| LoadInfo {
            connections: connections as u64,
            streams: streams as u64,
            bidirectional,
            omit_seconds: round(omit.as_secs_f64()),
            upload: of(Phase::Upload),
            download: of(Phase::Download),
        })
    }
}

fn under_load_info(measured: &UnderLoad) -> LatencyUnderLoad {
    let at = |p| measured.latency.at_ms(p).map(round);
    let gbps = |phase| {
        let found = measured.goodput.iter().find(|(of, _)| *of == phase);
        found.map(|(_, gbps)| round(*gbps))
    };
    LatencyUnderLoad {
        beside: measured.beside.as_str().to_owned(),
        exchanges: measured.latency.count(),
        percentiles_ms: TailPercentiles { p50: at(0.5), p99: at(0.99), p99_9: at(0.999) },
        upload_gbps: gbps(Phase::Upload),
        download_gbps: gbps(Phase::Download),
    }
}

fn failure_info(failure: &Failure, measurements: &Measurements) -> FailureInfo {
    // Of two directions at once, the one that broke.
    let broken = |current: &&Current| current.samples.phase == failure.phase;
    let current = measurements.current.iter().find(broken).or(measurements.current.first());
    FailureInfo {
        class: failure.class,
        phase: failure.phase,
        message: failure.message.clone(),
        iteration: current.and_then(|current| current.iteration),
        partial: current.map(|current| Partial {
            bytes_sent: current.bytes_sent(),
            bytes_received: current.bytes_received(),
            samples: rounded(&current.samples.values),
            unit: plan::unit(current.samples.phase).to_owned(),
        }),
    }
}
