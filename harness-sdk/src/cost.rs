//! What moving bytes costs this process: CPU time beside the payload.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::BoxError;
use crate::document::CpuPerGb;
use crate::meter::Meter;
use crate::node::{Connection, Details};
use crate::transport_info::TransportInfo;
use crate::usage::cpu_seconds;

/// Payload of both directions, and the CPU time that passed with it. A clone is another handle on the same
/// account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cost(Arc<Directions>);

#[derive(Debug, Default)]
struct Directions {
    upload: Mutex<Account>,
    download: Mutex<Account>,
}

/// One direction's.
#[derive(Debug, Default)]
struct Account {
    under_way: usize,
    /// This process's CPU time when the first of those under way began.
    since: f64,
    cpu_seconds: f64,
    bytes: u64,
}

impl Account {
    fn begin(&mut self, cpu_seconds: f64) {
        if self.under_way == 0 {
            self.since = cpu_seconds;
        }
        self.under_way += 1;
    }

    fn end(&mut self, cpu_seconds: f64, bytes: u64) {
        self.under_way -= 1;
        self.bytes += bytes;
        // What passes while several are under way passes once.
        if self.under_way == 0 {
            self.cpu_seconds += cpu_seconds - self.since;
        }
    }

    fn per_gb(&self) -> Option<f64> {
        (self.bytes > 0).then(|| self.cpu_seconds / (self.bytes as f64 / 1e9))
    }
}

impl Cost {
    /// Of what was moved so far; `None` where nothing was.
    pub(crate) fn per_gb(&self) -> Option<CpuPerGb> {
        let [upload, download] = [&self.0.upload, &self.0.download].map(|a| locked(a).per_gb());
        (upload.is_some() || download.is_some()).then_some(CpuPerGb { upload, download })
    }
}

fn locked(account: &Mutex<Account>) -> MutexGuard<'_, Account> {
    account.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A transfer under way: from when it is made to when it is dropped, however it ends.
struct Transfer<'a> {
    account: &'a Mutex<Account>,
    meter: &'a Meter,
}

impl<'a> Transfer<'a> {
    fn begin(account: &'a Mutex<Account>, meter: &'a Meter) -> Self {
        locked(account).begin(cpu_seconds());
        Self { account, meter }
    }
}

impl Drop for Transfer<'_> {
    fn drop(&mut self) {
        // What a foreign tool moved cost that tool's CPU time, which is not ours to tell.
        let bytes = match self.meter.elsewhere() {
            Some(_) => 0,
            None => self.meter.bytes_sent() + self.meter.bytes_received(),
        };
        locked(self.account).end(cpu_seconds(), bytes);
    }
}

/// A connection whose uploads and downloads are put to account.
pub(crate) struct Costed<C> {
    connection: C,
    cost: Cost,
}

impl<C> Costed<C> {
    pub(crate) fn new(connection: C, cost: &Cost) -> Self {
        Self { connection, cost: cost.clone() }
    }
}

impl<C: Connection> Connection for Costed<C> {
    async fn upload(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
        let _transfer = Transfer::begin(&self.cost.0.upload, meter);
        self.connection.upload(bytes, meter).await
    }

    async fn download(&self, bytes: u64, meter: &Meter) -> Result<(), BoxError> {
        let _transfer = Transfer::begin(&self.cost.0.download, meter);
        self.connection.download(bytes, meter).await
    }

    async fn latency(&self, meter: &Meter) -> Result<(), BoxError> {
        self.connection.latency(meter).await
    }

    fn details(&self) -> Details {
        self.connection.details()
    }

    fn transport(&self) -> Option<TransportInfo> {
        self.connection.transport()
    }

    async fn close(self) {
        self.connection.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfers_at_once_are_charged_once() {
        let mut account = Account::default();
        assert_eq!(account.per_gb(), None);
        // From 1 s to 4 s of CPU time, overlapping; then from 9 s to 10 s.
        account.begin(1.0);
        account.begin(2.0);
        account.end(3.0, 500_000_000);
        account.end(4.0, 1_000_000_000);
        account.begin(9.0);
        account.end(10.0, 500_000_000);
        assert_eq!(account.per_gb(), Some(2.0));
    }

    /// Moves bytes one way.
    struct Sends(u64);

    impl Connection for Sends {
        async fn upload(&self, _: u64, meter: &Meter) -> Result<(), BoxError> {
            meter.sent(self.0);
            std::future::pending().await
        }
        async fn download(&self, _: u64, meter: &Meter) -> Result<(), BoxError> {
            meter.measured_elsewhere(self.0, std::time::Duration::from_secs(1));
            Ok(())
        }
        async fn latency(&self, meter: &Meter) -> Result<(), BoxError> {
            meter.sent(self.0);
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_given_up_counts_and_what_others_moved_does_not() {
        let cost = Cost::default();
        let sends = Costed::new(Sends(7), &cost);
        sends.latency(&Meter::start()).await.unwrap();
        sends.download(7, &Meter::start()).await.unwrap();
        assert_eq!(cost.per_gb(), None);
        let (second, meter) = (std::time::Duration::from_secs(1), Meter::start());
        assert!(tokio::time::timeout(second, sends.upload(7, &meter)).await.is_err());
        let CpuPerGb { upload, download } = cost.per_gb().unwrap();
        assert!(upload.is_some_and(|cost| cost >= 0.0) && download.is_none());
        assert_eq!(locked(&cost.0.upload).bytes, 7);
    }
}
