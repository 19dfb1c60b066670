//! From readings to findings; neither reads nor prints.

use super::readings::{Offloads, Readings};
use super::{Copies, Finding, Verdict};

/// What webtransport's and quic-go's sockets ask for, in bytes.
const ASKED: u64 = 7 << 20;

/// What they are then granted, in bytes: Linux doubles what is asked for (socket(7)), but not its default.
const GRANTED: u64 = 2 * ASKED;

/// What a TCP window should be able to hold, in bytes: 1 Gbit/s with a round trip of 33 ms.
const TCP_WINDOW: u64 = 4 << 20;

/// How busy a processor may be, as a share of it, before others' work shows in samples.
const QUIET: f64 = 0.25;

/// What a process with as many connections as `--connections` takes needs, and room beside.
const OPEN_FILES: u64 = 1024;

/// What copies to just behind the source's place in a page may be slower by, before it shows in what is measured.
const SLOW_COPIES: u64 = 3;

/// Whether [`REP_MOVSB_OFF`] is of use here.
const GLIBC: bool = cfg!(all(target_env = "gnu", target_arch = "x86_64"));

/// What glibc is told, and which programs are started after.
const REP_MOVSB_OFF: &str = "export GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=1000000000";

/// Clock sources that are read without a call into the kernel, or nearly.
const QUICK_CLOCKS: [&str; 5] =
    ["tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "xen"];

/// The kernel since which UDP is segmented behind the socket (UDP_SEGMENT).
const UDP_GSO: (u32, u32) = (4, 18);

/// Findings in the order in which they are told.
pub fn judge(readings: &Readings) -> Vec<Finding> {
    let mut findings = vec![
        udp_buffer(
            "net.core.rmem_max",
            readings.rmem_max.as_deref(),
            ASKED,
            "the largest receive buffer that a UDP socket may ask for; those of webtransport and of go's QUIC ask for 7340032",
        ),
        udp_buffer(
            "net.core.wmem_max",
            readings.wmem_max.as_deref(),
            ASKED,
            "the largest send buffer that a UDP socket may ask for; those of go's QUIC ask for 7340032, ours for none",
        ),
        udp_buffer(
            "net.core.rmem_default",
            readings.rmem_default.as_deref(),
            GRANTED,
            "the receive buffer of a UDP socket that asks for none, as those of quic-v1 and raw-quic; who asks for 7340032 gets twice that",
        ),
        udp_gso(readings.kernel.as_deref()),
        congestion_control(readings.congestion_control.as_deref()),
        tcp_window("net.ipv4.tcp_rmem", readings.tcp_rmem.as_deref()),
        tcp_window("net.ipv4.tcp_wmem", readings.tcp_wmem.as_deref()),
    ];
    match readings.offloads.is_empty() {
        true => findings.push(unread("offloads", "no network interface but loopback is up", None)),
        false => findings.extend(readings.offloads.iter().map(offloads)),
    }
    findings.extend([
        ciphers(readings.cpuinfo.as_deref()),
        copies(readings.copies),
        governor(readings.governor.as_deref()),
        load(readings.loadavg.as_deref(), readings.processors),
        open_files(readings.limits.as_deref()),
        clock(readings.clock_source.as_deref()),
    ]);
    findings
}

fn found(
    what: &str,
    value: impl Into<String>,
    good: bool,
    why: impl Into<String>,
    command: Option<String>,
) -> Finding {
    Finding {
        what: what.to_owned(),
        value: Some(value.into()),
        verdict: if good { Verdict::Ok } else { Verdict::WorthChanging },
        why: why.into(),
        command: command.filter(|_| !good),
    }
}

fn unread(what: &str, why: &str, command: Option<String>) -> Finding {
    let (what, why) = (what.to_owned(), why.to_owned());
    Finding { what, value: None, verdict: Verdict::CouldNotBeRead, why, command }
}

fn udp_buffer(what: &str, value: Option<&str>, wanted: u64, why: &str) -> Finding {
    match value.and_then(|text| text.parse::<u64>().ok()) {
        Some(bytes) => {
            let command = format!("sysctl -w {what}={wanted}");
            found(what, bytes.to_string(), bytes >= wanted, why, Some(command))
        }
        None => unread(what, why, Some(format!("sysctl {what}"))),
    }
}

fn udp_gso(kernel: Option<&str>) -> Finding {
    let what = "UDP segmentation";
    match kernel.and_then(|release| Some((release, version(release)?))) {
        Some((release, version)) => {
            let why = "Linux 4.18 and later send many QUIC packets in one call (GSO)";
            found(what, format!("Linux {release}"), version >= UDP_GSO, why, None)
        }
        None => unread(what, "which kernel this is", Some("uname -r".to_owned())),
    }
}

/// Major and minor of a kernel's release.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn congestion_control(value: Option<&str>) -> Finding {
    let what = "net.ipv4.tcp_congestion_control";
    match value {
        Some(name) => found(
            what,
            name,
            matches!(name, "cubic" | "bbr" | "bbr2" | "bbr3"),
            "TCP's; what others' machines have is cubic or bbr, and both sides should have the same",
            Some(format!("sysctl -w {what}=cubic")),
        ),
        None => unread(what, "TCP's congestion control", Some(format!("sysctl {what}"))),
    }
}

