//! How an iteration loads the network: how many streams of how many connections, in which directions.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use crate::config::Invalid;
use crate::failure::{Failure, Phase};
use crate::node::Connection;
use crate::plan::{Amount, Direction, Plan};
use crate::stats::gbps;
use crate::transfer::{Done, Lane, Transfer, smallest_request};

/// How a plan's iterations are run. The default is the contract's: one stream of one connection,
/// one direction after the other, nothing left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// How many connections carry each upload and download at once.
    pub connections: usize,
    /// On how many streams of each connection.
    pub streams: usize,
    /// Whether uploads and downloads run at once, in one window.
    pub bidirectional: bool,
    /// How long each iteration that is sized by time runs before it counts.
    pub omit: Duration,
    /// What runs beside latency exchanges, after the latency section.
    pub latency_under: Option<Beside>,
    /// How many fresh connections are made in the end, for the time they take.
    pub handshakes: u64,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            connections: 1,
            streams: 1,
            bidirectional: false,
            omit: Duration::ZERO,
            latency_under: None,
            handshakes: 0,
        }
    }
}

/// What runs beside latency exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Uploads, back to back.
    Upload,
    /// Downloads, back to back.
    Download,
    /// Both at once.
    Both,
}

impl Beside {
    /// Every value, by its name.
    pub const ALL: [(&'static str, Self); 3] =
        [("upload", Self::Upload), ("download", Self::Download), ("both", Self::Both)];

    /// The name, as in flags and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Download => "download",
            Self::Both => "both",
        }
    }

    /// The directions that it names.
    pub const fn phases(self) -> &'static [Phase] {
        match self {
            Self::Upload => &[Phase::Upload],
            Self::Download => &[Phase::Download],
            Self::Both => &[Phase::Upload, Phase::Download],
        }
    }
}

/// Most streams at once on a connection: below what any muxer's default allows (mplex 128, yamux and
/// QUIC 256), so that none is refused.
pub const MAX_STREAMS: usize = 100;

/// Most connections at once: each takes a descriptor on either side.
pub const MAX_CONNECTIONS: usize = 256;

impl Load {
    /// How many streams are open at once on one connection, at most.
    pub fn streams_at_once(&self) -> usize {
        let transfers = self.streams * if self.bidirectional { 2 } else { 1 };
        let beside =
            self.latency_under.map_or(0, |beside| self.streams * beside.phases().len() + 1);
        transfers.max(beside)
    }

    /// Whether there are uploads or downloads, in `plan`'s sections or beside its exchanges: what streams are for.
    pub(crate) fn has_transfers(&self, plan: &Plan) -> bool {
        plan.has_transfers() || self.latency_under.is_some()
    }

    /// Refuses what cannot be measured as `plan` has it.
    ///
    /// # Errors
    ///
    /// [`Invalid::Combination`], naming the flags and the reason.
    pub fn check(&self, plan: &Plan) -> Result<(), Invalid> {
        let refuse = |reason: String| Err(Invalid::Combination(reason));
        if !plan.has_transfers() && plan.latency_iterations == 0 && self.handshakes == 0 {
            let told = "nothing would be measured: all iterations are 0; give one of them a number above 0, or perf-node dial some --handshakes";
            return refuse(told.to_owned());
        }
        let directions = [plan.upload, plan.download];
        let sized = |direction: &Direction| {
            direction.iterations > 0 && matches!(direction.amount, Amount::Bytes(_))
        };
        let timed = |direction: &Direction| {
            direction.iterations > 0 && matches!(direction.amount, Amount::Duration(_))
        };
        if self.omit > Duration::ZERO && !directions.iter().any(timed) {
            let told = "--omit: leaves out the first seconds of iterations that last a given time, and there are none; give --duration, and no size";
            return refuse(told.to_owned());
        }
        if !self.has_transfers(plan) {
            if self.streams > 1 {
                return refuse(format!(
                    "--streams: \"{}\" are for uploads, downloads and --latency-under-load, and there are none",
                    self.streams
                ));
            }
            if self.connections > 1 && self.handshakes == 0 {
                return refuse(format!(
                    "--connections: \"{}\" are for uploads, downloads, --latency-under-load and --handshakes, and there are none",
                    self.connections
                ));
            }
        }
        if self.bidirectional {
            if plan.upload.iterations != plan.download.iterations || plan.upload.iterations == 0 {
                return refuse(format!(
                    "--bidirectional: an upload and a download are one iteration, and there are {} uploads and {} downloads; give --upload-iterations and --download-iterations the same number",
                    plan.upload.iterations, plan.download.iterations
                ));
            }
            if directions.iter().any(sized) && directions.iter().any(timed) {
                let told = "--bidirectional: one direction has a size and the other a duration, so that they would not run at once; give both a size, or only --duration";
                return refuse(told.to_owned());
            }
        }
        if self.latency_under.is_some() && plan.latency_iterations == 0 {
            let told = "--latency-under-load: --latency-iterations says how many exchanges are made, and it is 0";
            return refuse(told.to_owned());
        }
        if self.streams_at_once() > MAX_STREAMS {
            return refuse(format!(
                "--streams: \"{}\" would be {} streams at once on a connection; at most {MAX_STREAMS} are opened",
                self.streams,
                self.streams_at_once()
            ));
        }
        Ok(())
    }
}

