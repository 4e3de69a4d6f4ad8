//! A new comment under a video that exists.

use std::time::Duration;

use dal::{
    DalError,
    comments::NewComment,
    counts::UserCounts,
    idempotency::{Key, Kind},
};
use idl::{
    base,
    comment::{AddCommentRequest, AddCommentResponse},
};
use volo_thrift::ServerError;

use crate::{CommentService, fault, shown, time_left};

/// A reply doesn't wait longer for counts.
const COUNTS_DEADLINE: Duration = Duration::from_secs(1);

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
        let user_id = comment.user_id;
        let added = self.comments.add_within(comment, time_left(deadline));
        // The comment moves none of them.
        let (added, user_counts) = tokio::join!(added, self.counts_of(user_id));
        Ok(AddCommentResponse {
            comment: shown(added.map_err(fault)?),
            user_counts,
        })
    }

    /// None while they can't be read: the reply of a comment that is written doesn't depend on them.
    async fn counts_of(&self, user_id: i64) -> Option<base::UserCounts> {
        let counters = UserCounts::counters(user_id);
        let read = tokio::time::timeout(COUNTS_DEADLINE, self.counters.read(&counters)).await;
        let values = match read.unwrap_or(Err(DalError::TimedOut)) {
            Ok(values) => values,
            Err(error) => {
                tracing::warn!(%error, "a comment's reply lacks the exact counts of its writer");
                return None;
            }
        };
        let UserCounts {
            total_favorited,
            favorite_count,
            work_count,
        } = UserCounts::of(user_id, &values);
        Some(base::UserCounts {
            total_favorited,
            favorite_count,
            work_count,
        })
    }
}