fn tcp_window(what: &str, value: Option<&str>) -> Finding {
    let fields: Option<Vec<u64>> =
        value.and_then(|text| text.split_whitespace().map(|field| field.parse().ok()).collect());
    match fields.as_deref() {
        Some([least, first, largest]) => {
            // Bits in flight over a gigabit a second.
            let milliseconds = *largest as f64 * 8.0 / 1e6;
            found(
                what,
                format!("{least} {first} {largest}"),
                *largest >= TCP_WINDOW,
                format!(
                    "TCP's largest buffer fills 1 Gbit/s up to a round trip of {milliseconds:.0} ms"
                ),
                Some(format!("sysctl -w {what}='{least} {first} 16777216'")),
            )
        }
        _ => unread(what, "TCP's buffers", Some(format!("sysctl {what}"))),
    }
}

/// The names by which `ethtool -k` knows what matters here.
const OFFLOADS: [(&str, &str); 3] = [
    ("tcp-segmentation-offload", "tso"),
    ("generic-segmentation-offload", "gso"),
    ("generic-receive-offload", "gro"),
];

fn offloads(of: &Offloads) -> Finding {
    let what = format!("offloads of {}", of.interface);
    let command = format!("ethtool -k {}", of.interface);
    let Some(features) = &of.features else {
        return unread(
            &what,
            "segmentation and receive offloads; ethtool is needed",
            Some(command),
        );
    };
    let state = |name: &str| {
        let line = features.lines().find_map(|line| line.trim().strip_prefix(name));
        line.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next())
    };
    let states: Vec<_> =
        OFFLOADS.iter().filter_map(|(name, short)| Some((*short, state(name)?))).collect();
    if states.is_empty() {
        return unread(&what, "ethtool names none that is known here", Some(command));
    }
    let off: Vec<_> =
        states.iter().filter(|(_, state)| *state != "on").map(|(name, _)| *name).collect();
    let value: Vec<_> = states.iter().map(|(name, state)| format!("{name} {state}")).collect();
    let on: Vec<_> = off.iter().map(|name| format!("{name} on")).collect();
    found(
        &what,
        value.join(", "),
        off.is_empty(),
        "they save processor time on fast links",
        Some(format!("ethtool -K {} {}", of.interface, on.join(" "))),
    )
}

fn ciphers(cpuinfo: Option<&str>) -> Finding {
    let what = "cipher instructions";
    let flags = cpuinfo.and_then(|text| {
        text.lines()
            .find(|line| line.starts_with("flags") || line.starts_with("Features"))
            .and_then(|line| line.split_once(':'))
            .map(|(_, flags)| flags.split_whitespace().collect::<Vec<_>>())
    });
    let Some(flags) = flags else {
        return unread(what, "what the processor has for AES", Some("lscpu".to_owned()));
    };
    let known = ["aes", "pclmulqdq", "pmull", "vaes", "vpclmulqdq", "avx2", "avx512f", "sha_ni"];
    let has: Vec<_> = known.into_iter().filter(|name| flags.contains(name)).collect();
    let value = if has.is_empty() { "none".to_owned() } else { has.join(" ") };
    let why = "without aes, AES-GCM is slower than ChaCha20; with vaes it is several times faster. A virtual machine may hide them";
    found(what, value, flags.contains(&"aes"), why, None)
}

