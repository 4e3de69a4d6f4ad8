//! Everything about likes that one page shows: one read of the counters and one statement for the viewer's flags, at once.

use std::collections::HashMap;

use dal::counts::{Counter, UserCounts};
use idl::{
    base,
    favorite::{FavoritePageRequest, FavoritePageResponse},
};
use volo_thrift::ServerError;

use crate::{FavoriteService, fault};

impl FavoriteService {
    pub(crate) async fn page(
        &self,
        request: FavoritePageRequest,
    ) -> Result<FavoritePageResponse, ServerError> {
        let FavoritePageRequest {
            video_ids,
            user_ids,
            viewer_id,
        } = request;
        let of_users = user_ids.iter().copied().flat_map(UserCounts::counters);
        let counters: Vec<Counter> = video_ids
            .iter()
            .map(|id| Counter::VideoFavorites(*id))
            .chain(of_users)
            .collect();
        let reader = service::reader();
        let flags = async {
            match viewer_id {
                Some(viewer) => {
                    dal::favorites::liked_among(&self.db, viewer, &video_ids, &reader).await
                }
                None => Ok(Vec::new()),
            }
        };
        let (counts, liked_video_ids) =
            tokio::try_join!(self.counters.read(&counters), flags).map_err(fault)?;
        Ok(FavoritePageResponse {
            favorite_counts: video_ids
                .iter()
                .map(|id| (*id, count(&counts, Counter::VideoFavorites(*id))))
                .collect(),
            liked_video_ids,
            user_counts: user_ids
                .iter()
                .map(|id| (*id, of_user(&counts, *id)))
                .collect(),
        })
    }
}

fn of_user(counts: &HashMap<Counter, i64>, user_id: i64) -> base::UserCounts {
    let UserCounts {
        total_favorited,
        favorite_count,
        work_count,
    } = UserCounts::of(user_id, counts);
    base::UserCounts {
        total_favorited,
        favorite_count,
        work_count,
    }
}

fn count(counts: &HashMap<Counter, i64>, counter: Counter) -> i64 {
    counts.get(&counter).copied().unwrap_or(0)
}
