//! For many viewers at once: which of the given videos each likes, and which of the given users each follows.

use dal::flags::{Shown, of_viewers};
use idl::favorite::{Flags, MGetFlagsRequest, MGetFlagsResponse};
use volo_thrift::ServerError;

use crate::{FavoriteService, to_server_error};

impl FavoriteService {
    pub(crate) async fn flags(
        &self,
        request: MGetFlagsRequest,
    ) -> Result<MGetFlagsResponse, ServerError> {
        let shown = request.viewers.into_iter().map(|(viewer, shown)| {
            let shown = Shown {
                video_ids: shown.video_ids,
                user_ids: shown.user_ids,
            };
            (viewer, shown)
        });
        let reader = service::reader();
        let flags = of_viewers(&self.db, &shown.collect(), &reader)
            .await
            .map_err(to_server_error)?;
        let flags = flags.into_iter().map(|(viewer, flags)| {
            let flags = Flags {
                liked_video_ids: flags.liked_video_ids,
                followed_user_ids: flags.followed_user_ids,
            };
            (viewer, flags)
        });
        Ok(MGetFlagsResponse {
            flags: flags.collect(),
        })
    }
}
