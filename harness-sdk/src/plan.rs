//! The iteration plan: what a dialer measures, in which order, and what remains when it breaks.

use std::time::Duration;

use crate::document::{Handshakes, round};
use crate::failure::{Failure, Phase};
use crate::load::{Flow, Load, Round, Share};
use crate::meter::Moved;
use crate::node::Connection;
use crate::progress::{Event, Part, Progress};
use crate::stats::{Percentiles, fairness, gbps};
use crate::transfer::Lane;
use crate::under_load::{self, UnderLoad};

/// What a dialer measures: uploads, then downloads, then latencies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// The upload section.
    pub upload: Direction,
    /// The download section.
    pub download: Direction,
    /// One-byte exchanges; 0 skips the section.
    pub latency_iterations: u64,
    /// Iterations run before each section's first, and not reported.
    pub warmup: u64,
}

impl Plan {
    /// Whether more is measured than exchanges of a byte.
    pub(crate) fn has_transfers(&self) -> bool {
        self.upload.iterations > 0 || self.download.iterations > 0
    }
}

/// One direction's section.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Direction {
    /// What one iteration moves.
    pub amount: Amount,
    /// How many iterations; 0 skips the section.
    pub iterations: u64,
}

/// What one iteration moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// One request of exactly this many bytes.
    Bytes(u64),
    /// Back-to-back bounded requests for about this long: whole requests are counted, and the
    /// time that they took is used.
    Duration(Duration),
}

/// What was measured so far. It stays behind when [`run`] is dropped in the middle, so that an
/// interrupted run reports what it finished.
#[derive(Debug, Default)]
pub struct Measurements {
    /// Sections whose every iteration was measured, in the order they ran.
    pub whole: Vec<Samples>,
    /// The section under way, with the iteration under way; two where uploads and downloads run at once.
    pub current: Vec<Current>,
    /// Milliseconds until a latency stream was open.
    pub stream_open: Option<Percentiles>,
    /// Milliseconds from there to the end of the exchange.
    pub exchange: Option<Percentiles>,
    /// Milliseconds of whole latency samples.
    pub latency: Option<Percentiles>,
    /// Latency beside transfers.
    pub(crate) under_load: Option<UnderLoad>,
    /// What making connections takes.
    pub(crate) handshakes: Option<Handshakes>,
}

/// A section's samples in time order.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// Upload, download or latency.
    pub phase: Phase,
    /// Gbps, or ms for latency.
    pub values: Vec<f64>,
    /// What each of several streams has had.
    pub(crate) streams: Option<Streams>,
}

/// What each of several streams at once has had, of the samples of a section.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Streams {
    /// By stream, over all samples: its bytes, and the time until its own receipts.
    pub(crate) moved: Vec<Moved>,
    /// Jain's index of the streams' rates, by sample.
    pub(crate) fairness: Vec<f64>,
}

/// The section under way.
#[derive(Debug)]
pub struct Current {
    /// The whole iterations so far.
    pub samples: Samples,
    /// The iteration under way, from 1; `None` during warm-up.
    pub iteration: Option<u64>,
    lanes: Vec<Lane>,
}

impl Current {
    fn new(phase: Phase, lanes: Vec<Lane>) -> Self {
        let samples = Samples { phase, values: Vec::new(), streams: None };
        Self { samples, iteration: None, lanes }
    }

    /// Payload bytes that the requests under way have handed to their streams.
    pub fn bytes_sent(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.latest().0).sum()
    }

    /// Payload bytes that the requests under way have read from their streams.
    pub fn bytes_received(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.latest().1).sum()
    }
}

/// The unit of a section's samples.
pub const fn unit(phase: Phase) -> &'static str {
    match phase {
        Phase::Latency => "ms",
        _ => "Gbps",
    }
}

/// How a plan is carried out.
#[derive(Clone, Copy, Debug)]
pub struct Conduct<'a> {
    /// What is measured.
    pub plan: &'a Plan,
    /// On how many streams of how many connections, and what else is.
    pub load: &'a Load,
    /// No byte for this long breaks an iteration.
    pub stall: Duration,
    /// What is said meanwhile.
    pub progress: &'a Progress,
}

