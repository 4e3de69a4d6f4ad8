//! The comments under a video, newest first. Whether the video exists is the caller's question.

use std::time::Duration;

use dal::{
    Page,
    comments::Comment,
    counts::{Counter, UserCounts},
};
use idl::{
    base,
    comment::{ListCommentsRequest, ListCommentsResponse},
};
use pilota::AHashMap;
use rpc_server::{counts_timeout, counts_within, to_server_error, user_counts};
use volo_thrift::ServerError;

use crate::{CommentService, to_api};

impl CommentService {
    pub(crate) async fn list(
        &self,
        request: ListCommentsRequest,
    ) -> Result<ListCommentsResponse, ServerError> {
        let wait = counts_timeout(service::deadline());
        let limit = u64::from(request.limit.unsigned_abs());
        let reader = service::reader();
        let page = dal::comments::list(&self.db, request.video_id, request.before, limit, &reader);
        let Page {
            entries,
            next_before,
        } = page.await.map_err(to_server_error)?;
        let user_counts = self.counts_of_writers(&entries, wait).await;
        Ok(ListCommentsResponse {
            comments: entries.into_iter().map(to_api).collect(),
            has_more: next_before.is_some(),
            next_before,
            user_counts: Some(user_counts),
        })
    }

    /// The exact counts of those who wrote these; none while they can't be read, for they only adorn a page.
    async fn counts_of_writers(
        &self,
        comments: &[Comment],
        limit: Duration,
    ) -> AHashMap<i64, base::UserCounts> {
        let mut writers: Vec<i64> = comments.iter().map(|comment| comment.user_id).collect();
        writers.sort_unstable();
        writers.dedup();
        if writers.is_empty() {
            return AHashMap::default();
        }
        let counters: Vec<Counter> = writers
            .iter()
            .copied()
            .flat_map(UserCounts::counters)
            .collect();
        let Some(values) = counts_within(&self.counters, &counters, limit).await else {
            return AHashMap::default();
        };
        let counts = |id: i64| (id, user_counts(id, &values));
        writers.into_iter().map(counts).collect()
    }
}
