//! The comments under a video, newest first. Whether the video exists is the caller's question.

use dal::Page;
use idl::comment::{ListCommentsRequest, ListCommentsResponse};
use volo_thrift::ServerError;

use crate::{CommentService, fault, shown};

impl CommentService {
    pub(crate) async fn list(
        &self,
        request: ListCommentsRequest,
    ) -> Result<ListCommentsResponse, ServerError> {
        let limit = u64::from(request.limit.unsigned_abs());
        let reader = service::reader();
        let page = dal::comments::list(&self.db, request.video_id, request.before, limit, &reader);
        let Page {
            entries,
            next_before,
        } = page.await.map_err(fault)?;
        Ok(ListCommentsResponse {
            comments: entries.into_iter().map(shown).collect(),
            has_more: next_before.is_some(),
            next_before,
        })
    }
}
