//! The iteration plan: what a dialer measures, in which order, and what remains when it breaks.

use std::time::Duration;

use tokio::time::Instant;

use crate::failure::{Class, Failure, Phase};
use crate::meter::{Meter, Moved};
use crate::node::Connection;
use crate::stall;
use crate::stats::{Percentiles, gbps};

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
    /// The section under way, with the iteration under way.
    pub current: Option<Current>,
    /// Milliseconds until a latency stream was open.
    pub stream_open: Option<Percentiles>,
    /// Milliseconds from there to the end of the exchange.
    pub exchange: Option<Percentiles>,
    /// Milliseconds of whole latency samples.
    pub latency: Option<Percentiles>,
}

/// A section's samples in time order.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// Upload, download or latency.
    pub phase: Phase,
    /// Gbps, or ms for latency.
    pub values: Vec<f64>,
}

/// The section under way.
#[derive(Debug)]
pub struct Current {
    /// The whole iterations so far.
    pub samples: Samples,
    /// The iteration under way, from 1; `None` during warm-up.
    pub iteration: Option<u64>,
    /// Counts the request under way.
    pub meter: Meter,
}

/// The unit of a section's samples.
pub const fn unit(phase: Phase) -> &'static str {
    match phase {
        Phase::Latency => "ms",
        _ => "Gbps",
    }
}

/// Runs `plan` over `connection`, section by section; the first broken iteration ends it. No
/// iteration is skipped and none repeated.
///
/// `stall`: no byte for this long breaks an iteration.
pub async fn run(
    plan: &Plan,
    connection: &impl Connection,
    stall: Duration,
    measurements: &mut Measurements,
) -> Result<(), Failure> {
    let mut runner = Runner { connection, stall, measurements };
    runner.run(Phase::Upload, plan.upload.iterations, plan.warmup, plan.upload.amount).await?;
    runner
        .run(Phase::Download, plan.download.iterations, plan.warmup, plan.download.amount)
        .await?;
    runner.run(Phase::Latency, plan.latency_iterations, plan.warmup, ONE_BYTE).await
}

/// What a latency iteration moves, each way.
const ONE_BYTE: Amount = Amount::Bytes(1);

struct Runner<'a, C> {
    connection: &'a C,
    stall: Duration,
    measurements: &'a mut Measurements,
}

impl<C: Connection> Runner<'_, C> {
    async fn run(
        &mut self,
        phase: Phase,
        iterations: u64,
        warmup: u64,
        amount: Amount,
    ) -> Result<(), Failure> {
        if iterations == 0 {
            return Ok(());
        }
        self.measurements.current = Some(Current {
            samples: Samples { phase, values: Vec::new() },
            iteration: None,
            meter: Meter::start(),
        });
        for _ in 0..warmup {
            self.iteration(phase, amount).await?;
        }
        for iteration in 1..=iterations {
            if let Some(current) = &mut self.measurements.current {
                current.iteration = Some(iteration);
            }
            let sample = self.iteration(phase, amount).await?;
            let unit = unit(phase);
            if phase != Phase::Latency {
                tracing::info!("{phase} {iteration}/{iterations}: {sample:.3} {unit}");
            }
            if let Some(current) = &mut self.measurements.current {
                current.samples.values.push(sample);
            }
        }
        if let Some(current) = self.measurements.current.take() {
            self.measurements.whole.push(current.samples);
        }
        Ok(())
    }

    /// One iteration's sample, in the section's unit.
    async fn iteration(&mut self, phase: Phase, amount: Amount) -> Result<f64, Failure> {
        let moved = match amount {
            Amount::Bytes(bytes) => self.request(phase, bytes).await?,
            Amount::Duration(duration) => self.requests_for(phase, duration).await?,
        };
        let Moved { bytes, time } = moved;
        if phase == Phase::Latency {
            return Ok(time.as_secs_f64() * 1e3);
        }
        Ok(gbps(bytes, time.as_secs_f64()))
    }

    /// Back-to-back requests for about `duration`: how many bytes, in what time.
    async fn requests_for(&mut self, phase: Phase, duration: Duration) -> Result<Moved, Failure> {
        let start = Instant::now();
        let (mut total, mut in_requests) = (0, Duration::ZERO);
        let mut size = SMALLEST_REQUEST;
        loop {
            let Moved { bytes, time } = self.request(phase, size).await?;
            (total, in_requests) = (total + bytes, in_requests + time);
            let elapsed = start.elapsed();
            if elapsed >= duration {
                // What passes between our own requests counts; what a foreign tool spends around
                // its measurement is not part of it.
                let foreign = self.connection.details().foreign_clock.is_some();
                let time = if foreign { in_requests } else { elapsed };
                return Ok(Moved { bytes: total, time });
            }
            size = next_request(total, elapsed, duration - elapsed);
        }
    }

    /// One request: timed around the call, watched for stalls, its count checked.
    async fn request(&mut self, phase: Phase, bytes: u64) -> Result<Moved, Failure> {
        let meter = Meter::start();
        if let Some(current) = &mut self.measurements.current {
            current.meter = meter.clone();
        }
        let (connection, counted) = (self.connection, &meter);
        // On the heap: an implementer's future may hold a large buffer, and this one holds three.
        let request = Box::pin(async {
            let result = match phase {
                Phase::Upload => connection.upload(bytes, counted).await,
                Phase::Download => connection.download(bytes, counted).await,
                _ => connection.latency(counted).await,
            };
            (result, counted.elapsed())
        });
        let (result, elapsed) = stall::guard(counted, self.stall, request)
            .await
            .map_err(|stalled| Failure::new(Class::Transfer, phase, stalled.to_string()))?;
        result.map_err(|error| Failure::from_error(phase, error))?;
        if let Some(moved) = meter.elsewhere() {
            return self.believe(phase, moved);
        }
        check_counts(phase, bytes, &meter)?;
        let reported = self.measurements.current.as_ref().is_some_and(|c| c.iteration.is_some());
        if phase == Phase::Latency && reported {
            self.measurements.record_latency(elapsed, meter.time_to_open());
        }
        Ok(Moved { bytes, time: elapsed })
    }

    /// What a foreign tool measured, if the document will say whose word it is.
    fn believe(&self, phase: Phase, moved: Moved) -> Result<Moved, Failure> {
        if self.connection.details().foreign_clock.is_some() {
            return Ok(moved);
        }
        let message = "a measurement that is not the SDK's, and no `foreign_clock` to name its own";
        Err(Failure::new(Class::Internal, phase, message))
    }
}

