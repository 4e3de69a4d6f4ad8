//! The comments under a video, newest first. Whether the video exists is the caller's question.

use dal::DalError;
use idl::{
    base::Code,
    biz,
    comment::{ListCommentsRequest, ListCommentsResponse},
};
use volo_thrift::ServerError;

use crate::{CommentService, fault, shown};

impl CommentService {
    pub(crate) async fn list(
        &self,
        request: ListCommentsRequest,
    ) -> Result<ListCommentsResponse, ServerError> {
        let limit = u64::from(request.limit.unsigned_abs());
        let reader = service::reader();
        let (video_id, before) = (request.video_id, request.before_comment_id);
        let page = dal::comments::list(&self.db, video_id, before, limit, &reader);
        match page.await {
            Ok((comments, has_more)) => {
                let comments = comments.into_iter().map(shown).collect();
                Ok(ListCommentsResponse { comments, has_more })
            }
            Err(DalError::NotFound) => Err(biz(Code::NO_SUCH_COMMENT, "").into()),
            Err(error) => Err(fault(error)),
        }
    }
}
