//! Headroom: how many tests run systems at the same time, by how busy the machine is.
//!
//! A system is a dozen processes with the deadlines that they have in earnest. Where more of them run than the processors carry, requests
//! miss those deadlines, and tests fail though nothing is wrong. So a system starts when a fifth of the processors' time is idle, or when no
//! other system runs. What else keeps the machine busy counts too. A test that has a system already isn't held up.
//!
//! A test of the deadlines themselves runs alone: beside others it would only learn that the machine is busy.

use std::{
    collections::HashMap,
    fs,
    sync::{self, LazyLock, PoisonError},
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use tokio::sync::{Mutex, MutexGuard};

/// The share of the processors' time that is idle while there is room for another system.
const MIN_IDLE: f64 = 0.2;
/// For so long the processors are watched: also the first seconds of the system before show in it.
const WATCHED: Duration = Duration::from_millis(700);
/// The same before a share of a system that runs already.
const WATCHED_FOR_SHARE: Duration = Duration::from_millis(200);
/// Tests that may share a system however busy the machine is.
const SHARING: usize = 3;
/// Tests on one shared system at once.
const MAX_SHARING: usize = 8;
/// A test that starts systems from several threads would wait for itself; so nobody waits for longer.
const MAX_WAIT: Duration = Duration::from_mins(5);

/// Systems, or shares of one, that a test has. A test is known by its thread.
static HELD: LazyLock<sync::Mutex<HashMap<ThreadId, usize>>> = LazyLock::new(sync::Mutex::default);
/// Whoever waits, in the order of their coming.
static TURN: Mutex<()> = Mutex::const_new(());

/// Given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Headroom {
    test: ThreadId,
    /// While this is held, no other system starts.
    alone: Option<MutexGuard<'static, ()>>,
}

impl Headroom {
    /// For a system of a test's own.
    pub(crate) async fn for_system() -> Self {
        Self::wait(async || tests() == 0 || idle_share(WATCHED).await >= MIN_IDLE)
            .await
            .shared()
    }

    /// For a system of a test that must run alone.
    pub(crate) async fn alone() -> Self {
        Self::wait(async || {
            let is_alone = tests() == 0;
            if !is_alone {
                tokio::time::sleep(WATCHED).await;
            }
            is_alone
        })
        .await
    }

    /// For a share of a system.
    pub(crate) async fn for_share() -> Self {
        Self::wait(async || {
            tests() < SHARING
                || (idle_share(WATCHED_FOR_SHARE).await >= MIN_IDLE && tests() < MAX_SHARING)
        })
        .await
        .shared()
    }

    /// Lets others in.
    fn shared(mut self) -> Self {
        self.alone = None;
        self
    }

    async fn wait(has_room: impl AsyncFn() -> bool) -> Self {
        let test = thread::current().id();
        let mut turn = None;
        if !held(|held| held.contains_key(&test)) {
            turn = Some(TURN.lock().await);
            let begun = Instant::now();
            while !has_room().await && begun.elapsed() < MAX_WAIT {}
        }
        held(|held| *held.entry(test).or_default() += 1);
        Self { test, alone: turn }
    }
}

impl Drop for Headroom {
    fn drop(&mut self) {
        held(|held| {
            if let Some(count) = held.get_mut(&self.test) {
                *count -= 1;
                if *count == 0 {
                    held.remove(&self.test);
                }
            }
        });
    }
}

fn held<T>(work: impl FnOnce(&mut HashMap<ThreadId, usize>) -> T) -> T {
    work(&mut HELD.lock().unwrap_or_else(PoisonError::into_inner))
}

fn tests() -> usize {
    held(|held| held.len())
}

/// The idle share of all processors' time while `watched` passes.
async fn idle_share(watched: Duration) -> f64 {
    let before = processor_time();
    tokio::time::sleep(watched).await;
    let after = processor_time();
    let all = after.all.saturating_sub(before.all).max(1);
    after.idle.saturating_sub(before.idle) as f64 / all as f64
}

/// Of all processors since the start of the machine, in ticks.
struct ProcessorTime {
    all: u64,
    idle: u64,
}

/// By the first line of `/proc/stat` (proc(5)): user, nice, system, idle, iowait …
fn processor_time() -> ProcessorTime {
    let stat = fs::read_to_string("/proc/stat").expect("/proc/stat");
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|ticks| ticks.parse().ok())
        .collect();
    ProcessorTime {
        all: ticks.iter().take(8).sum(),
        idle: ticks.iter().skip(3).take(2).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processors_time_passes_and_idle_time_is_a_part_of_it() {
        let before = processor_time();
        thread::sleep(Duration::from_millis(50));
        let after = processor_time();
        assert!(after.all > before.all);
        assert!(after.idle <= after.all);
    }

    #[tokio::test]
    async fn a_test_that_has_one_is_never_held_up() {
        let first = Headroom::for_system().await;
        let (second, third) = (Headroom::for_system().await, Headroom::for_share().await);
        drop((first, second));
        let fourth = Headroom::for_system().await;
        drop((third, fourth));
        assert!(!held(|held| held.contains_key(&thread::current().id())));
    }
}
