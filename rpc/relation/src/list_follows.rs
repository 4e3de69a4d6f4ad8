//! Whom a user follows, and who follows a user, latest follow first. Whether the user exists is the caller's question.

use std::time::Duration;

use dal::{
    DalError, Page,
    counts::{Counter, UserCounts},
};
use idl::{
    base,
    relation::{ListFollowersRequest, ListFollowsRequest, ListFollowsResponse},
};
use pilota::AHashMap;
use rpc_server::{counts_timeout, counts_within, user_counts};
use volo_thrift::ServerError;

use crate::{RelationService, to_server_error};

impl RelationService {
    pub(crate) async fn follows_of(
        &self,
        request: ListFollowsRequest,
    ) -> Result<ListFollowsResponse, ServerError> {
        let wait = counts_timeout(service::deadline());
        let (limit, reader) = (u64::from(request.limit.unsigned_abs()), service::reader());
        let page =
            dal::follows::list_follows(&self.db, request.user_id, request.before, limit, &reader);
        self.listed(page.await, wait).await
    }

    pub(crate) async fn followers_of(
        &self,
        request: ListFollowersRequest,
    ) -> Result<ListFollowsResponse, ServerError> {
        let wait = counts_timeout(service::deadline());
        let (limit, reader) = (u64::from(request.limit.unsigned_abs()), service::reader());
        let page =
            dal::follows::list_followers(&self.db, request.user_id, request.before, limit, &reader);
        self.listed(page.await, wait).await
    }

    async fn listed(
        &self,
        page: Result<Page<i64>, DalError>,
        wait: Duration,
    ) -> Result<ListFollowsResponse, ServerError> {
        let Page {
            entries,
            next_before,
        } = page.map_err(to_server_error)?;
        let user_counts = self.counts_of(&entries, wait).await;
        Ok(ListFollowsResponse {
            user_ids: entries,
            has_more: next_before.is_some(),
            next_before,
            user_counts: Some(user_counts),
        })
    }

    /// The exact counts of these users; none while they can't be read, for they only adorn a page.
    async fn counts_of(
        &self,
        user_ids: &[i64],
        limit: Duration,
    ) -> AHashMap<i64, base::UserCounts> {
        if user_ids.is_empty() {
            return AHashMap::default();
        }
        let wanted: Vec<Counter> = user_ids
            .iter()
            .copied()
            .flat_map(UserCounts::counters)
            .collect();
        let Some(values) = counts_within(&self.counters, &wanted, limit).await else {
            return AHashMap::default();
        };
        let counts = user_ids.iter().map(|id| (*id, user_counts(*id, &values)));
        counts.collect()
    }
}
