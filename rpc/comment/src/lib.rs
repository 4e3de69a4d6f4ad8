//! The comment service: text under videos, who may delete it, and how many there are.
//!
//! One use case a file. A comment is a row; counting it is the ledger's affair in `dal`.

mod add_comment;
mod count_comments;
mod delete_comment;
mod list_comments;

use dal::{DalError, Db, counters::Counters};
use idl::{
    base::Code,
    biz, comment as api,
    video::{MGetAuthorsRequest, VideoServiceClient},
};
use service::RpcError;
use volo_thrift::ServerError;

/// Handles the calls of `comment.thrift`.
pub struct CommentService {
    db: Db,
    counters: Counters,
    video: VideoServiceClient,
}

impl CommentService {
    /// A service over this database and its counters; `video` tells whose a video is.
    pub fn new(db: Db, counters: Counters, video: VideoServiceClient) -> Self {
        Self {
            db,
            counters,
            video,
        }
    }

    /// The author of a video; `NO_SUCH_VIDEO` when there is none.
    async fn author_of(&self, video_id: i64) -> Result<i64, ServerError> {
        let request = MGetAuthorsRequest {
            video_ids: vec![video_id],
        };
        let answer = self
            .video
            .mget_authors(request)
            .await
            .map_err(RpcError::from)?;
        let author_id = answer.author_ids.get(&video_id).copied();
        author_id.ok_or_else(|| biz(Code::NO_SUCH_VIDEO, "").into())
    }
}

impl api::CommentService for CommentService {
    async fn add_comment(
        &self,
        request: api::AddCommentRequest,
    ) -> Result<api::AddCommentResponse, ServerError> {
        self.add(request).await
    }

    async fn delete_comment(
        &self,
        request: api::DeleteCommentRequest,
    ) -> Result<api::DeleteCommentResponse, ServerError> {
        self.delete(request).await
    }

    async fn list_comments(
        &self,
        request: api::ListCommentsRequest,
    ) -> Result<api::ListCommentsResponse, ServerError> {
        self.list(request).await
    }

    async fn count_comments(
        &self,
        request: api::CountCommentsRequest,
    ) -> Result<api::CountCommentsResponse, ServerError> {
        self.count(request).await
    }
}

fn shown(comment: dal::comments::Comment) -> api::Comment {
    api::Comment {
        id: comment.id,
        user_id: comment.user_id,
        video_id: comment.video_id,
        content: comment.content.into(),
        created_ms: comment.created_ms,
    }
}

/// A failure of the database, as the caller learns it.
fn fault(error: DalError) -> ServerError {
    match error {
        DalError::KeyReused => biz(Code::IDEMPOTENCY_KEY_REUSED, "").into(),
        DalError::Unavailable(_) => service::unavailable(&error),
        DalError::TimedOut => service::timed_out(&error),
        DalError::Overloaded => service::overloaded(&error),
        _ => service::internal(&error),
    }
}
