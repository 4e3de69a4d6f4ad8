//! The reference model: which states a like, a follow, a comment or a message may be in after the recorded requests.
//!
//! Requests overlap, and one without an answer may have happened, even later than requests that were sent after it. So each of them has a
//! set of possible states. A state outside of the set means that an acknowledged write was lost.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Instant,
};

/// What there is between a user and a video, or between two users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Link {
    /// Of a user and a video.
    Like,
    /// Of a user and another.
    Follow,
}

/// What it is, whose, and of what.
pub(super) type Pair = (Link, i64, i64);

/// A like or follow, or the end of one.
#[derive(Debug, Clone, Copy)]
struct Set {
    is_there: bool,
    began: Instant,
    /// `None`: no answer, so far or for ever.
    answered: Option<Instant>,
}

/// What is known of a comment's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Its answer was a success.
    There,
    /// Its deletion's answer was a success.
    Gone,
    /// One of them had no answer.
    Unknown,
}

/// A comment that somebody wanted to write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Comment {
    /// `None`: there was no answer.
    pub id: Option<i64>,
    /// What it is under.
    pub video_id: i64,
    /// Whether its row must be there.
    pub presence: Presence,
}

/// A message that somebody wanted to send, by its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    /// By whom and to whom.
    pub users: (i64, i64),
    /// Whether its answer was a success.
    pub is_answered: bool,
}

/// A request of the workload.
#[derive(Debug)]
pub struct Operation {
    /// For example "like".
    pub what: &'static str,
    /// Whether it changes anything.
    pub is_write: bool,
    /// Just before it was sent.
    pub began: Instant,
    /// When its answer was there, or it was given up.
    pub ended: Instant,
    /// What came of it.
    pub answer: Answer,
}

/// What came of a request.
#[derive(Debug)]
pub enum Answer {
    /// Success.
    Done,
    /// An outcome of the contract, by its `status_code`.
    Refused(i64),
    /// No answer, or HTTP 5xx: it may or may not have happened.
    Failed(String),
}

impl Operation {
    /// Why it has no answer that a client can use.
    pub fn failure(&self) -> Option<&str> {
        match &self.answer {
            Answer::Failed(why) => Some(why),
            Answer::Done | Answer::Refused(_) => None,
        }
    }
}

/// An answer that can't be true.
#[derive(Debug)]
pub struct Violation {
    /// When it came.
    pub at: Instant,
    /// What was shown, and what was known.
    pub what: String,
}

impl Violation {
    /// Seen just now.
    pub fn now(what: String) -> Self {
        let at = Instant::now();
        Self { at, what }
    }
}

/// Everything that the workload has done.
#[derive(Debug, Default)]
pub struct Reference {
    /// Every request, in the order of their ends.
    pub history: Vec<Operation>,
    /// What was shown without something that had been answered before.
    pub stale: Vec<Violation>,
    /// What was answered as if something acknowledged weren't so.
    pub denied: Vec<Violation>,
    sets: HashMap<Pair, Vec<Set>>,
    /// By text: each has its own.
    comments: BTreeMap<String, Comment>,
    /// As the comments.
    messages: BTreeMap<String, Sent>,
}

impl Reference {
    /// Likes, follows, comments, messages, and ends of them that were asked for.
    pub fn writes(&self) -> usize {
        self.history.iter().filter(|done| done.is_write).count()
    }

    /// What came instead of answers to writes.
    pub fn unanswered(&self) -> Vec<&str> {
        let writes = self.history.iter().filter(|done| done.is_write);
        writes.filter_map(Operation::failure).collect()
    }

    /// A like or follow, or the end of one, that is about to be sent; its number among those of the pair.
    pub(super) fn begin(&mut self, pair: Pair, is_there: bool) -> usize {
        let sets = self.sets.entry(pair).or_default();
        sets.push(Set {
            is_there,
            began: Instant::now(),
            answered: None,
        });
        sets.len() - 1
    }

    /// The one of this number was a success.
    pub(super) fn answered(&mut self, pair: Pair, number: usize) {
        let sets = self.sets.get_mut(&pair).expect("a pair");
        sets[number].answered = Some(Instant::now());
    }

    /// What was begun at or after a moment, whatever came of it.
    pub(super) fn begun_since(&self, pair: Pair, moment: Instant) -> BTreeSet<bool> {
        let sets = self.sets.get(&pair).into_iter().flatten();
        let later = sets.filter(|set| set.began >= moment);
        later.map(|set| set.is_there).collect()
    }

    /// The states that the pair may be in at the moment.
    pub(super) fn states(&self, pair: Pair) -> BTreeSet<bool> {
        possible(self.sets.get(&pair).map_or(&[], Vec::as_slice))
    }

