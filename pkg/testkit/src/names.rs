//! Unique names for the resources of a test, which also tell whether their process still runs.

use std::{
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// `dt<separator><pid><separator><n><separator><random>`: unique on this machine, swept when the process is gone.
pub(crate) fn unique(separator: char) -> String {
    let n = COUNTER.fetch_add(1, Ordering::Relaxed);
    let random: u32 = rand::random();
    let pid = std::process::id();
    format!("dt{separator}{pid}{separator}{n}{separator}{random:08x}")
}

/// Whether `name` comes from [`unique`] in a process that has ended.
pub(crate) fn is_left_over(name: &str, separator: char) -> bool {
    let mut parts = name.split(separator);
    let (Some("dt"), Some(pid)) = (parts.next(), parts.next()) else {
        return false;
    };
    pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists()
}
