//! Exact counts, and the flags of one viewer: one read of the counters and one statement for the flags, at once.

use std::collections::{BTreeMap, HashMap};

use dal::{
    counts::{Counter, UserCounts},
    flags::{Flags, Shown, of_viewers},
};
use idl::favorite::{FavoritePageRequest, FavoritePageResponse};
use rpc_server::user_counts;
use volo_thrift::ServerError;

use crate::{FavoriteService, to_server_error};

impl FavoriteService {
    pub(crate) async fn page(
        &self,
        request: FavoritePageRequest,
    ) -> Result<FavoritePageResponse, ServerError> {
        let FavoritePageRequest {
            video_ids,
            user_ids,
            viewer_id,
            flags_only,
        } = request;
        let with_counts = !flags_only.unwrap_or(false);
        let counters: Vec<Counter> = match with_counts {
            true => {
                let of_users = user_ids.iter().copied().flat_map(UserCounts::counters);
                let of_videos = video_ids.iter().copied().map(Counter::VideoFavorites);
                of_videos.chain(of_users).collect()
            }
            false => Vec::new(),
        };
        let reader = service::reader();
        let flags = async {
            match viewer_id {
                Some(viewer) => {
                    let shown = Shown {
                        video_ids: video_ids.clone(),
                        user_ids: user_ids.clone(),
                    };
                    let viewers = BTreeMap::from([(viewer, shown)]);
                    let flags = of_viewers(&self.db, &viewers, &reader).await;
                    flags.map(|mut flags| flags.remove(&viewer).unwrap_or_default())
                }
                None => Ok(Flags::default()),
            }
        };
        let counts = async {
            match counters.is_empty() {
                true => Ok(HashMap::new()),
                false => self.counters.read(&counters).await,
            }
        };
        let (counts, flags) = tokio::try_join!(counts, flags).map_err(to_server_error)?;
        let counted = |ids: Vec<i64>| ids.into_iter().filter(|_| with_counts);
        Ok(FavoritePageResponse {
            liked_video_ids: flags.liked_video_ids,
            followed_user_ids: Some(flags.followed_user_ids),
            favorite_counts: counted(video_ids)
                .map(|id| (id, count(&counts, Counter::VideoFavorites(id))))
                .collect(),
            user_counts: counted(user_ids)
                .map(|id| (id, user_counts(id, &counts)))
                .collect(),
        })
    }
}

fn count(counts: &HashMap<Counter, i64>, counter: Counter) -> i64 {
    counts.get(&counter).copied().unwrap_or(0)
}
