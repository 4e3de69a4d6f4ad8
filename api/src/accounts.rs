//! Checks that a token isn't revoked and that its account still exists. Every write by a token asks. An account that was found is cached
//! for 5 s. After the restore of an older dump an id may belong to somebody else, so the creation time is compared too.

use std::time::{Duration, Instant};

use auth::Holder;
use idl::{
    base::Code,
    user::{MGetUsersRequest, User, UserServiceClient},
};
use quick_cache::sync::Cache;

use crate::error::ApiError;

/// Accounts that are remembered at most: some 400 bytes each, 20 MB in all.
const MAX_REMEMBERED: usize = 50_000;
/// How long an account is not asked for again: a profile that is shown is no older, and a token that has ended is good no longer.
const TTL: Duration = Duration::from_secs(5);

/// The accounts that were found lately.
pub struct Accounts {
    client: UserServiceClient,
    found: Cache<i64, Found>,
}

#[derive(Clone)]
struct Found {
    user: User,
    at: Instant,
}

impl Found {
    fn is_of(&self, holder: &Holder) -> bool {
        // None from a user service of a version that doesn't send it.
        let created_ms = self.user.created_ms;
        let epoch = self.user.token_epoch;
        created_ms.is_none_or(|created| holder.is_of(created))
            && epoch.is_none_or(|epoch| holder.epoch >= epoch)
    }
}

impl Accounts {
    /// Asks `client` for accounts; none is remembered yet.
    pub fn new(client: UserServiceClient) -> Self {
        Self {
            client,
            found: Cache::new(MAX_REMEMBERED),
        }
    }

    /// The account of this token must exist, or have existed a moment ago.
    ///
    /// # Errors
    /// [`Code::BAD_TOKEN`]: it doesn't. Or it isn't remembered and the user service is away.
    pub async fn must_exist(&self, holder: &Holder) -> Result<(), ApiError> {
        self.user(holder).await.map(drop)
    }

    /// The account of this token, as it was a moment ago.
    ///
    /// # Errors
    /// As [`Self::must_exist`].
    pub async fn user(&self, holder: &Holder) -> Result<User, ApiError> {
        match self.remembered(holder) {
            Some(found) if found.at.elapsed() < TTL => Ok(found.user),
            _ => self.look_up(holder).await,
        }
    }

    /// What is remembered of an account isn't so any more.
    pub fn forget(&self, user_id: i64) {
        self.found.remove(&user_id);
    }

    /// Remembers an account as it was just read.
    pub fn remember(&self, user: User) {
        let at = Instant::now();
        self.found.insert(user.id, Found { user, at });
    }

    fn remembered(&self, holder: &Holder) -> Option<Found> {
        let found = self.found.get(&holder.user_id);
        found.filter(|found| found.is_of(holder))
    }

    /// As [`Self::must_exist`], but the user service is asked in any case. While it is away, whoever is remembered passes.
    ///
    /// # Errors
    /// As [`Self::must_exist`].
    pub async fn look_up(&self, holder: &Holder) -> Result<User, ApiError> {
        let request = MGetUsersRequest {
            user_ids: vec![holder.user_id],
            with_changes: Some(true),
        };
        let user = match self.client.mget_users(request).await {
            Ok(found) => found.users.into_iter().next(),
            Err(error) => {
                let found = self.remembered(holder).ok_or(error)?;
                return Ok(found.user);
            }
        };
        let at = Instant::now();
        let found = user.map(|user| Found { user, at });
        match found.filter(|found| found.is_of(holder)) {
            Some(found) => {
                self.found.insert(holder.user_id, found.clone());
                Ok(found.user)
            }
            None => {
                self.found.remove(&holder.user_id);
                tracing::info!(
                    "refused: the token's account doesn't exist, or has ended its tokens"
                );
                Err(ApiError::new(Code::BAD_TOKEN))
            }
        }
    }
}