impl Measurements {
    fn record_latency(&mut self, total: Duration, open: Option<Duration>) {
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        let record = |percentiles: &mut Option<Percentiles>, duration: Duration| {
            if percentiles.is_none() {
                *percentiles = Percentiles::new();
            }
            if let Some(percentiles) = percentiles {
                percentiles.record_ms(ms(duration));
            }
        };
        record(&mut self.latency, total);
        if let Some(open) = open {
            record(&mut self.stream_open, open);
            record(&mut self.exchange, total.saturating_sub(open));
        }
    }
}

/// A request that says it succeeded must have moved exactly what was asked of it.
fn check_counts(phase: Phase, bytes: u64, meter: &Meter) -> Result<(), Failure> {
    let (sent, received) = match phase {
        Phase::Upload => (bytes, 0),
        Phase::Download => (0, bytes),
        _ => (bytes, bytes),
    };
    let counted = (meter.bytes_sent(), meter.bytes_received());
    if counted == (sent, received) {
        return Ok(());
    }
    let message = format!(
        "asked to send {sent} bytes and receive {received}, counted {} and {}",
        counted.0, counted.1
    );
    Err(Failure::new(Class::Transfer, phase, message))
}

const SMALLEST_REQUEST: u64 = 1 << 20;
const LARGEST_REQUEST: u64 = 1 << 30;

/// How large the next of several back-to-back requests is: what the rate so far moves in a
/// second, or in what remains, whichever is shorter.
fn next_request(total: u64, elapsed: Duration, remaining: Duration) -> u64 {
    let rate = total as f64 / elapsed.as_secs_f64().max(1e-9);
    let bytes = rate * remaining.min(Duration::from_secs(1)).as_secs_f64();
    (bytes as u64).clamp(SMALLEST_REQUEST, LARGEST_REQUEST)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;
    use crate::failure::BoxError;

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

    async fn measure(plan: Plan, connection: &Paced) -> (Result<(), Failure>, Measurements) {
        let mut measurements = Measurements::default();
        let result = run(&plan, connection, Duration::from_secs(30), &mut measurements).await;
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
            run(&plan, &named, second * 30, &mut measurements).await.unwrap();
            for samples in measurements.whole.drain(..) {
                assert_eq!(samples.values, [1.0, 1.0], "{amount:?}");
            }
            let nameless = run(&plan, &Tool { clock: None }, second * 30, &mut measurements).await;
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
        let current = measurements.current.unwrap();
        assert_eq!((current.iteration, current.samples.values.len()), (Some(2), 1));
        assert_eq!(current.meter.bytes_received(), 9);
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
        assert_eq!(measurements.current.unwrap().iteration, Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_run_leaves_what_it_measured() {
        let connection = Paced { hangs_at: 5, ..Paced::default() };
        let mut measurements = Measurements::default();
        let plan = plan(Amount::Bytes(10), 3, 0, 0);
        let run = run(&plan, &connection, Duration::from_secs(30), &mut measurements);
        assert!(tokio::time::timeout(Duration::from_secs(5), run).await.is_err());
        assert_eq!(measurements.whole.len(), 1);
        assert_eq!(measurements.current.unwrap().samples.values.len(), 1);
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

    #[test]
    fn requests_stay_bounded() {
        let second = Duration::from_secs(1);
        assert_eq!(next_request(1 << 20, second * 100, second), SMALLEST_REQUEST);
        assert_eq!(next_request(u64::MAX / 2, second, second * 100), LARGEST_REQUEST);
    }
}
