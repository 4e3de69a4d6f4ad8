//! How many comments the videos of a page have.

use dal::counts::Counter;
use idl::comment::{CountCommentsRequest, CountCommentsResponse};
use volo_thrift::ServerError;

use crate::{CommentService, to_server_error};

impl CommentService {
    pub(crate) async fn count(
        &self,
        request: CountCommentsRequest,
    ) -> Result<CountCommentsResponse, ServerError> {
        let counters: Vec<Counter> = request
            .video_ids
            .iter()
            .map(|id| Counter::VideoComments(*id))
            .collect();
        let counts = self
            .counters
            .read(&counters)
            .await
            .map_err(to_server_error)?;
        let count_of = |id: &i64| {
            (
                *id,
                counts
                    .get(&Counter::VideoComments(*id))
                    .copied()
                    .unwrap_or(0),
            )
        };
        Ok(CountCommentsResponse {
            comment_counts: request.video_ids.iter().map(count_of).collect(),
        })
    }
}