    /// A comment that was asked for; with its id if that was answered.
    pub(super) fn comment(&mut self, text: String, video_id: i64, id: Option<i64>) {
        let presence = match id {
            Some(_) => Presence::There,
            None => Presence::Unknown,
        };
        let comment = Comment {
            id,
            video_id,
            presence,
        };
        self.comments.insert(text, comment);
    }

    /// A deletion that was asked for.
    pub(super) fn deleted(&mut self, text: &str, is_answered: bool) {
        let comment = self.comments.get_mut(text).expect("a comment");
        comment.presence = match is_answered {
            true => Presence::Gone,
            false => Presence::Unknown,
        };
    }

    /// Pairs that are not as they must be, given those that are there.
    pub(super) fn wrong_pairs(&self, there: &BTreeSet<Pair>) -> Vec<String> {
        let strangers = there.iter().filter(|pair| !self.sets.contains_key(pair));
        let strangers = strangers.map(|pair| format!("{pair:?} is there, and nobody asked for it"));
        let contradicted = self.sets.iter().filter(|(pair, sets)| {
            let states = possible(sets);
            !states.contains(&there.contains(pair))
        });
        let contradicted = contradicted.map(|(pair, sets)| {
            let is_there = there.contains(pair);
            format!("{pair:?}: there = {is_there} after {sets:?}")
        });
        strangers.chain(contradicted).collect()
    }

    /// A message that was asked for.
    pub(super) fn sent(&mut self, text: String, users: (i64, i64), is_answered: bool) {
        self.messages.insert(text, Sent { users, is_answered });
    }

    /// Messages that are lost or nobody's, and those that are there twice; given the texts and users of all rows.
    pub(super) fn wrong_messages(
        &self,
        rows: &[(String, (i64, i64))],
    ) -> (Vec<String>, Vec<String>) {
        let mut found: BTreeMap<&str, Vec<(i64, i64)>> = BTreeMap::new();
        for (text, users) in rows {
            found.entry(text).or_default().push(*users);
        }
        let lost = self
            .messages
            .iter()
            .filter(|(text, sent)| sent.is_answered && !found.contains_key(text.as_str()));
        let lost = lost.map(|(text, sent)| format!("{text}: {sent:?} is lost"));
        let foreign = found.iter().filter(|(text, rows)| {
            let sent = self.messages.get(**text);
            sent.is_none_or(|sent| rows.iter().any(|users| *users != sent.users))
        });
        let foreign = foreign.map(|(text, rows)| format!("{text} is there of {rows:?}"));
        let twice = found.iter().filter(|(_, rows)| rows.len() > 1);
        let twice = twice.map(|(text, rows)| format!("{text}: {rows:?}"));
        (lost.chain(foreign).collect(), twice.collect())
    }

    /// Comments that are not as they must be, and those that are there twice; given `(text, (id, video))` of all rows.
    pub(super) fn wrong_comments(
        &self,
        rows: &[(String, (i64, i64))],
    ) -> (Vec<String>, Vec<String>) {
        let mut found: BTreeMap<&str, Vec<(i64, i64)>> = BTreeMap::new();
        for (text, row) in rows {
            found.entry(text).or_default().push(*row);
        }
        let twice = found.iter().filter(|(_, rows)| rows.len() > 1);
        let twice = twice.map(|(text, rows)| format!("{text}: {rows:?}"));
        let is_good = |text: &str, comment: &Comment| match (found.get(text), comment.presence) {
            (None, presence) => presence != Presence::There,
            (Some(_), Presence::Gone) => false,
            // Others of its text are told as doubled.
            (Some(rows), _) => match comment.id {
                Some(id) => rows.contains(&(id, comment.video_id)),
                None => rows.iter().all(|(_, video)| *video == comment.video_id),
            },
        };
        let wrong = self
            .comments
            .iter()
            .filter(|(text, comment)| !is_good(text, comment));
        let wrong = wrong.map(|(text, comment)| {
            format!("{text}: {comment:?}, rows {:?}", found.get(text.as_str()))
        });
        let strangers = found
            .keys()
            .filter(|text| !self.comments.contains_key(**text));
        let strangers = strangers.map(|text| format!("{text} is there, and nobody wrote it"));
        (wrong.chain(strangers).collect(), twice.collect())
    }
}

