//! The comment service: text under videos, who may delete it, and how many there are.
//!
//! One use case a file. A comment is a row; counting it is the ledger's affair in `dal`.

mod add_comment;
mod count_comments;
mod delete_comment;
mod forget_comments;
mod list_comments;
mod take_down_comment;

use dal::{Db, comments::Comments, counters::Counters};
use idl::{comment as api, video::VideoServiceClient};
use rpc_server::{Authors, time_left, to_server_error};
use volo_thrift::ServerError;

/// Handles the calls of `comment.thrift`.
pub struct CommentService {
    db: Db,
    counters: Counters,
    comments: Comments,
    authors: Authors,
}

impl CommentService {
    /// A service over this database and its counters; `video` tells whose a video is.
    pub fn new(db: Db, counters: Counters, video: VideoServiceClient) -> Self {
        let comments = Comments::start(db.clone(), counters.clone());
        Self {
            db,
            counters,
            comments,
            authors: Authors::new(video),
        }
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

    async fn forget_comments(
        &self,
        request: api::ForgetCommentsRequest,
    ) -> Result<api::ForgetCommentsResponse, ServerError> {
        self.forget(request).await
    }

    async fn take_down_comment(
        &self,
        request: api::TakeDownCommentRequest,
    ) -> Result<api::TakeDownCommentResponse, ServerError> {
        self.take_down(request).await
    }
}

fn to_api(comment: dal::comments::Comment) -> api::Comment {
    api::Comment {
        id: comment.id,
        user_id: comment.user_id,
        video_id: comment.video_id,
        content: comment.content.into(),
        created_ms: comment.created_ms,
    }
}