fn copies(measured: Option<Copies>) -> Finding {
    let what = "memory copies";
    let Some(Copies { in_step, just_behind }) = measured else {
        return unread(what, "how fast memory is copied", None);
    };
    let gigabytes = |rate: u64| rate as f64 / 1e9;
    found(
        what,
        format!("{:.1} GB/s, {:.1} to just behind", gigabytes(in_step), gigabytes(just_behind)),
        just_behind.saturating_mul(SLOW_COPIES) >= in_step,
        "16 KiB each; the second where the destination lies a few bytes behind the source within a page, which glibc's `rep movsb` is slow at on AMD's Zen 3 and 4. Where buffers lie is chance, and one run has half the rate of another",
        GLIBC.then(|| REP_MOVSB_OFF.to_owned()),
    )
}

fn governor(value: Option<&str>) -> Finding {
    let what = "frequency governor";
    match value {
        Some(name) => found(
            what,
            name,
            name == "performance",
            "others change the clock while something is measured",
            Some("cpupower frequency-set -g performance".to_owned()),
        ),
        None => unread(what, "there is none to be seen: a virtual machine, perhaps", None),
    }
}

fn load(loadavg: Option<&str>, processors: Option<usize>) -> Finding {
    let what = "load";
    let minute = loadavg.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    match (minute, processors) {
        (Some(minute), Some(processors)) => found(
            what,
            format!("{minute:.2} on {processors} processors"),
            minute <= QUIET * processors as f64,
            "of the last minute; what else runs takes its time from what is measured",
            Some("ps -eo pcpu,comm --sort=-pcpu | head".to_owned()),
        ),
        _ => unread(what, "how busy the machine is", Some("uptime".to_owned())),
    }
}

fn open_files(limits: Option<&str>) -> Finding {
    let what = "open files";
    let soft = limits.and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
        line.split_whitespace().next().map(str::to_owned)
    });
    match soft {
        Some(soft) => {
            let enough = soft == "unlimited" || soft.parse().is_ok_and(|n: u64| n >= OPEN_FILES);
            let why = "of this process; each TCP connection takes one";
            found(what, soft, enough, why, Some("ulimit -n 65536".to_owned()))
        }
        None => unread(what, "of this process", Some("ulimit -n".to_owned())),
    }
}

