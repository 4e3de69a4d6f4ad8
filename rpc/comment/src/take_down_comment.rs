//! An operator takes a comment away.

use idl::{
    base::Code,
    biz,
    comment::{TakeDownCommentRequest, TakeDownCommentResponse},
};
use volo_thrift::ServerError;

use crate::{CommentService, to_server_error};

impl CommentService {
    pub(crate) async fn take_down(
        &self,
        request: TakeDownCommentRequest,
    ) -> Result<TakeDownCommentResponse, ServerError> {
        let (comment_id, reason) = (request.comment_id, request.reason.as_str());
        let taken = dal::comments::take_down(&self.db, &self.counters, comment_id, reason).await;
        match taken.map_err(to_server_error)? {
            true => {
                tracing::info!(comment_id, reason, "comment taken down by an operator");
                Ok(TakeDownCommentResponse {})
            }
            false => Err(biz(Code::NO_SUCH_COMMENT, "").into()),
        }
    }
}
