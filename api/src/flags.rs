//! The flags of a page: which videos its viewer likes, and which users they follow. They are optional: while they can't be read, none
//! is set.
//!
//! Viewers who ask at the same moment share a read. Viewers who have just written share a separate read that shows their writes, so nobody
//! else waits for it. All other viewers read from one replica, which is the same in every process. So time doesn't run backwards for them,
//! and each read serves as many viewers as possible.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use futures::future::join_all;
use idl::favorite::{FavoriteServiceClient, MGetFlagsRequest, Shown};
use marks::{Consistency, Reader, page_affinity};
use singleflight::Demand;

use crate::objects::{Comment, User, Video};

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
    /// Whether the viewer likes and follows nothing on the page, so that the shared page can be sent as it is.
    pub fn is_empty(&self) -> bool {
        self.liked.is_empty() && self.followed.is_empty()
    }
}

/// What has flags of its viewer.
pub trait HasFlags {
    /// The videos on it.
    fn video_ids(&self) -> Vec<i64> {
        Vec::new()
    }

    /// The users on it; one may be there twice.
    fn user_ids(&self) -> Vec<i64>;

    /// Sets all flags.
    fn set_flags(&mut self, flags: &Flags);
}

impl HasFlags for Vec<Video> {
    fn video_ids(&self) -> Vec<i64> {
        self.iter().map(Video::id).collect()
    }

    fn user_ids(&self) -> Vec<i64> {
        self.iter().map(|video| video.author().id()).collect()
    }

    fn set_flags(&mut self, flags: &Flags) {
        for video in self {
            video.set_favorite(flags.liked.contains(&video.id()));
            let is_followed = flags.followed.contains(&video.author().id());
            video.author_mut().set_follow(is_followed);
        }
    }
}

impl HasFlags for Vec<Comment> {
    fn user_ids(&self) -> Vec<i64> {
        self.iter().map(|comment| comment.user().id()).collect()
    }

    fn set_flags(&mut self, flags: &Flags) {
        for comment in self {
            let is_followed = flags.followed.contains(&comment.user().id());
            comment.user_mut().set_follow(is_followed);
        }
    }
}

impl HasFlags for Vec<User> {
    fn user_ids(&self) -> Vec<i64> {
        self.iter().map(User::id).collect()
    }

    fn set_flags(&mut self, flags: &Flags) {
        for user in self {
            user.set_follow(flags.followed.contains(&user.id()));
        }
    }
}

/// What is asked for each viewer.
pub struct FlagDemand(BTreeMap<i64, ViewerDemand>);

impl FlagDemand {
    /// Of one viewer. `consistency`: what they must see.
    pub fn for_viewer(
        viewer: i64,
        consistency: Consistency,
        video_ids: Vec<i64>,
        user_ids: Vec<i64>,
    ) -> Self {
        let asked = ViewerDemand {
            consistency,
            video_ids: video_ids.into_iter().collect(),
            // Nobody follows themself.
            user_ids: user_ids.into_iter().filter(|id| *id != viewer).collect(),
        };
        Self(BTreeMap::from([(viewer, asked)]))
    }

    /// Whether nothing is asked.
    pub fn is_nothing(&self) -> bool {
        let is_nothing =
            |asked: &ViewerDemand| asked.video_ids.is_empty() && asked.user_ids.is_empty();
        self.0.values().all(is_nothing)
    }
}

struct ViewerDemand {
    /// What the viewer must see.
    consistency: Consistency,
    video_ids: BTreeSet<i64>,
    user_ids: BTreeSet<i64>,
}

