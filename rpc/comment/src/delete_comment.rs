//! Takes a comment away: its writer may, and the author of the video.

use dal::comments::{DeleteComment, Deletion};
use idl::{
    base::Code,
    biz,
    comment::{DeleteCommentRequest, DeleteCommentResponse},
};
use volo_thrift::ServerError;

use crate::{CommentService, time_left};

impl CommentService {
    pub(crate) async fn delete(
        &self,
        request: DeleteCommentRequest,
    ) -> Result<DeleteCommentResponse, ServerError> {
        let deadline = service::deadline();
        let video_author_id = self.authors.of(request.video_id).await?;
        let comment = DeleteComment {
            comment_id: request.comment_id,
            video_id: request.video_id,
            user_id: request.user_id,
            video_author_id,
        };
        let deleted = self.comments.delete_within(comment, time_left(deadline));
        match self
            .authors
            .map_write_error(request.video_id, deleted.await)?
        {
            Deletion::Deleted => Ok(DeleteCommentResponse {}),
            Deletion::NoSuchComment => Err(biz(Code::NO_SUCH_COMMENT, "").into()),
            Deletion::NotYours => Err(biz(Code::NOT_YOURS, "").into()),
        }
    }
}
