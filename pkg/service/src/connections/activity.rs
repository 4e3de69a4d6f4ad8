//! The phase of a connection (idle, receiving, working, refused or evicted), and when it began.
//!
//! It is one atomic word. After an eviction no work begins; work that has begun is never evicted.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::timeouts::Timeouts;

/// The phase of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No byte of a request has arrived.
    Idle,
    /// The head of a request is arriving.
    Head,
    /// The body of a request that isn't admitted is arriving.
    Body,
    /// As `Body`, but the upload was counted for the rate limit of its address.
    Counted,
    /// A request is admitted, or has arrived completely.
    Working,
    /// The request is refused, and the rest of its body is discarded.
    Discarding,
    /// The connection was closed to make room for another.
    Evicted,
}

impl Phase {
    fn of(word: u64) -> Self {
        match word & ((1 << PHASE_BITS) - 1) {
            0 => Self::Idle,
            1 => Self::Head,
            2 => Self::Body,
            3 => Self::Counted,
            4 => Self::Working,
            5 => Self::Discarding,
            _ => Self::Evicted,
        }
    }

    /// Its rank among the candidates for eviction; `None` for a phase that is never evicted.
    fn rank(self) -> Option<Rank> {
        match self {
            Self::Discarding => Some(Rank::Discarding),
            Self::Idle => Some(Rank::Idle),
            Self::Head => Some(Rank::Head),
            Self::Body => Some(Rank::Unadmitted),
            Self::Counted => Some(Rank::Counted),
            Self::Working | Self::Evicted => None,
        }
    }
}

/// All phases but `Evicted`.
const NOT_EVICTED: [Phase; 6] = [
    Phase::Idle,
    Phase::Head,
    Phase::Body,
    Phase::Counted,
    Phase::Working,
    Phase::Discarding,
];

/// The lowest bits of the word hold the phase. The bits above hold the time when it began, in ms after `opened`.
const PHASE_BITS: u32 = 3;

/// One connection.
#[derive(Debug)]
pub(crate) struct Activity {
    opened: Instant,
    timeouts: Timeouts,
    word: AtomicU64,
    /// The client of the connection itself, and the client of the current request.
    own_client: u64,
    client: AtomicU64,
    evicted: Notify,
}

/// The order of eviction: the connection with the least work to lose comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    Discarding,
    Idle,
    /// Behind a proxy each of these is its own client until its head is read: a crowd of them mustn't cost an older one its upload.
    Head,
    Unadmitted,
    Counted,
    /// It had an answer a moment ago, and its next request may be on the way: a request that meets a closed connection has no answer.
    Recent,
    /// Hundreds of slow uploads, each from an address of its own, mustn't close a connection before its request can arrive.
    New,
}

/// A connection that may be evicted, with the time when its phase began. Ordered by rank, then by age, the oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate {
    pub(crate) rank: Rank,
    pub(crate) since: Instant,
    word: u64,
}

#[cfg(test)]
impl Candidate {
    pub(super) fn for_test(rank: Rank, since: Instant) -> Self {
        Self {
            rank,
            since,
            word: 0,
        }
    }
}

impl Activity {
    /// Of a connection that was opened just now, by that client.
    pub(crate) fn new(timeouts: Timeouts, client: u64) -> Self {
        Self {
            opened: Instant::now(),
            timeouts,
            word: AtomicU64::new(Phase::Head as u64),
            own_client: client,
            client: AtomicU64::new(client),
            evicted: Notify::new(),
        }
    }

    pub(crate) fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// The client that it counts for.
    pub(crate) fn client(&self) -> u64 {
        self.client.load(Ordering::Relaxed)
    }

    /// The request that is worked on is of that client; back comes whom it was counted for before, if not for its own.
    pub(crate) fn set_client(&self, client: u64) -> Option<u64> {
        let before = self.client.swap(client, Ordering::Relaxed);
        (before != self.own_client).then_some(before)
    }

    /// The client of the connection itself.
    pub(crate) fn own_client(&self) -> u64 {
        self.own_client
    }

    /// Bytes have arrived. On an idle connection they begin a request.
    pub(crate) fn received(&self) {
        self.step(&[Phase::Idle], Phase::Head);
    }

    /// The head of a request has arrived, and its handling begins. False when the connection was evicted: then it must not begin.
    pub(crate) fn begin(&self, has_body: bool) -> bool {
        let phase = if has_body {
            Phase::Body
        } else {
            Phase::Working
        };
        self.step(&NOT_EVICTED, phase)
    }

    /// The upload was counted for its address; its token may still follow.
    pub(crate) fn counted(&self) {
        self.step(&[Phase::Body], Phase::Counted);
    }

    /// The request is admitted: from now on it isn't evicted.
    pub(crate) fn admitted(&self) {
        self.step(&[Phase::Body, Phase::Counted], Phase::Working);
    }

    /// The request is refused; the rest of its body is discarded.
    pub(crate) fn discarding(&self) {
        let from = [Phase::Body, Phase::Counted, Phase::Working];
        self.step(&from, Phase::Discarding);
    }

    /// The body has arrived completely.
    pub(crate) fn body_ended(&self) {
        let from = [Phase::Body, Phase::Counted, Phase::Discarding];
        self.step(&from, Phase::Working);
    }

    /// The handler has dropped the body.
    pub(crate) fn body_dropped(&self) {
        self.step(&[Phase::Body, Phase::Counted], Phase::Working);
        self.step(&[Phase::Discarding], Phase::Idle);
    }