impl Demand for FlagDemand {
    fn merge(&mut self, other: Self) {
        for (viewer, mut asked) in other.0 {
            match self.0.get_mut(&viewer) {
                Some(all) => {
                    let consistency = std::mem::replace(&mut all.consistency, Consistency::Any);
                    all.consistency = consistency.and(asked.consistency);
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

/// The viewers who share a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Group {
    /// They have just written.
    Marked,
    /// All others.
    Unmarked,
}

impl Group {
    /// That of a viewer who must see this.
    pub fn of(consistency: &Consistency) -> Self {
        match consistency.is_marked() {
            true => Self::Marked,
            false => Self::Unmarked,
        }
    }
}

/// The read of a group: the flags of each viewer.
pub async fn read(
    favorite: &FavoriteServiceClient,
    wanted: FlagDemand,
) -> Arc<HashMap<i64, Flags>> {
    let consistency = wanted.0.values().map(|asked| asked.consistency.clone());
    let reader = Reader {
        affinity: Some(page_affinity("flags")),
        consistency: consistency.fold(Consistency::Any, Consistency::and),
    };
    let calls = calls(wanted).into_iter().map(|viewers| {
        favorite.mget_flags(MGetFlagsRequest {
            viewers: viewers.into_iter().collect(),
        })
    });
    // The clients have logged why a call failed.
    let answers = service::reading(&reader, join_all(calls)).await;
    let mut all: HashMap<i64, Flags> = HashMap::new();
    let flags = answers.into_iter().flatten();
    for (viewer, flags) in flags.flat_map(|answer| answer.flags) {
        let all = all.entry(viewer).or_default();
        all.liked.extend(flags.liked_video_ids);
        all.followed.extend(flags.followed_user_ids);
    }
    Arc::new(all)
}

/// What is asked, in calls that the interface lets through: a viewer who asks for more than a call may have is in several.
fn calls(wanted: FlagDemand) -> Vec<BTreeMap<i64, Shown>> {
    let mut calls: Vec<BTreeMap<i64, Shown>> = Vec::new();
    for (viewer, asked) in wanted.0 {
        let (videos, users) = (in_calls(&asked.video_ids), in_calls(&asked.user_ids));
        for n in 0..videos.len().max(users.len()) {
            let shown = Shown {
                video_ids: videos.get(n).cloned().unwrap_or_default(),
                user_ids: users.get(n).cloned().unwrap_or_default(),
            };
            let is_free = |call: &&mut BTreeMap<i64, Shown>| {
                call.len() < MAX_VIEWERS && !call.contains_key(&viewer)
            };
            match calls.iter_mut().find(is_free) {
                Some(call) => {
                    call.insert(viewer, shown);
                }
                None => calls.push(BTreeMap::from([(viewer, shown)])),
            }
        }
    }
    calls
}

fn in_calls(ids: &BTreeSet<i64>) -> Vec<Vec<i64>> {
    let ids: Vec<i64> = ids.iter().copied().collect();
    ids.chunks(MAX_IDS).map(<[i64]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use marks::{Commit, StrictReason};

    use super::*;

    fn wanted(
        viewer: i64,
        consistency: Consistency,
        video_ids: impl IntoIterator<Item = i64>,
    ) -> FlagDemand {
        FlagDemand::for_viewer(
            viewer,
            consistency,
            video_ids.into_iter().collect(),
            Vec::new(),
        )
    }

    #[test]
    fn what_a_viewer_asks_twice_is_read_once_as_strictly_as_either_must_see() {
        let marked = Consistency::UpTo {
            commit: Commit {
                seq: 7,
                gtid: "0-1-7".to_owned(),
            },
            marked: true,
        };
        let all = Consistency::All(StrictReason::Marked);
        for (one, other, both) in [
            (Consistency::Any, marked.clone(), marked.clone()),
            (marked.clone(), Consistency::Any, marked.clone()),
            (marked, all.clone(), all),
        ] {
            let mut asked = wanted(1, one, [1, 2]);
            asked.merge(wanted(1, other, [2, 3]));
            asked.merge(wanted(2, Consistency::Any, [9]));
            assert_eq!(asked.0[&1].consistency, both);
            assert_eq!(asked.0[&1].video_ids, BTreeSet::from([1, 2, 3]));
            assert_eq!(asked.0[&2].video_ids, BTreeSet::from([9]));
        }
    }

    #[test]
    fn nobody_waits_for_the_read_of_those_who_have_just_written() {
        let marked = Consistency::All(StrictReason::Marked);
        assert_ne!(Group::of(&Consistency::Any), Group::of(&marked));
    }

    #[test]
    fn a_call_has_no_more_viewers_and_ids_than_the_interface_lets_through() {
        let mut asked = wanted(0, Consistency::Any, 1..=700);
        for viewer in 1..=200 {
            asked.merge(wanted(viewer, Consistency::Any, [viewer]));
        }
        let calls = calls(asked);
        let sizes: Vec<usize> = calls.iter().map(BTreeMap::len).collect();
        assert_eq!(sizes, [64, 64, 64, 11]);
        let mut of_first: Vec<i64> = Vec::new();
        for (viewer, shown) in calls.iter().flatten() {
            assert!(shown.video_ids.len() <= MAX_IDS);
            if *viewer == 0 {
                of_first.extend(&shown.video_ids);
            }
        }
        assert_eq!(of_first, (1..=700).collect::<Vec<_>>());
    }
}