fn clock(value: Option<&str>) -> Finding {
    let what = "clock source";
    match value {
        Some(name) => found(
            what,
            name,
            QUICK_CLOCKS.contains(&name),
            "others cost microseconds each time the clock is read",
            Some(
                "cat /sys/devices/system/clocksource/clocksource0/available_clocksource".to_owned(),
            ),
        ),
        None => unread(what, "what the kernel tells the time by", None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn good() -> Readings {
        Readings {
            rmem_max: some("7340032"),
            wmem_max: some("7500000"),
            rmem_default: some("14680064"),
            congestion_control: some("bbr"),
            tcp_rmem: some("4096\t131072\t6291456"),
            tcp_wmem: some("4096\t16384\t4194304"),
            kernel: some("6.1.0-18-amd64"),
            cpuinfo: some("processor\t: 0\nflags\t\t: fpu aes vaes avx2\n"),
            governor: some("performance"),
            processors: Some(4),
            loadavg: some("0.52 0.58 0.59 1/977 1"),
            limits: some(
                "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files",
            ),
            clock_source: some("tsc"),
            copies: Some(Copies { in_step: 90_000_000_000, just_behind: 30_000_000_000 }),
            offloads: vec![Offloads {
                interface: "eth0".to_owned(),
                features: some(
                    "Features for eth0:\ntcp-segmentation-offload: on\n\ttx-tcp-segmentation: on\ngeneric-segmentation-offload: on\ngeneric-receive-offload: on\n",
                ),
            }],
        }
    }

    fn of<'a>(findings: &'a [Finding], what: &str) -> &'a Finding {
        findings.iter().find(|finding| finding.what == what).unwrap()
    }

    #[test]
    fn a_good_machine_has_nothing_worth_changing() {
        for finding in judge(&good()) {
            assert_eq!((finding.verdict, &finding.command), (Verdict::Ok, &None), "{finding:?}");
        }
    }

    #[test]
    fn each_setting_that_limits_is_found_with_the_command() {
        let offloads = |text| vec![Offloads { interface: "eth0".to_owned(), features: some(text) }];
        type Change = fn(&mut Readings);
        let cases: [(Change, &str, &str); 12] = [
            (
                |r| r.rmem_max = some("212992"),
                "net.core.rmem_max",
                "sysctl -w net.core.rmem_max=7340032",
            ),
            (
                |r| r.wmem_max = some("1"),
                "net.core.wmem_max",
                "sysctl -w net.core.wmem_max=7340032",
            ),
            // What Linux has where nobody changed it.
            (
                |r| r.rmem_default = some("212992"),
                "net.core.rmem_default",
                "sysctl -w net.core.rmem_default=14680064",
            ),
            (
                |r| r.congestion_control = some("reno"),
                "net.ipv4.tcp_congestion_control",
                "sysctl -w net.ipv4.tcp_congestion_control=cubic",
            ),
            (
                |r| r.tcp_rmem = some("4096 8192 16384"),
                "net.ipv4.tcp_rmem",
                "sysctl -w net.ipv4.tcp_rmem='4096 8192 16777216'",
            ),
            (
                |r| r.governor = some("powersave"),
                "frequency governor",
                "cpupower frequency-set -g performance",
            ),
            (|r| r.loadavg = some("1.01 0 0"), "load", "ps -eo pcpu,comm --sort=-pcpu | head"),
            (|r| r.limits = some("Max open files 256 256 files"), "open files", "ulimit -n 65536"),
            (
                |r| r.clock_source = some("hpet"),
                "clock source",
                "cat /sys/devices/system/clocksource/clocksource0/available_clocksource",
            ),
            (
                |r| {
                    r.copies = Some(Copies { in_step: 90_000_000_000, just_behind: 29_000_000_000 })
                },
                "memory copies",
                if GLIBC {
                    "export GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=1000000000"
                } else {
                    ""
                },
            ),
            (|r| r.kernel = some("4.17.19"), "UDP segmentation", ""),
            (|r| r.cpuinfo = some("flags : fpu"), "cipher instructions", ""),
        ];
        for (change, what, command) in cases {
            let mut readings = good();
            change(&mut readings);
            let findings = judge(&readings);
            let finding = of(&findings, what);
            assert_eq!(finding.verdict, Verdict::WorthChanging, "{finding:?}");
            assert_eq!(finding.command.as_deref().unwrap_or_default(), command);
            let others = findings.iter().filter(|other| other.what != what);
            assert!(others.into_iter().all(|other| other.verdict == Verdict::Ok), "{findings:?}");
        }
        let features = "tcp-segmentation-offload: on\ngeneric-segmentation-offload: off\ngeneric-receive-offload: off [fixed]\n";
        let findings = judge(&Readings { offloads: offloads(features), ..good() });
        let command = of(&findings, "offloads of eth0").command.as_deref();
        assert_eq!(command, Some("ethtool -K eth0 gso on gro on"));
    }

    #[test]
    fn what_is_silent_or_nonsense_could_not_be_read() {
        for readings in [
            Readings::default(),
            Readings {
                rmem_max: some("x"),
                kernel: some("?"),
                tcp_rmem: some("1 2"),
                ..Readings::default()
            },
        ] {
            for finding in judge(&readings) {
                assert_eq!((finding.verdict, &finding.value), (Verdict::CouldNotBeRead, &None));
            }
        }
    }
}