/// One direction's share of a round.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) phase: Phase,
    pub(crate) amount: Amount,
    /// A lane for each stream of the first connection, then for those of the next.
    pub(crate) lanes: Vec<Lane>,
}

/// What one direction did in a round.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Flow {
    /// By lane.
    pub(crate) streams: Vec<Done>,
    /// Until the last receipt.
    pub(crate) time: Duration,
}

impl Flow {
    pub(crate) fn bytes(&self) -> u64 {
        self.streams.iter().map(|done| done.moved.bytes).sum()
    }

    /// All bytes over the time to the last receipt; of latency the milliseconds.
    pub(crate) fn sample(&self, phase: Phase) -> f64 {
        match phase {
            Phase::Latency => self.time.as_secs_f64() * 1e3,
            _ => gbps(self.bytes(), self.time.as_secs_f64()),
        }
    }
}

/// Runs shares on every stream of `connections` at once.
#[derive(Debug)]
pub(crate) struct Round<'a, C> {
    pub(crate) connections: &'a [C],
    /// On each of them.
    pub(crate) streams: usize,
    /// No byte for this long on a stream breaks the round.
    pub(crate) stall: Duration,
}

impl<C: Connection> Round<'_, C> {
    /// A lane for each stream.
    pub(crate) fn lanes(&self) -> Vec<Lane> {
        (0..self.connections.len() * self.streams).map(|_| Lane::default()).collect()
    }

    /// Runs `shares` at once, to the last receipt; the first stream that breaks ends the others.
    /// `after`: what the same shares did just before, which tells how large requests may be.
    ///
    /// A flow for each share, in their order.
    pub(crate) async fn run(
        &self,
        shares: &[Share],
        after: Option<&[Flow]>,
    ) -> Result<Vec<Flow>, Failure> {
        let before =
            |share: usize, lane: usize| after.map(|flows| flows[share].streams[lane].moved);
        let smallest = smallest_request(shares.iter().map(|share| share.lanes.len()).sum());
        // One stream alone is not put beside anything: nothing but its request is timed.
        if let [share] = shares
            && let ([connection], [lane]) = (self.connections, &share.lanes[..])
        {
            let transfer = self.transfer(connection, share, lane, smallest);
            let done = transfer.run(share.amount, before(0, 0)).await?;
            return Ok(vec![Flow { streams: vec![done], time: done.moved.time }]);
        }
        let begun = Instant::now();
        let mut running: FuturesUnordered<_> = self
            .places(shares)
            .map(|(share, lane, connection)| {
                let of = &shares[share];
                let transfer = self.transfer(connection, of, &of.lanes[lane], smallest);
                let (amount, before) = (of.amount, before(share, lane));
                async move {
                    let done = transfer.run(amount, before).await?;
                    Ok::<_, Failure>((share, lane, done, begun.elapsed()))
                }
            })
            .collect();
        let mut ended: Vec<Vec<Option<(Done, Duration)>>> =
            shares.iter().map(|share| vec![None; share.lanes.len()]).collect();
        while let Some(done) = running.next().await {
            let (share, lane, done, at) = done?;
            ended[share][lane] = Some((done, at));
        }
        let foreign = self.connections.iter().any(|c| c.details().foreign_clock.is_some());
        let flows = ended.into_iter().map(|lanes| {
            let lanes: Vec<_> = lanes.into_iter().flatten().collect();
            let until = |(done, at): &(Done, Duration)| if foreign { done.moved.time } else { *at };
            let time = lanes.iter().map(until).max().unwrap_or_default();
            Flow { streams: lanes.into_iter().map(|(done, _)| done).collect(), time }
        });
        Ok(flows.collect())
    }

    /// Every stream of a round: its share, its lane there, its connection.
    fn places(&self, shares: &[Share]) -> impl Iterator<Item = (usize, usize, &C)> {
        (0..shares.len()).flat_map(move |share| {
            let lanes = self.connections.iter().flat_map(|c| std::iter::repeat_n(c, self.streams));
            lanes.enumerate().map(move |(lane, connection)| (share, lane, connection))
        })
    }

    fn transfer<'a>(
        &self,
        connection: &'a C,
        share: &Share,
        lane: &'a Lane,
        smallest: u64,
    ) -> Transfer<'a, C> {
        Transfer { connection, stall: self.stall, phase: share.phase, lane, smallest }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;
    use crate::failure::{BoxError, Class};
    use crate::meter::Meter;
    use crate::plan::{Conduct, Measurements, run};
    use crate::progress::Progress;

    const MEGABYTE: u64 = 1_000_000;

    /// Gives its streams rates of their own, in MB/s and in the order in which they are opened, over and
    /// over; one of them may break half-way.
    struct Uneven {
        rates: Vec<f64>,
        opened: AtomicUsize,
        breaks: Option<usize>,
        at_once: AtomicUsize,
        most_at_once: AtomicUsize,
    }

    impl Uneven {
        fn new(rates: &[f64]) -> Self {
            let rates = rates.to_vec();
            let [opened, at_once, most_at_once] = [0; 3].map(AtomicUsize::new);
            Self { rates, opened, breaks: None, at_once, most_at_once }
        }

        async fn stream(&self, bytes: u64, count: impl Fn(u64)) -> Result<(), BoxError> {
            let this = self.opened.fetch_add(1, Relaxed);
            let now = self.at_once.fetch_add(1, Relaxed) + 1;
            self.most_at_once.fetch_max(now, Relaxed);
            let rate = self.rates[this % self.rates.len()] * MEGABYTE as f64;
            let half = Duration::from_secs_f64(bytes as f64 / rate / 2.0);
            for part in [bytes / 2, bytes - bytes / 2] {
                tokio::time::sleep(half).await;
                count(part);
                if self.breaks == Some(this) {
                    return Err("reset".into());
                }
            }
            self.at_once.fetch_sub(1, Relaxed);
            Ok(())
        }
    }

    impl Connection for Uneven {
        async fn upload(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
            self.stream(bytes, |part| meter.sent(part)).await
        }
        async fn download(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
            self.stream(bytes, |part| meter.received(part)).await
        }
        async fn latency(&self, meter: &Meter) -> Result<(), BoxError> {
            tokio::time::sleep(Duration::from_millis(3)).await;
            meter.sent(1);
            meter.received(1);
            Ok(())
        }
    }

    fn plan(amount: Amount, [upload, download]: [u64; 2]) -> Plan {
        let direction = |iterations| Direction { amount, iterations };
        let (upload, download) = (direction(upload), direction(download));
        Plan { upload, download, latency_iterations: 0, warmup: 0 }
    }

    async fn measure(
        plan: &Plan,
        load: Load,
        connections: &[Uneven],
    ) -> (Result<(), Failure>, Measurements) {
        let mut measurements = Measurements::default();
        let (stall, progress) = (Duration::from_secs(30), Progress::default());
        let conduct = Conduct { plan, load: &load, stall, progress: &progress };
        let result = run(conduct, connections, &mut measurements).await;
        (result, measurements)
    }

    #[track_caller]
    fn assert_near(value: f64, expected: f64) {
        assert!((value / expected - 1.0).abs() < 0.01, "{value} is not {expected}");
    }

    /// Timers have a resolution of a millisecond: transfers here take at least a second.
    #[tokio::test(start_paused = true)]
    async fn a_sample_is_all_bytes_over_the_time_to_the_last_receipt() {
        let connections = [Uneven::new(&[1.0, 2.0]), Uneven::new(&[4.0, 4.0])];
        let load = Load { connections: 2, streams: 2, ..Load::default() };
        let plan = plan(Amount::Bytes(4 * MEGABYTE), [3, 0]);
        let (result, measurements) = measure(&plan, load, &connections).await;
        result.unwrap();
        let samples = &measurements.whole[0];
        // 16 MB, the last of them after 4 s.
        for value in &samples.values {
            assert_near(*value, 16.0 * 8e-3 / 4.0);
        }
        let streams = samples.streams.as_ref().unwrap();
        let rates: Vec<_> = streams.moved.iter().map(|moved| crate::plan::rate(*moved)).collect();
        for (rate, expected) in rates.iter().zip([1.0, 2.0, 4.0, 4.0]) {
            assert_near(*rate, expected * 8e-3);
        }
        assert_eq!(streams.fairness.len(), 3);
        // (1 + 2 + 4 + 4)² / (4 × (1 + 4 + 16 + 16))
        assert_near(streams.fairness[0], 121.0 / 148.0);
        assert_eq!(connections[0].most_at_once.load(Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn both_directions_run_in_one_window_and_are_sections_of_their_own() {
        let connections = [Uneven::new(&[1.0, 2.0])];
        let load = Load { bidirectional: true, ..Load::default() };
        let plan = plan(Amount::Bytes(4 * MEGABYTE), [2, 2]);
        let begun = Instant::now();
        let (result, measurements) = measure(&plan, load, &connections).await;
        result.unwrap();
        assert_near(begun.elapsed().as_secs_f64(), 8.0);
        let [upload, download] = &measurements.whole[..] else { panic!("{measurements:?}") };
        assert_eq!((upload.phase, download.phase), (Phase::Upload, Phase::Download));
        for (samples, rate) in [(upload, 1.0), (download, 2.0)] {
            assert_eq!((samples.values.len(), &samples.streams), (2, &None));
            assert_near(samples.values[0], rate * 8e-3);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_broken_stream_breaks_its_iteration_and_says_which_direction() {
        let connections = [Uneven { breaks: Some(3), ..Uneven::new(&[1.0]) }];
        let load = Load { bidirectional: true, ..Load::default() };
        let plan = plan(Amount::Bytes(4 * MEGABYTE), [5, 5]);
        let (result, measurements) = measure(&plan, load, &connections).await;
        let failure = result.unwrap_err();
        assert_eq!((failure.class, failure.phase), (Class::Transfer, Phase::Download));
        assert!(measurements.whole.is_empty());
        let [upload, download] = &measurements.current[..] else { panic!("{measurements:?}") };
        assert_eq!((upload.iteration, download.iteration), (Some(2), Some(2)));
        assert_eq!((download.samples.values.len(), download.bytes_received()), (1, 2_000_000));
    }

    /// The first seconds are slow: what counts is not.
    struct Slow(Uneven);

    impl Connection for Slow {
        async fn upload(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
            let slow = self.0.opened.load(Relaxed) == 0;
            if slow {
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
            self.0.upload(bytes, meter).await
        }
        async fn download(&self, _: u64, _: &Meter) -> Result<(), BoxError> {
            Err("not asked for".into())
        }
        async fn latency(&self, _: &Meter) -> Result<(), BoxError> {
            Err("not asked for".into())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_omitted_is_run_and_does_not_count() {
        let plan = plan(Amount::Duration(Duration::from_secs(4)), [1, 0]);
        let sample = async |omit: Duration| {
            let load = Load { omit, ..Load::default() };
            let mut measurements = Measurements::default();
            let (stall, progress) = (Duration::from_secs(30), Progress::default());
            let conduct = Conduct { plan: &plan, load: &load, stall, progress: &progress };
            let begun = Instant::now();
            run(conduct, &[Slow(Uneven::new(&[8.0]))], &mut measurements).await.unwrap();
            (measurements.whole[0].values[0] / 8e-3, begun.elapsed().as_secs_f64())
        };
        let (all, _) = sample(Duration::ZERO).await;
        assert!(all < 6.0, "{all}");
        let (counted, lasted) = sample(Duration::from_secs(2)).await;
        assert_near(counted, 8.0);
        assert!((6.0..7.5).contains(&lasted), "{lasted}");
    }

    #[tokio::test(start_paused = true)]
    async fn many_slow_streams_do_not_stretch_an_iteration_by_their_number() {
        // A hundred streams of 10 Mbit/s.
        let connections = [Uneven::new(&[0.0125])];
        let load = Load { streams: 100, ..Load::default() };
        let plan = plan(Amount::Duration(Duration::from_secs(1)), [1, 0]);
        let begun = Instant::now();
        measure(&plan, load, &connections).await.0.unwrap();
        let lasted = begun.elapsed().as_secs_f64();
        assert!(lasted < 6.0, "{lasted}");
    }

    #[tokio::test(start_paused = true)]
    async fn exchanges_run_beside_transfers_that_are_all_finished() {
        let connections = [Uneven::new(&[8.0])];
        let load = Load { latency_under: Some(Beside::Both), streams: 2, ..Load::default() };
        let plan = Plan { latency_iterations: 1000, ..plan(Amount::Bytes(1), [0, 0]) };
        let (result, measurements) = measure(&plan, load, &connections).await;
        result.unwrap();
        assert_eq!(measurements.whole.len(), 1, "the unloaded latency");
        let measured = measurements.under_load.unwrap();
        assert_eq!(measured.latency.count(), 1000);
        assert_near(measured.latency.at_ms(0.99).unwrap(), 3.0);
        assert_eq!(measured.latency.at_ms(0.999), None);
        // Two streams at 8 MB/s each way.
        for (_, gbps) in &measured.goodput {
            assert_near(*gbps, 2.0 * 8.0 * 8e-3);
        }
        assert_eq!(measured.goodput.len(), 2);
        let connection = &connections[0];
        let (open, most) = (&connection.at_once, &connection.most_at_once);
        assert_eq!((open.load(Relaxed), most.load(Relaxed)), (0, 4));
    }
}
