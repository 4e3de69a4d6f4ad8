//! The relation service: who follows whom, and who follow each other.
//!
//! One use case a file. A follow is a row, decided by its unique key; counting it is the ledger's affair in `dal`.

mod followed_among;
mod followed_ids;
mod forget_follows;
mod list_follows;
mod list_friends;
mod set_follow;

use dal::{Db, counters::Counters, follows::Follows};
use idl::{relation as api, user::UserServiceClient};
use rpc_server::{Users, time_left, to_server_error};
use volo_thrift::ServerError;

/// Handles the calls of `relation.thrift`.
pub struct RelationService {
    db: Db,
    counters: Counters,
    follows: Follows,
    users: Users,
}

impl RelationService {
    /// A service over this database and its counters; `user` tells who exists.
    pub fn new(db: Db, counters: Counters, user: UserServiceClient) -> Self {
        let follows = Follows::start(db.clone(), counters.clone());
        Self {
            db,
            counters,
            follows,
            users: Users::new(user),
        }
    }
}

impl api::RelationService for RelationService {
    async fn set_follow(
        &self,
        request: api::SetFollowRequest,
    ) -> Result<api::SetFollowResponse, ServerError> {
        self.follow_or_unfollow(request).await
    }

    async fn list_follows(
        &self,
        request: api::ListFollowsRequest,
    ) -> Result<api::ListFollowsResponse, ServerError> {
        self.follows_of(request).await
    }

    async fn list_followers(
        &self,
        request: api::ListFollowersRequest,
    ) -> Result<api::ListFollowsResponse, ServerError> {
        self.followers_of(request).await
    }

    async fn list_friends(
        &self,
        request: api::ListFriendsRequest,
    ) -> Result<api::ListFriendsResponse, ServerError> {
        self.friends_of(request).await
    }

    async fn followed_ids(
        &self,
        request: api::FollowedIdsRequest,
    ) -> Result<api::FollowedIdsResponse, ServerError> {
        self.all_followed(request).await
    }

    async fn followed_among(
        &self,
        request: api::FollowedAmongRequest,
    ) -> Result<api::FollowedAmongResponse, ServerError> {
        self.followed_of_these(request).await
    }

    async fn forget_follows(
        &self,
        request: api::ForgetFollowsRequest,
    ) -> Result<api::ForgetFollowsResponse, ServerError> {
        self.forget(request).await
    }
}
