//! The exact counts of a page, so that whoever asked need not ask two more services: of the videos, and of their authors.

use std::{collections::HashMap, time::Duration};

use dal::{
    DalError,
    counts::{Counter, UserCounts},
    videos::Video,
};
use idl::base;
use pilota::AHashMap;

use crate::VideoService;

/// Counts of the authors of a page.
pub(crate) type AuthorCounts = AHashMap<i64, base::UserCounts>;

impl VideoService {
    /// Puts the exact counts into `videos`, and gives those of their authors, within `limit`. Empty while they can't be read: then the
    /// videos keep the counts of the last fold.
    pub(crate) async fn count(&self, videos: &mut [Video], limit: Duration) -> AuthorCounts {
        if videos.is_empty() {
            return AuthorCounts::default();
        }
        let mut counters: Vec<Counter> = videos.iter().flat_map(counters_of).collect();
        counters.sort_unstable();
        counters.dedup();
        let values = match tokio::time::timeout(limit, self.counters.read(&counters)).await {
            Ok(Ok(values)) => values,
            Ok(Err(error)) => return untold(&error),
            Err(_) => return untold(&DalError::TimedOut),
        };
        let count = |counter: Counter| values.get(&counter).copied().unwrap_or_default();
        let mut authors = AuthorCounts::default();
        for video in videos {
            video.favorite_count = count(Counter::VideoFavorites(video.id));
            video.comment_count = count(Counter::VideoComments(video.id));
            authors
                .entry(video.author_id)
                .or_insert_with(|| of_user(&values, video.author_id));
        }
        authors
    }
}

fn counters_of(video: &Video) -> impl Iterator<Item = Counter> + use<> {
    let of_video = [
        Counter::VideoFavorites(video.id),
        Counter::VideoComments(video.id),
    ];
    of_video
        .into_iter()
        .chain(UserCounts::counters(video.author_id))
}

fn of_user(values: &HashMap<Counter, i64>, user_id: i64) -> base::UserCounts {
    let UserCounts {
        total_favorited,
        favorite_count,
        work_count,
    } = UserCounts::of(user_id, values);
    base::UserCounts {
        total_favorited,
        favorite_count,
        work_count,
    }
}

fn untold(error: &DalError) -> AuthorCounts {
    tracing::warn!(%error, "a page has the counts of the last fold");
    AuthorCounts::default()
}
