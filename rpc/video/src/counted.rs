//! Adds the exact counts of videos and authors to a page, which saves the caller calls to two other services.

use std::time::Duration;

use dal::{
    counts::{Counter, UserCounts},
    videos::Video,
};
use idl::base;
use pilota::AHashMap;
use rpc_server::{counts_within, user_counts};

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
        let Some(values) = counts_within(&self.counters, &counters, limit).await else {
            return AuthorCounts::default();
        };
        let count = |counter: Counter| values.get(&counter).copied().unwrap_or_default();
        let mut authors = AuthorCounts::default();
        for video in videos {
            video.favorite_count = count(Counter::VideoFavorites(video.id));
            video.comment_count = count(Counter::VideoComments(video.id));
            authors
                .entry(video.author_id)
                .or_insert_with(|| user_counts(video.author_id, &values));
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
