//! What a page shows of its viewer: which videos they like, and whom they follow. Optional: while it can't be read, the page shows none.
//!
//! One call reads it for all viewers who ask at that moment (a shared read). Viewers who have just written share a read that shows what they
//! wrote. All others read from the replica of their group, always the same, so that time doesn't run backwards for them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use futures::future::join_all;
use idl::favorite::{FavoriteServiceClient, MGetFlagsRequest, Shown};
use marks::{Marks, Reader, Sees, Subject, page_affinity};
use singleflight::Demand;

use crate::objects::{Comment, User, Video};

/// Groups of viewers. Each group reads from one replica, so several replicas share the work.
const GROUPS: i64 = 4;
/// Viewers in one call at most.
const MAX_VIEWERS: usize = 64;
/// Videos, and users, of one viewer in one call at most.
const MAX_IDS: usize = 300;

/// What a page shows of its viewer.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// The videos that they like.
    pub liked: HashSet<i64>,
    /// The users whom they follow.
    pub followed: HashSet<i64>,
}

impl Flags {
    /// Whether the page is that of a viewer without a token.
    pub fn is_empty(&self) -> bool {
        self.liked.is_empty() && self.followed.is_empty()
    }
}

/// What has flags of its viewer.
pub trait Flagged {
    /// The videos on it.
    fn video_ids(&self) -> Vec<i64> {
        Vec::new()
    }

    /// The users on it; one may be there twice.
    fn user_ids(&self) -> Vec<i64>;

    /// Sets all flags.
    fn flag(&mut self, flags: &Flags);
}

impl Flagged for Vec<Video> {
    fn video_ids(&self) -> Vec<i64> {
        self.iter().map(Video::id).collect()
    }

    fn user_ids(&self) -> Vec<i64> {
        self.iter().map(|video| video.author().id()).collect()
    }

    fn flag(&mut self, flags: &Flags) {
        for video in self {
            video.set_favorite(flags.liked.contains(&video.id()));
            let is_followed = flags.followed.contains(&video.author().id());
            video.author_mut().set_follow(is_followed);
        }
    }
}

impl Flagged for Vec<Comment> {
    fn user_ids(&self) -> Vec<i64> {
        self.iter().map(|comment| comment.user().id()).collect()
    }

    fn flag(&mut self, flags: &Flags) {
        for comment in self {
            let is_followed = flags.followed.contains(&comment.user().id());
            comment.user_mut().set_follow(is_followed);
        }
    }
}

impl Flagged for Vec<User> {
    fn user_ids(&self) -> Vec<i64> {
        self.iter().map(User::id).collect()
    }

    fn flag(&mut self, flags: &Flags) {
        for user in self {
            user.set_follow(flags.followed.contains(&user.id()));
        }
    }
}

/// What is asked for each viewer.
pub struct Wanted(BTreeMap<i64, Asked>);

impl Wanted {
    /// Of one viewer. `sees`: what they must see; none: their mark is still to be read.
    pub fn by(viewer: i64, sees: Option<Sees>, video_ids: Vec<i64>, user_ids: Vec<i64>) -> Self {
        let asked = Asked {
            sees,
            video_ids: video_ids.into_iter().collect(),
            // Nobody follows themself.
            user_ids: user_ids.into_iter().filter(|id| *id != viewer).collect(),
        };
        Self(BTreeMap::from([(viewer, asked)]))
    }

    /// Whether nothing is asked.
    pub fn is_nothing(&self) -> bool {
        let is_nothing = |asked: &Asked| asked.video_ids.is_empty() && asked.user_ids.is_empty();
        self.0.values().all(is_nothing)
    }
}

struct Asked {
    /// What the viewer must see; none: their mark is still to be read.
    sees: Option<Sees>,
    video_ids: BTreeSet<i64>,
    user_ids: BTreeSet<i64>,
}

impl Demand for Wanted {
    fn merge(&mut self, other: Self) {
        for (viewer, mut asked) in other.0 {
            match self.0.get_mut(&viewer) {
                Some(all) => {
                    // The mark that is read when the flight starts has what each of them must see.
                    all.sees = all
                        .sees
                        .take()
                        .zip(asked.sees)
                        .map(|(one, two)| one.and(two));
                    all.video_ids.append(&mut asked.video_ids);
                    all.user_ids.append(&mut asked.user_ids);
                }
                None => {
                    self.0.insert(viewer, asked);
                }
            }
        }
    }
}

/// The group that a viewer is read with.
pub fn group_of(viewer: i64) -> i64 {
    viewer.rem_euclid(GROUPS)
}

