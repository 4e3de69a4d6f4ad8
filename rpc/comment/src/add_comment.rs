//! A new comment under a video that exists.

use dal::comments::NewComment;
use idl::comment::{AddCommentRequest, AddCommentResponse};
use volo_thrift::ServerError;

use crate::{CommentService, fault, shown};

impl CommentService {
    pub(crate) async fn add(
        &self,
        request: AddCommentRequest,
    ) -> Result<AddCommentResponse, ServerError> {
        self.author_of(request.video_id).await?;
        let comment = NewComment {
            video_id: request.video_id,
            user_id: request.user_id,
            content: request.content.into(),
        };
        let comment = dal::comments::add(&self.db, &self.counters, &comment)
            .await
            .map_err(fault)?;
        Ok(AddCommentResponse {
            comment: shown(comment),
        })
    }
}