    /// The answer is ready. A body that is still discarded afterwards isn't a request.
    pub(crate) fn end(&self) {
        let from = [
            Phase::Idle,
            Phase::Head,
            Phase::Body,
            Phase::Counted,
            Phase::Working,
        ];
        self.step(&from, Phase::Idle);
    }

    /// The current phase.
    pub(crate) fn phase(&self) -> Phase {
        Phase::of(self.word.load(Ordering::Acquire))
    }

    /// The current phase and the time when it began.
    pub(crate) fn phase_since(&self) -> (Phase, Instant) {
        let word = self.word.load(Ordering::Acquire);
        (Phase::of(word), self.since(word))
    }

    /// By when bytes must arrive. `None` in phases that have their own deadline.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let (phase, since) = self.phase_since();
        match phase {
            Phase::Idle => Some(since + self.timeouts.idle),
            Phase::Head => Some(since + self.timeouts.receive),
            _ => None,
        }
    }

    /// Whether nothing of a request has come yet.
    pub(crate) fn is_idle(&self) -> bool {
        self.phase() == Phase::Idle
    }

    /// As a candidate for eviction; `None` while it can't be evicted.
    pub(crate) fn candidate(&self) -> Option<Candidate> {
        let word = self.word.load(Ordering::Acquire);
        let rank = match Phase::of(word).rank()? {
            Rank::Idle if self.since(word).elapsed() < self.timeouts.recent => Rank::Recent,
            Rank::Head if self.opened.elapsed() < self.timeouts.first_head => Rank::New,
            rank => rank,
        };
        Some(Candidate {
            rank,
            since: self.since(word),
            word,
        })
    }

    /// Evicts it if its phase hasn't changed since.
    pub(crate) fn evict(&self, candidate: Candidate) -> bool {
        let done = self.change(candidate.word, Phase::Evicted);
        if done {
            self.evicted.notify_one();
        }
        done
    }

    /// Resolves when the connection was evicted.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    fn since(&self, word: u64) -> Instant {
        self.opened + Duration::from_millis(word >> PHASE_BITS)
    }

    /// Changes the phase if it is one of `from`. False if it isn't.
    fn step(&self, from: &[Phase], to: Phase) -> bool {
        loop {
            let word = self.word.load(Ordering::Acquire);
            if !from.contains(&Phase::of(word)) {
                return false;
            }
            if self.change(word, to) {
                return true;
            }
        }
    }

    fn change(&self, from: u64, phase: Phase) -> bool {
        // 2^61 ms don't pass.
        let now =
            u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX >> PHASE_BITS);
        let to = now << PHASE_BITS | phase as u64;
        self.word
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::timeouts::BodyRate, *};

    const TIMEOUTS: Timeouts = Timeouts {
        receive: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        send: Duration::from_secs(20),
        body: BodyRate {
            admission: Duration::from_secs(10),
            rate: 8 << 10,
            grace: Duration::from_secs(10),
            stall: Duration::from_secs(20),
        },
        first_head: Duration::ZERO,
        recent: Duration::ZERO,
    };

    /// Time that passes between two events, and what the word's whole milliseconds leave off.
    const STEP: Duration = Duration::from_millis(20);
    const ROUNDING: Duration = Duration::from_millis(1);

    #[test]
    fn a_request_has_its_time_from_its_first_byte_and_a_connection_from_its_last_answer() {
        let activity = Activity::new(TIMEOUTS, 1);
        let first = activity.deadline().unwrap();
        std::thread::sleep(STEP);
        activity.received();
        assert_eq!(activity.deadline(), Some(first), "a byte wins no time");
        assert!(activity.begin(false));
        assert_eq!(activity.deadline(), None);
        std::thread::sleep(STEP);
        let answered = Instant::now();
        activity.end();
        assert!(activity.is_idle());
        let idle = activity.deadline().unwrap();
        assert!(idle + ROUNDING >= answered + TIMEOUTS.idle, "{idle:?}");
        std::thread::sleep(STEP);
        let began = Instant::now();
        activity.received();
        let second = activity.deadline().unwrap();
        assert!(second + ROUNDING >= began + TIMEOUTS.receive, "{second:?}");
        assert!(second < idle, "a request may take less time than idleness");
    }

    #[tokio::test]
    async fn what_is_thrown_away_behind_an_answer_goes_on_until_it_is_dropped() {
        let activity = Activity::new(TIMEOUTS, 1);
        assert!(activity.begin(true));
        activity.discarding();
        activity.end();
        activity.received();
        assert_eq!(activity.phase(), Phase::Discarding, "no head is waited for");
        assert_eq!(activity.deadline(), None);
        assert!(activity.candidate().is_some());
        activity.body_dropped();
        assert!(activity.is_idle());
    }

    #[tokio::test]
    async fn work_is_not_cut_and_nothing_begins_after_a_cut() {
        let activity = Activity::new(TIMEOUTS, 1);
        let candidate = activity.candidate().unwrap();
        assert!(activity.begin(false));
        assert_eq!(activity.candidate(), None);
        assert!(!activity.evict(candidate), "it works by now");
        activity.end();
        let candidate = activity.candidate().unwrap();
        assert!(activity.evict(candidate));
        activity.evicted().await;
        assert!(!activity.begin(false));
    }
    #[test]
    fn whose_connection_it_is_holds_for_a_request() {
        let activity = Activity::new(TIMEOUTS, 1);
        assert_eq!(activity.set_client(2), None);
        assert_eq!(activity.client(), 2);
        assert_eq!(activity.set_client(1), Some(2));
        assert_eq!(activity.client(), 1);
    }
}