/// The read of a group: the flags of each viewer. Costs one round trip to Redis where marks are still to be read.
pub async fn read(
    favorite: &FavoriteServiceClient,
    marks: &Marks,
    group: i64,
    wanted: Wanted,
) -> Arc<HashMap<i64, Flags>> {
    let unknown = wanted.0.iter().filter(|(_, asked)| asked.sees.is_none());
    let unknown: Vec<i64> = unknown.map(|(viewer, _)| *viewer).collect();
    let mut sees: HashMap<i64, Sees> = HashMap::new();
    if !unknown.is_empty() {
        let subjects: Vec<Subject> = unknown.iter().copied().map(Subject::User).collect();
        let each = marks.read_each(&subjects).await;
        sees = unknown.into_iter().zip(each).collect();
    }
    let (mut unmarked, mut marked) = (Share::default(), Share::default());
    for (viewer, mut asked) in wanted.0 {
        let Some(own) = asked.sees.take().or_else(|| sees.remove(&viewer)) else {
            continue;
        };
        let share = if own.is_marked() {
            &mut marked
        } else {
            &mut unmarked
        };
        share.add(viewer, own, &asked);
    }
    let affinity = page_affinity(&format!("flags {group}"));
    let shares = [unmarked, marked].map(|share| share.read(favorite, affinity));
    let flags = join_all(shares).await;
    Arc::new(flags.into_iter().flatten().collect())
}

/// The viewers who share a read.
#[derive(Default)]
struct Share {
    sees: Option<Sees>,
    /// A viewer who asks for more than a call may have is in several.
    calls: Vec<BTreeMap<i64, Shown>>,
}

impl Share {
    fn add(&mut self, viewer: i64, sees: Sees, asked: &Asked) {
        self.sees = Some(match self.sees.take() {
            Some(all) => all.and(sees),
            None => sees,
        });
        let (videos, users) = (in_calls(&asked.video_ids), in_calls(&asked.user_ids));
        for n in 0..videos.len().max(users.len()) {
            let shown = Shown {
                video_ids: videos.get(n).cloned().unwrap_or_default(),
                user_ids: users.get(n).cloned().unwrap_or_default(),
            };
            let is_free = |call: &&mut BTreeMap<i64, Shown>| {
                call.len() < MAX_VIEWERS && !call.contains_key(&viewer)
            };
            match self.calls.iter_mut().find(is_free) {
                Some(call) => {
                    call.insert(viewer, shown);
                }
                None => self.calls.push(BTreeMap::from([(viewer, shown)])),
            }
        }
    }

    async fn read(self, favorite: &FavoriteServiceClient, affinity: i64) -> HashMap<i64, Flags> {
        let mut all: HashMap<i64, Flags> = HashMap::new();
        let Some(sees) = self.sees else {
            return all;
        };
        let reader = Reader {
            affinity: Some(affinity),
            sees,
        };
        let calls = self.calls.into_iter().map(|viewers| {
            favorite.mget_flags(MGetFlagsRequest {
                viewers: viewers.into_iter().collect(),
            })
        });
        // The clients have logged why a call failed.
        let answers = service::reading(&reader, join_all(calls)).await;
        for (viewer, flags) in answers
            .into_iter()
            .flatten()
            .flat_map(|answer| answer.flags)
        {
            let all = all.entry(viewer).or_default();
            all.liked.extend(flags.liked_video_ids);
            all.followed.extend(flags.followed_user_ids);
        }
        all
    }
}

fn in_calls(ids: &BTreeSet<i64>) -> Vec<Vec<i64>> {
    let ids: Vec<i64> = ids.iter().copied().collect();
    ids.chunks(MAX_IDS).map(<[i64]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use marks::{Commit, Why};

    use super::*;

    fn asked(sees: Option<Sees>, video_ids: &[i64]) -> Asked {
        Asked {
            sees,
            video_ids: video_ids.iter().copied().collect(),
            user_ids: BTreeSet::new(),
        }
    }

    #[test]
    fn what_a_viewer_asks_twice_is_read_once_as_strictly_as_either_must_see() {
        let marked = Sees::UpTo {
            commit: Commit {
                seq: 7,
                gtid: "0-1-7".to_owned(),
            },
            marked: true,
        };
        for (one, other, both) in [
            (Some(Sees::Any), Some(marked.clone()), Some(marked.clone())),
            (Some(marked.clone()), None, None),
            (None, Some(Sees::All(Why::Marked)), None),
        ] {
            let mut wanted = Wanted(BTreeMap::from([(1, asked(one, &[1, 2]))]));
            wanted.merge(Wanted(BTreeMap::from([
                (1, asked(other, &[2, 3])),
                (2, asked(None, &[9])),
            ])));
            assert_eq!(wanted.0[&1].sees, both);
            assert_eq!(wanted.0[&1].video_ids, BTreeSet::from([1, 2, 3]));
            assert_eq!(wanted.0[&2].video_ids, BTreeSet::from([9]));
        }
    }

    #[test]
    fn a_call_has_no_more_viewers_and_ids_than_the_interface_lets_through() {
        let mut share = Share::default();
        let many: Vec<i64> = (1..=700).collect();
        share.add(0, Sees::Any, &asked(None, &many));
        for viewer in 1..=200 {
            share.add(viewer, Sees::Any, &asked(None, &[viewer]));
        }
        let sizes: Vec<usize> = share.calls.iter().map(BTreeMap::len).collect();
        assert_eq!(sizes, [64, 64, 64, 11]);
        let shown = share.calls.iter().flatten();
        let mut of_first: Vec<i64> = Vec::new();
        for (viewer, shown) in shown {
            assert!(shown.video_ids.len() <= MAX_IDS);
            if *viewer == 0 {
                of_first.extend(&shown.video_ids);
            }
        }
        assert_eq!(of_first, many);
    }
}
