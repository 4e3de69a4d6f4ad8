//! What a connection is at, and since when: so that one that does nothing can be told from one that works, and be cut.
//!
//! One word, changed without a lock. Once it says cut, no work begins any more; work that has begun is never cut for room.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// How long a connection may take for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// From the first byte of a request to the last that is needed to begin with it; for the first one from the connection on.
    pub(crate) receive: Duration,
    /// From an answer to the first byte of the next request.
    pub(crate) idle: Duration,
    /// Without a byte of an answer being taken.
    pub(crate) send: Duration,
}

/// The phase is in the lowest bits of the word, since when in those above, in ms after `opened`.
const PHASE_BITS: u32 = 2;
const IDLE: u64 = 0;
const RECEIVING: u64 = 1;
const WORKING: u64 = 2;
const CUT: u64 = 3;

/// One connection.
pub(crate) struct Activity {
    opened: Instant,
    pace: Pace,
    word: AtomicU64,
    cut: Notify,
}

/// How long a connection has been at something that it may be cut from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spare {
    since: Instant,
    word: u64,
}

impl Activity {
    /// Of a connection that was opened just now.
    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            opened: Instant::now(),
            pace,
            word: AtomicU64::new(RECEIVING),
            cut: Notify::new(),
        }
    }

    pub(crate) fn pace(&self) -> Pace {
        self.pace
    }

    /// Bytes have come: if nothing was under way, they begin a request.
    pub(crate) fn received(&self) {
        let word = self.word.load(Ordering::Acquire);
        if phase(word) == IDLE {
            self.change(word, RECEIVING);
        }
    }

    /// A request is there, and is worked on from now on; false: the connection was cut, so it must not be.
    pub(crate) fn begin(&self) -> bool {
        loop {
            let word = self.word.load(Ordering::Acquire);
            if phase(word) == CUT {
                return false;
            }
            if self.change(word, WORKING) {
                return true;
            }
        }
    }

    /// The answer is there.
    pub(crate) fn end(&self) {
        let word = self.word.load(Ordering::Acquire);
        if phase(word) == WORKING {
            self.change(word, IDLE);
        }
    }

    /// By when bytes must come; none: whoever works on the request sees to that.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let word = self.word.load(Ordering::Acquire);
        let limit = match phase(word) {
            IDLE => self.pace.idle,
            RECEIVING => self.pace.receive,
            _ => return None,
        };
        Some(self.since(word) + limit)
    }

    /// Whether nothing of a request has come yet.
    pub(crate) fn is_idle(&self) -> bool {
        phase(self.word.load(Ordering::Acquire)) == IDLE
    }

    /// None while it works.
    pub(crate) fn spare(&self) -> Option<Spare> {
        let word = self.word.load(Ordering::Acquire);
        matches!(phase(word), IDLE | RECEIVING).then(|| Spare {
            since: self.since(word),
            word,
        })
    }

    /// Cuts it, if it is still at what it was at then.
    pub(crate) fn cut(&self, spare: Spare) -> bool {
        let done = self.change(spare.word, CUT);
        if done {
            self.cut.notify_one();
        }
        done
    }

    /// Ends when it was cut.
    pub(crate) async fn was_cut(&self) {
        self.cut.notified().await;
    }

    fn since(&self, word: u64) -> Instant {
        self.opened + Duration::from_millis(word >> PHASE_BITS)
    }

    fn change(&self, from: u64, phase: u64) -> bool {
        // 2^62 ms don't pass.
        let now =
            u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX >> PHASE_BITS);
        let to = now << PHASE_BITS | phase;
        self.word
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

fn phase(word: u64) -> u64 {
    word & ((1 << PHASE_BITS) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        receive: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        send: Duration::from_secs(20),
    };

    /// Time that passes between two events, and what the word's whole milliseconds leave off.
    const STEP: Duration = Duration::from_millis(20);
    const ROUNDING: Duration = Duration::from_millis(1);

    #[test]
    fn a_request_has_its_time_from_its_first_byte_and_a_connection_from_its_last_answer() {
        let activity = Activity::new(PACE);
        let first = activity.deadline().unwrap();
        std::thread::sleep(STEP);
        activity.received();
        assert_eq!(activity.deadline(), Some(first), "a byte wins no time");
        assert!(activity.begin());
        assert_eq!(activity.deadline(), None);
        std::thread::sleep(STEP);
        let answered = Instant::now();
        activity.end();
        assert!(activity.is_idle());
        let idle = activity.deadline().unwrap();
        assert!(idle + ROUNDING >= answered + PACE.idle, "{idle:?}");
        std::thread::sleep(STEP);
        let began = Instant::now();
        activity.received();
        let second = activity.deadline().unwrap();
        assert!(second + ROUNDING >= began + PACE.receive, "{second:?}");
        assert!(second < idle, "a request may take less time than idleness");
    }

    #[tokio::test]
    async fn work_is_not_cut_and_nothing_begins_after_a_cut() {
        let activity = Activity::new(PACE);
        let spare = activity.spare().unwrap();
        assert!(activity.begin());
        assert_eq!(activity.spare(), None);
        assert!(!activity.cut(spare), "it works by now");
        activity.end();
        let spare = activity.spare().unwrap();
        assert!(activity.cut(spare));
        activity.was_cut().await;
        assert!(!activity.begin());
    }
}