/// The states that a pair may be in: what any operation made of it that may have been the last.
fn possible(sets: &[Set]) -> BTreeSet<bool> {
    let answered = || sets.iter().filter_map(|set| Some((set, set.answered?)));
    let latest_beginning = answered().map(|(set, _)| set.began).max();
    let last = answered().filter(|(_, end)| latest_beginning.is_none_or(|began| began <= *end));
    let unanswered = sets.iter().filter(|set| set.answered.is_none());
    let mut states: BTreeSet<bool> = last
        .map(|(set, _)| set)
        .chain(unanswered)
        .map(|set| set.is_there)
        .collect();
    if latest_beginning.is_none() {
        // Nothing may have happened at all.
        states.insert(false);
    }
    states
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// `(is_there, began, answered)`, in seconds.
    fn states(sets: &[(bool, u64, Option<u64>)]) -> Vec<bool> {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let sets: Vec<Set> = sets
            .iter()
            .map(|(is_there, began, answered)| Set {
                is_there: *is_there,
                began: at(*began),
                answered: answered.map(at),
            })
            .collect();
        possible(&sets).into_iter().collect()
    }

    #[test]
    fn the_last_answered_operation_decides_unless_others_overlapped_it_or_were_not_answered() {
        let (like, unlike) = (true, false);
        assert_eq!(states(&[(like, 0, Some(1))]), [true]);
        assert_eq!(states(&[(like, 0, Some(1)), (unlike, 2, Some(3))]), [false]);
        assert_eq!(states(&[(unlike, 2, Some(3)), (like, 0, Some(1))]), [false]);
        assert_eq!(
            states(&[(like, 0, Some(2)), (unlike, 1, Some(3))]),
            [false, true]
        );
        assert_eq!(
            states(&[(like, 0, Some(2)), (unlike, 1, Some(3)), (like, 4, Some(5))]),
            [true]
        );
        assert_eq!(states(&[(like, 0, None)]), [false, true]);
        assert_eq!(
            states(&[(like, 0, None), (unlike, 2, Some(3))]),
            [false, true]
        );
        assert_eq!(states(&[(unlike, 0, None), (unlike, 2, Some(3))]), [false]);
    }

    #[test]
    fn a_wrong_row_is_found() {
        let mut reference = Reference::default();
        let (like, other) = ((Link::Like, 1, 2), (Link::Like, 1, 3));
        let number = reference.begin(like, true);
        assert_eq!(reference.states(like), [false, true].into());
        reference.answered(like, number);
        assert_eq!(reference.states(like), [true].into());
        assert!(reference.wrong_pairs(&[like].into()).is_empty());
        assert_eq!(reference.wrong_pairs(&[].into()).len(), 1);
        assert_eq!(reference.wrong_pairs(&[like, other].into()).len(), 1);
        // A follow isn't a like.
        let follow = (Link::Follow, 1, 2);
        assert_eq!(reference.wrong_pairs(&[follow].into()).len(), 2);

        reference.sent("m".to_owned(), (1, 2), true);
        reference.sent("n".to_owned(), (1, 2), false);
        let wrong = |rows: &[(&str, (i64, i64))]| {
            let rows: Vec<(String, (i64, i64))> = rows
                .iter()
                .map(|(text, users)| ((*text).to_owned(), *users))
                .collect();
            let (wrong, twice) = reference.wrong_messages(&rows);
            (wrong.len(), twice.len())
        };
        assert_eq!(wrong(&[("m", (1, 2))]), (0, 0));
        assert_eq!(wrong(&[("m", (1, 2)), ("n", (1, 2))]), (0, 0));
        assert_eq!(wrong(&[("m", (1, 2)), ("m", (1, 2))]), (0, 1));
        assert_eq!(wrong(&[("m", (2, 1))]), (1, 0));
        assert_eq!(wrong(&[("n", (1, 2)), ("o", (1, 2))]), (2, 0));

        reference.comment("a".to_owned(), 2, Some(7));
        reference.comment("b".to_owned(), 2, None);
        let row = |text: &str, id, video_id| (text.to_owned(), (id, video_id));
        let wrong = |rows: &[(String, (i64, i64))]| {
            let (wrong, twice) = reference.wrong_comments(rows);
            (wrong.len(), twice.len())
        };
        assert_eq!(wrong(&[row("a", 7, 2)]), (0, 0));
        assert_eq!(wrong(&[row("a", 7, 2), row("b", 8, 2)]), (0, 0));
        assert_eq!(
            wrong(&[row("a", 7, 2), row("b", 8, 2), row("b", 9, 2)]),
            (0, 1)
        );
        assert_eq!(wrong(&[row("a", 7, 3)]), (1, 0));
        assert_eq!(wrong(&[row("a", 8, 2), row("c", 9, 2)]), (2, 0));
        assert_eq!(wrong(&[]), (1, 0));
    }
}
