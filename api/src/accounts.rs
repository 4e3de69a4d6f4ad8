//! Checks that a token isn't revoked and that its account exists. Every authenticated write makes this check, and every read of what is the
//! user's alone ([`App::only_for`](crate::app::App::only_for)).
//!
//! Accounts are cached for 5 s. The creation time is compared too, because an id may belong to another user after an older dump was
//! restored.

use std::time::{Duration, Instant};

use auth::TokenSubject;
use idl::{
    base::Code,
    user::{MGetUsersRequest, User, UserServiceClient},
};
use quick_cache::sync::Cache;

use crate::error::ApiError;

/// Cached accounts at most: some 400 bytes each, 20 MB in all.
const MAX_CACHED: usize = 50_000;
/// How long an account is cached: the longest time that an old profile is shown or a revoked token accepted.
const TTL: Duration = Duration::from_secs(5);

/// Accounts, cached in the process.
pub struct Accounts {
    client: UserServiceClient,
    cache: Cache<i64, CachedAccount>,
}

#[derive(Clone)]
struct CachedAccount {
    user: User,
    at: Instant,
}

impl CachedAccount {
    fn is_of(&self, holder: &TokenSubject) -> bool {
        // None from a user service of a version that doesn't send it.
        let created_ms = self.user.created_ms;
        let epoch = self.user.token_epoch;
        created_ms.is_none_or(|created| holder.was_issued_to(created))
            && epoch.is_none_or(|epoch| holder.epoch >= epoch)
    }
}

impl Accounts {
    /// Asks `client` for accounts; the cache is empty.
    pub fn new(client: UserServiceClient) -> Self {
        Self {
            client,
            cache: Cache::new(MAX_CACHED),
        }
    }

    /// The account of this token must exist, or have existed a moment ago.
    ///
    /// # Errors
    /// [`Code::BAD_TOKEN`]: it doesn't. Or it isn't cached and the user service is away.
    pub async fn must_exist(&self, holder: &TokenSubject) -> Result<(), ApiError> {
        self.user(holder).await.map(drop)
    }

    /// The account of this token, as it was a moment ago.
    ///
    /// # Errors
    /// As [`Self::must_exist`].
    pub async fn user(&self, holder: &TokenSubject) -> Result<User, ApiError> {
        match self.fresh(holder) {
            Some(account) => Ok(account.user),
            None => self.refresh(holder).await,
        }
    }

    /// Whether the account of this token is cached, so that [`Self::must_exist`] asks nobody.
    pub fn is_cached(&self, holder: &TokenSubject) -> bool {
        self.fresh(holder).is_some()
    }

    /// Invalidates the cached account.
    pub fn invalidate(&self, user_id: i64) {
        self.cache.remove(&user_id);
    }

    /// Caches an account that was just read.
    pub fn insert(&self, user: User) {
        let at = Instant::now();
        self.cache.insert(user.id, CachedAccount { user, at });
    }

    fn fresh(&self, holder: &TokenSubject) -> Option<CachedAccount> {
        let account = self.cached(holder);
        account.filter(|account| account.at.elapsed() < TTL)
    }

    /// However old.
    fn cached(&self, holder: &TokenSubject) -> Option<CachedAccount> {
        let account = self.cache.get(&holder.user_id);
        account.filter(|account| account.is_of(holder))
    }

    /// As [`Self::must_exist`], but always asks the user service. While that is away, a cached account passes, however old.
    ///
    /// # Errors
    /// As [`Self::must_exist`].
    pub async fn refresh(&self, holder: &TokenSubject) -> Result<User, ApiError> {
        let request = MGetUsersRequest {
            user_ids: vec![holder.user_id],
            with_changes: Some(true),
        };
        let user = match self.client.mget_users(request).await {
            Ok(found) => found.users.into_iter().next(),
            Err(error) => {
                let account = self.cached(holder).ok_or(error)?;
                return Ok(account.user);
            }
        };
        let at = Instant::now();
        let account = user.map(|user| CachedAccount { user, at });
        match account.filter(|account| account.is_of(holder)) {
            Some(account) => {
                self.cache.insert(holder.user_id, account.clone());
                Ok(account.user)
            }
            None => {
                self.cache.remove(&holder.user_id);
                tracing::info!(
                    "refused: the token's account doesn't exist, or has ended its tokens"
                );
                Err(ApiError::new(Code::BAD_TOKEN))
            }
        }
    }
}
