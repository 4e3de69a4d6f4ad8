//! Whether somebody exists who is followed or written to: asked of the user service, and cached for a short time.

use std::time::Duration;

use facts::Facts;
use idl::{
    base::Code,
    biz,
    user::{MGetUsersRequest, UserServiceClient},
};
use service::RpcError;
use volo_thrift::ServerError;

/// Cached users: some 50 bytes each, 5 MB in all.
const MAX_CACHED: usize = 100_000;
/// How long a user who was found isn't asked for again: after the restore of an older dump they may be gone.
const TTL: Duration = Duration::from_secs(30);

/// The users that exist, cached in the process.
pub struct Users {
    user: UserServiceClient,
    cache: Facts<i64, ()>,
}

impl Users {
    /// With an empty cache.
    pub fn new(user: UserServiceClient) -> Self {
        Self {
            user,
            cache: Facts::new("users", MAX_CACHED, Some(TTL)),
        }
    }

    /// This user must exist, or have existed a moment ago: a replica that lags is asked, and what it answers is cached. So the write itself
    /// must refuse who is deleted. That somebody is missing isn't cached: they may register yet.
    ///
    /// # Errors
    /// `NO_SUCH_USER` when there is nobody; what the user service answers when it fails.
    pub async fn must_exist(&self, user_id: i64) -> Result<(), ServerError> {
        if self.cache.get(&user_id).is_some() {
            return Ok(());
        }
        let request = MGetUsersRequest {
            user_ids: vec![user_id],
            with_changes: None,
        };
        let answer = self
            .user
            .mget_users(request)
            .await
            .map_err(RpcError::from)?;
        if answer.users.is_empty() {
            return Err(biz(Code::NO_SUCH_USER, "").into());
        }
        self.cache.insert(user_id, ());
        Ok(())
    }
}