/// Runs a plan over `connections`, section by section; the first broken iteration ends it. No
/// iteration is skipped and none repeated. Latency is the first connection's.
pub async fn run<C: Connection>(
    conduct: Conduct<'_>,
    connections: &[C],
    measurements: &mut Measurements,
) -> Result<(), Failure> {
    let Conduct { plan, load, stall, .. } = conduct;
    let bulk = Round { connections, streams: load.streams, stall };
    let first = &connections[..connections.len().min(1)];
    let mut runner = Runner { conduct, measurements };
    let (upload, download) =
        ((Phase::Upload, plan.upload.amount), (Phase::Download, plan.download.amount));
    if load.bidirectional {
        runner.section(&bulk, &[upload, download], plan.upload.iterations).await?;
    } else {
        runner.section(&bulk, &[upload], plan.upload.iterations).await?;
        runner.section(&bulk, &[download], plan.download.iterations).await?;
    }
    let exchange = Round { connections: first, streams: 1, stall };
    runner.section(&exchange, &[(Phase::Latency, ONE_BYTE)], plan.latency_iterations).await?;
    if let Some(beside) = load.latency_under {
        let measured = under_load::measure(conduct, beside, connections).await?;
        let (section, iterations) = ("latency_under_load", measured.latency.count());
        conduct.progress.tell(&Event::Section { section, iterations });
        measurements.under_load = Some(measured);
    }
    Ok(())
}

/// What a latency iteration moves, each way.
pub(crate) const ONE_BYTE: Amount = Amount::Bytes(1);

struct Runner<'a> {
    conduct: Conduct<'a>,
    measurements: &'a mut Measurements,
}

impl Runner<'_> {
    /// The section of one direction, or those of two that run at once.
    async fn section<C: Connection>(
        &mut self,
        round: &Round<'_, C>,
        directions: &[(Phase, Amount)],
        iterations: u64,
    ) -> Result<(), Failure> {
        if iterations == 0 {
            return Ok(());
        }
        let current = |(phase, _): &(Phase, Amount)| Current::new(*phase, round.lanes());
        self.measurements.current = directions.iter().map(current).collect();
        for _ in 0..self.conduct.plan.warmup {
            self.iteration(round, directions, None, iterations).await?;
        }
        for iteration in 1..=iterations {
            for current in &mut self.measurements.current {
                current.iteration = Some(iteration);
            }
            let flows = self.iteration(round, directions, Some(iteration), iterations).await?;
            for (at, flow) in flows.iter().enumerate() {
                self.record(at, flow, iteration, iterations);
            }
        }
        for Current { samples, .. } in self.measurements.current.drain(..) {
            let section = samples.phase.as_str();
            self.conduct.progress.tell(&Event::Section { section, iterations });
            self.measurements.whole.push(samples);
        }
        Ok(())
    }

    /// One iteration's flow by direction, less what is left out of its beginning.
    async fn iteration<C: Connection>(
        &self,
        round: &Round<'_, C>,
        directions: &[(Phase, Amount)],
        iteration: Option<u64>,
        iterations: u64,
    ) -> Result<Vec<Flow>, Failure> {
        let part = Part { iteration, iterations, omitted: false };
        let omit = self.conduct.load.omit;
        let timed = directions.iter().all(|(_, amount)| matches!(amount, Amount::Duration(_)));
        if omit.is_zero() || !timed {
            return self.part(round, directions, part, None).await;
        }
        let before: Vec<_> =
            directions.iter().map(|(phase, _)| (*phase, Amount::Duration(omit))).collect();
        let omitted = self.part(round, &before, Part { omitted: true, ..part }, None).await?;
        self.part(round, directions, part, Some(&omitted)).await
    }

    async fn part<C: Connection>(
        &self,
        round: &Round<'_, C>,
        directions: &[(Phase, Amount)],
        part: Part,
        after: Option<&[Flow]>,
    ) -> Result<Vec<Flow>, Failure> {
        let lanes = self.measurements.current.iter().map(|current| current.lanes.clone());
        let shares: Vec<_> = directions
            .iter()
            .zip(lanes)
            .map(|(&(phase, amount), lanes)| Share { phase, amount, lanes })
            .collect();
        let running = round.run(&shares, after);
        match directions {
            // Exchanges follow one another: nobody looks in between.
            [(Phase::Latency, _)] => running.await,
            _ => self.conduct.progress.while_running(part, &shares, running).await,
        }
    }

    /// Takes the sample of an iteration's direction `at`.
    fn record(&mut self, at: usize, flow: &Flow, iteration: u64, iterations: u64) {
        let Some(current) = self.measurements.current.get_mut(at) else { return };
        let phase = current.samples.phase;
        let value = flow.sample(phase);
        current.samples.values.push(value);
        if phase == Phase::Latency {
            for done in &flow.streams {
                self.measurements.record_latency(done.moved.time, done.opening);
            }
            return;
        }
        let fairness = current.samples.add_streams(flow);
        self.conduct.progress.tell(&Event::Sample {
            section: phase,
            iteration,
            iterations,
            value: round(value),
            unit: unit(phase),
            bytes: flow.bytes(),
            seconds: round(flow.time.as_secs_f64()),
            fairness: fairness.map(round),
        });
    }
}

