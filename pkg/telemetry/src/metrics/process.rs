//! Metrics of the process itself, read from /proc on Linux. Elsewhere they stay empty.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use metrics::{counter, gauge};

use super::{families as name, recorder::sample};

/// The unit of processor times in /proc: fixed by the kernel's interface, whatever its own clock does.
const TICKS_PER_SECOND: u64 = 100;

/// Says what never changes, and reads the rest whenever it is asked for.
pub(super) fn watch() {
    gauge!(name::BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    gauge!(name::PROCESS_START_TIME).set(now.unwrap_or_default().as_secs_f64());
    sample(|| {
        // What can't be read is left out.
        let _ = read();
        Some(())
    });
}

fn read() -> Option<()> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let resident_kib: u64 = field(&status, "VmRSS:")?;
    gauge!(name::PROCESS_RESIDENT).set((resident_kib * 1024) as f64);
    gauge!(name::PROCESS_THREADS).set(field(&status, "Threads:")? as f64);
    gauge!(name::PROCESS_OPEN_FDS).set(fs::read_dir("/proc/self/fd").ok()?.count() as f64);
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    if let Some(max) = field(&limits, "Max open files") {
        gauge!(name::PROCESS_MAX_FDS).set(max as f64);
    }
    counter!(name::PROCESS_CPU)
        .absolute(cpu_seconds(&fs::read_to_string("/proc/self/stat").ok()?)?);
    Some(())
}

/// The number after a name.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// User and system time, the 14th and 15th field. The second is the program's name, which may hold blanks and brackets.
fn cpu_seconds(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks =
        |place: usize| -> Option<u64> { fields.split_whitespace().nth(place)?.parse().ok() };
    Some((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_an_odd_program_name() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 150 0 0 20 0 3 0 99 1 1";
        assert_eq!(cpu_seconds(stat), Some(4));
    }

    #[test]
    fn a_field_is_found_by_its_name() {
        let status = "Name:\tapi\nVmRSS:\t  2048 kB\nThreads:\t5\n";
        assert_eq!(field(status, "VmRSS:"), Some(2048));
        assert_eq!(field(status, "VmSwap:"), None);
    }
}
