//! Whether a test had the machine to itself: what the processors did meanwhile, and for whom.

use std::fs::read_to_string;

/// More than this share of the machine's time, taken by others or by the hypervisor, is told.
const LIMIT: f64 = 0.1;
/// Time is counted in hundredths of a second; below this many, shares say nothing.
const ENOUGH: u64 = 50;

/// What the processors have done so far, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuTime {
    total: u64,
    /// In programs and on their behalf; interrupts, which nobody can be blamed for, left out.
    busy: u64,
    /// Wanted, and given to another virtual machine.
    stolen: u64,
    /// Of `busy`, this process's and that of its children that have ended.
    own: u64,
}

impl CpuTime {
    /// Now; `None` where the system does not tell.
    pub(crate) fn now() -> Option<Self> {
        Self::parse(&read_to_string("/proc/stat").ok()?, &read_to_string("/proc/self/stat").ok()?)
    }

    fn parse(machine: &str, own: &str) -> Option<Self> {
        let line = machine.lines().next()?.strip_prefix("cpu ")?;
        let ticks: Vec<u64> = line.split_whitespace().map_while(|n| n.parse().ok()).collect();
        // user nice system idle iowait irq softirq steal; guest time is in user already.
        let [user, nice, system, _, _, _, _, stolen] = *ticks.first_chunk()?;
        // utime stime cutime cstime are fields 14 to 17, the state is field 3.
        let own = own.rsplit_once(')')?.1.split_whitespace().skip(11).take(4);
        let own = own.map_while(|n| n.parse::<u64>().ok()).sum();
        Some(Self { total: ticks[..8].iter().sum(), busy: user + nice + system, stolen, own })
    }

    /// What disturbed whoever ran from `self` to `now`. Where what ran is not this process's
    /// children (`ours`), only what the hypervisor took can be told.
    pub(crate) fn disturbance(self, now: Self, ours: bool) -> Option<String> {
        let total = now.total.saturating_sub(self.total);
        if total < ENOUGH {
            return None;
        }
        let share = |ticks: u64| ticks as f64 / total as f64;
        let own = now.own.saturating_sub(self.own);
        let others = now.busy.saturating_sub(self.busy).saturating_sub(own);
        let stolen = now.stolen.saturating_sub(self.stolen);
        let told = [
            (share(others), "went to other processes", ours),
            (share(stolen), "was taken by the hypervisor", true),
        ];
        let told = told.into_iter().filter(|(share, _, known)| *known && *share > LIMIT);
        let told: Vec<_> = told
            .map(|(share, who, _)| format!("{:.0} % of its time {who}", share * 100.0))
            .collect();
        (!told.is_empty()).then(|| told.join(", "))
    }
}

/// The warning for a test that was disturbed.
pub(crate) fn warning(test: &str, disturbance: &str) -> String {
    format!(
        "the machine was not quiet: during {test} {disturbance}, more than {:.0} %",
        LIMIT * 100.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_files_are_read() {
        let own = "7 (a b) S 1 2 3 4 5 6 7 8 9 10 100 20 3 4 20 0 1 0 5";
        let time = CpuTime::parse("cpu  10 20 30 40 50 60 70 80 9 9\ncpu0 1\n", own).unwrap();
        assert_eq!(time, CpuTime { total: 360, busy: 60, stolen: 80, own: 127 });
        assert_eq!(CpuTime::parse("", own), None);
        assert_eq!(CpuTime::parse("cpu  1 2 3", own), None);
        assert!(CpuTime::now().is_some());
    }

    #[test]
    fn what_others_take_is_told_from_a_tenth_on() {
        let start = CpuTime::default();
        let after = |busy, stolen, own| {
            let now = CpuTime { total: 1000, busy, stolen, own };
            start.disturbance(now, true)
        };
        assert_eq!(after(900, 100, 800), None);
        assert_eq!(after(900, 0, 700).unwrap(), "20 % of its time went to other processes");
        assert_eq!(after(0, 110, 0).unwrap(), "11 % of its time was taken by the hypervisor");
        let now = CpuTime { total: 1000, busy: 900, stolen: 0, own: 0 };
        assert_eq!(start.disturbance(now, false), None, "containers are not our children");
        assert_eq!(start.disturbance(CpuTime { total: 40, busy: 40, ..start }, true), None);
    }
}
