//! Processor time and memory of processes, from `/proc`.

use testkit::{Process, System, environment};

/// The programs of one side.
pub const SERVICES: [&str; 7] = [
    "api", "user", "video", "favorite", "comment", "relation", "message",
];
/// What both sides share.
const SERVERS: [&str; 3] = ["primary", "replica", "redis"];
/// Whose processor time is told apart; the last is this process.
pub const PARTS: [&str; 11] = [
    "api",
    "user",
    "video",
    "favorite",
    "comment",
    "relation",
    "message",
    "primary",
    "replica",
    "redis",
    "generator",
];
/// Of the kernel's counts of processor time, on every architecture that Linux runs on today.
const TICKS_PER_S: f64 = 100.0;
/// Where `/proc/<pid>/stat` has user and system time, counted from behind the name.
const TIMES: std::ops::Range<usize> = 11..13;

/// Seconds of processor time so far, by [`PARTS`].
pub fn cpu_s(system: &System) -> Vec<f64> {
    let services = SERVICES.into_iter().map(|name| {
        let instances = system.instances(name).iter();
        instances.map(|process| of(process.pid())).sum()
    });
    let servers = SERVERS.into_iter().map(|name| {
        let file = environment::servers().join(name).join("pid");
        let pid = std::fs::read_to_string(file).expect("a pid file");
        of(pid.trim().parse().expect("a pid"))
    });
    let parts = services.chain(servers);
    parts.chain([of(std::process::id())]).collect()
}

fn of(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let (_, fields) = stat.rsplit_once(") ").expect("a name in brackets");
    let fields: Vec<_> = fields.split(' ').collect();
    let ticks = fields[TIMES].iter().map(|field| field.parse::<f64>());
    ticks.map(|ticks| ticks.expect("a number")).sum::<f64>() / TICKS_PER_S
}

/// Resident memory in MiB: now, and the highest so far.
pub fn memory_mib(process: &Process) -> (f64, f64) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid()));
    let status = status.expect("the status of a running process");
    let mib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        kib.expect("a size") / 1024.0
    };
    (mib("VmRSS:"), mib("VmHWM:"))
}
