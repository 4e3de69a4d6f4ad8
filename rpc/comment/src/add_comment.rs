//! A new comment under a video that exists.

use dal::{
    comments::NewComment,
    counts::UserCounts,
    idempotency::{Key, Kind},
};
use idl::comment::{AddCommentRequest, AddCommentResponse};
use rpc_server::{counts_timeout, counts_within, user_counts};
use volo_thrift::ServerError;

use crate::{CommentService, time_left, to_api};

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
        let (user_id, video_id) = (comment.user_id, comment.video_id);
        let added = self.comments.add_within(comment, time_left(deadline));
        let wanted = UserCounts::counters(user_id);
        let counts = counts_within(&self.counters, &wanted, counts_timeout(deadline));
        // The comment moves none of them.
        let (added, counts) = tokio::join!(added, counts);
        Ok(AddCommentResponse {
            comment: to_api(self.authors.map_write_error(video_id, added)?),
            user_counts: counts.map(|values| user_counts(user_id, &values)),
        })
    }
}
