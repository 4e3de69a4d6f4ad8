//! A new comment under a video that exists.

use dal::{
    comments::NewComment,
    idempotency::{Key, Kind},
};
use idl::comment::{AddCommentRequest, AddCommentResponse};
use volo_thrift::ServerError;

use crate::{CommentService, fault, shown, time_left};

impl CommentService {
    pub(crate) async fn add(
        &self,
        request: AddCommentRequest,
    ) -> Result<AddCommentResponse, ServerError> {
        let deadline = service::deadline();
        self.authors.of(request.video_id).await?;
        let key = request.idempotency_key.as_deref().map(|key| {
            let content = [&*request.video_id.to_string(), &*request.content];
            Key::new(request.user_id, Kind::Comment, key, &content)
        });
        let comment = NewComment {
            video_id: request.video_id,
            user_id: request.user_id,
            content: request.content.into(),
            key,
        };
        let added = self.comments.add_within(comment, time_left(deadline));
        let comment = added.await.map_err(fault)?;
        Ok(AddCommentResponse {
            comment: shown(comment),
        })
    }
}