impl Samples {
    /// Adds what each of several streams had; Jain's index of it.
    fn add_streams(&mut self, flow: &Flow) -> Option<f64> {
        if flow.streams.len() < 2 {
            return None;
        }
        let rates: Vec<_> = flow.streams.iter().map(|done| rate(done.moved)).collect();
        let index = fairness(&rates)?;
        let streams = self.streams.get_or_insert_default();
        streams.moved.resize(flow.streams.len(), Moved { bytes: 0, time: Duration::ZERO });
        for (sum, done) in streams.moved.iter_mut().zip(&flow.streams) {
            sum.bytes += done.moved.bytes;
            sum.time += done.moved.time;
        }
        streams.fairness.push(index);
        Some(index)
    }
}

/// Gbps of a stream over its own time.
pub(crate) fn rate(moved: Moved) -> f64 {
    gbps(moved.bytes, moved.time.as_secs_f64())
}

impl Measurements {
    fn record_latency(&mut self, total: Duration, open: Option<Duration>) {
        let record = |percentiles: &mut Option<Percentiles>, duration: Duration| {
            if percentiles.is_none() {
                *percentiles = Percentiles::new();
            }
            if let Some(percentiles) = percentiles {
                percentiles.record(duration);
            }
        };
        record(&mut self.latency, total);
        if let Some(open) = open {
            record(&mut self.stream_open, open);
            record(&mut self.exchange, total.saturating_sub(open));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use tokio::time::Instant;

    use super::*;
    use crate::failure::{BoxError, Class};
    use crate::meter::Meter;

    /// Moves bytes at a fixed rate of virtual time; request `breaks_at` (from 1) is short by one.
    struct Paced {
        bytes_per_second: f64,
        requests: AtomicU64,
        breaks_at: u64,
        hangs_at: u64,
    }

    impl Default for Paced {
        fn default() -> Self {
            Self { bytes_per_second: 1e9, requests: AtomicU64::new(0), breaks_at: 0, hangs_at: 0 }
        }
    }

    impl Paced {
        async fn exchange(&self, up: u64, down: u64, meter: &Meter) -> Result<(), BoxError> {
            let request = self.requests.fetch_add(1, Relaxed) + 1;
            meter.opened();
            if request == self.hangs_at {
                std::future::pending::<()>().await;
            }
            let seconds = (up + down) as f64 / self.bytes_per_second;
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            meter.sent(up);
            meter.received(if request == self.breaks_at { down - 1 } else { down });
            Ok(())
        }
    }

    impl Connection for Paced {
        async fn upload(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
            self.exchange(bytes, 0, meter).await
        }
        async fn download(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
            self.exchange(0, bytes, meter).await
        }
        async fn latency(&self, meter: &Meter) -> Result<(), BoxError> {
            self.exchange(1, 1, meter).await
        }
    }

    fn plan(amount: Amount, iterations: u64, latency_iterations: u64, warmup: u64) -> Plan {
        let direction = Direction { amount, iterations };
        Plan { upload: direction, download: direction, latency_iterations, warmup }
    }

    const STALL: Duration = Duration::from_secs(30);

    /// Runs `plan` as the contract has it.
    async fn run_plainly<C: Connection>(
        plan: &Plan,
        connection: &C,
        measurements: &mut Measurements,
    ) -> Result<(), Failure> {
        let (load, progress) = (Load::default(), Progress::default());
        let conduct = Conduct { plan, load: &load, stall: STALL, progress: &progress };
        run(conduct, std::slice::from_ref(connection), measurements).await
    }

    async fn measure(plan: Plan, connection: &Paced) -> (Result<(), Failure>, Measurements) {
        let mut measurements = Measurements::default();
        let result = run_plainly(&plan, connection, &mut measurements).await;
        (result, measurements)
    }

    #[tokio::test(start_paused = true)]
    async fn samples_are_the_rate_of_the_connection() {
        let connection = Paced { bytes_per_second: 125e6, ..Paced::default() };
        let (result, measurements) =
            measure(plan(Amount::Bytes(125_000_000), 3, 0, 0), &connection).await;
        result.unwrap();
        assert_eq!(measurements.whole.len(), 2);
        for samples in &measurements.whole {
            assert_eq!(samples.values.len(), 3);
            for gbps in &samples.values {
                assert!((gbps - 1.0).abs() < 0.01, "{gbps}");
            }
        }
    }

    /// A tool that takes a second around each second in which it moves 125 MB by its own count.
    struct Tool {
        clock: Option<String>,
    }

    impl Connection for Tool {
        async fn upload(&self, _: u64, meter: &Meter) -> Result<(), BoxError> {
            tokio::time::sleep(Duration::from_secs(2)).await;
            meter.measured_elsewhere(125_000_000, Duration::from_secs(1));
            Ok(())
        }
        async fn download(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
            self.upload(bytes, meter).await
        }
        async fn latency(&self, _: &Meter) -> Result<(), BoxError> {
            Err("it has none".into())
        }
        fn details(&self) -> crate::Details {
            crate::Details { foreign_clock: self.clock.clone(), ..crate::Details::default() }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_tools_own_measurement_holds_where_the_document_names_the_tool() {
        let (second, mut measurements) = (Duration::from_secs(1), Measurements::default());
        for amount in [Amount::Bytes(1), Amount::Duration(second * 7)] {
            let plan = plan(amount, 2, 0, 0);
            let named = Tool { clock: Some("tool 1.0".to_owned()) };
            run_plainly(&plan, &named, &mut measurements).await.unwrap();
            for samples in measurements.whole.drain(..) {
                assert_eq!(samples.values, [1.0, 1.0], "{amount:?}");
            }
            let nameless = run_plainly(&plan, &Tool { clock: None }, &mut measurements).await;
            let failure = nameless.unwrap_err();
            assert_eq!((failure.class, failure.phase), (Class::Internal, Phase::Upload));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn warmup_runs_and_is_not_reported() {
        let connection = Paced::default();
        let (result, measurements) = measure(plan(Amount::Bytes(10), 2, 4, 3), &connection).await;
        result.unwrap();
        let counts: Vec<_> = measurements.whole.iter().map(|s| s.values.len()).collect();
        assert_eq!(counts, [2, 2, 4]);
        assert_eq!(connection.requests.load(Relaxed), 3 * 3 + 8);
    }

    #[tokio::test(start_paused = true)]
    async fn a_section_without_iterations_is_skipped() {
        let (result, measurements) =
            measure(plan(Amount::Bytes(10), 0, 5, 1), &Paced::default()).await;
        result.unwrap();
        assert_eq!(measurements.whole.len(), 1);
        assert_eq!(measurements.whole[0].phase, Phase::Latency);
    }

    #[tokio::test(start_paused = true)]
    async fn duration_iterations_count_whole_requests() {
        let connection = Paced { bytes_per_second: 250e6, ..Paced::default() };
        let start = Instant::now();
        let (result, measurements) =
            measure(plan(Amount::Duration(Duration::from_secs(5)), 1, 0, 0), &connection).await;
        result.unwrap();
        let elapsed = start.elapsed().as_secs_f64();
        assert!((10.0..12.0).contains(&elapsed), "{elapsed}");
        for samples in &measurements.whole {
            assert!((samples.values[0] - 2.0).abs() < 0.05, "{samples:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_miscount_breaks_its_section_and_keeps_the_whole_ones() {
        // Requests 1 to 3 upload; 5 is the second download.
        let connection = Paced { breaks_at: 5, ..Paced::default() };
        let (result, measurements) = measure(plan(Amount::Bytes(10), 3, 5, 0), &connection).await;
        let failure = result.unwrap_err();
        assert_eq!((failure.class, failure.phase), (Class::Transfer, Phase::Download));
        assert_eq!(failure.message, "asked to send 0 bytes and receive 10, counted 0 and 9");
        assert_eq!(measurements.whole.len(), 1);
        let current = &measurements.current[0];
        assert_eq!((current.iteration, current.samples.values.len()), (Some(2), 1));
        assert_eq!(current.bytes_received(), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stall_ends_the_iteration() {
        let connection = Paced { hangs_at: 2, ..Paced::default() };
        let start = Instant::now();
        let (result, measurements) = measure(plan(Amount::Bytes(10), 3, 0, 0), &connection).await;
        let failure = result.unwrap_err();
        assert_eq!((failure.class, failure.phase), (Class::Transfer, Phase::Upload));
        assert!(failure.message.contains("no byte moved for 30 s"), "{}", failure.message);
        let elapsed = start.elapsed().as_secs_f64();
        assert!((30.0..35.0).contains(&elapsed), "{elapsed}");
        assert_eq!(measurements.current[0].iteration, Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_run_leaves_what_it_measured() {
        let connection = Paced { hangs_at: 5, ..Paced::default() };
        let mut measurements = Measurements::default();
        let plan = plan(Amount::Bytes(10), 3, 0, 0);
        let run = run_plainly(&plan, &connection, &mut measurements);
        assert!(tokio::time::timeout(Duration::from_secs(5), run).await.is_err());
        assert_eq!(measurements.whole.len(), 1);
        assert_eq!(measurements.current[0].samples.values.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn opening_and_exchange_are_told_apart() {
        let (result, measurements) =
            measure(plan(Amount::Bytes(10), 0, 20, 0), &Paced::default()).await;
        result.unwrap();
        assert!(measurements.stream_open.unwrap().at_ms(0.5).is_some());
        assert!(measurements.exchange.unwrap().at_ms(0.5).is_some());
        assert!(measurements.latency.unwrap().at_ms(0.99).is_none());
    }
}
